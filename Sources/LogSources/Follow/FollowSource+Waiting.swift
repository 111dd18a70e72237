public import LinuxIO
import SystemPackage

// Waiting for what changes.
extension FollowSource {
    public mutating func wait(
        stop: borrowing EventCounter,
        atMost nanoseconds: UInt64?
    ) throws(SourceError) -> Wake {
        do {
            return try waitForChange(stop: stop, atMost: nanoseconds)
        } catch {
            throw SourceError(error)
        }
    }

    private mutating func waitForChange(
        stop: borrowing EventCounter,
        atMost nanoseconds: UInt64?
    ) throws(SystemCallError) -> Wake {
        let start = Clocks.monotonicNanoseconds()
        let interval = isWatched ? limits.lookNanoseconds : limits.lookUnwatchedNanoseconds
        let limit = min(interval, nanoseconds ?? .max, endWait ?? .max)
        while true {
            let elapsed = Clocks.monotonicNanoseconds() - start
            var poll = PollSet()
            let stopMember = poll.add(stop)
            if let watch = watch.take() {
                _ = poll.add(watch)
                self.watch = consume watch
            }
            let isReady = try poll.wait(atMost: limit - min(limit, elapsed), calls: calls)
            if isReady, poll.isReady(stopMember) { return .stopped }
            guard isReady else {
                mustLook = true
                return .timeout
            }
            guard try takeEvents() else { continue }
            return .changed
        }
    }

    /// - Returns: whether anything was among the events that concerns this path.
    private mutating func takeEvents() throws(SystemCallError) -> Bool {
        var events: [FileWatch.Event] = []
        guard var watch = watch.take() else { return false }
        do {
            try watch.takeEvents { events.append($0) }
        } catch {
            self.watch = consume watch
            throw error
        }
        self.watch = consume watch
        var concernsUs = false
        for event in events {
            switch event {
            case .overflow:
                mustLook = true
                concernsUs = true
            case .changed(let id, let mask, let changedName) where folderWatches.contains(id):
                // Names of other files come and go; events of the folder itself have no name.
                guard changedName.isEmpty || place?.names.contains(changedName) == true else {
                    continue
                }
                if mask.contains(.ignored) { folderWatches.removeAll { $0 == id } }
                mustLook = true
                concernsUs = true
            case .changed(let id, let mask, _):
                if try changed(id, mask) { concernsUs = true }
            }
        }
        return concernsUs
    }

    /// - Returns: whether a held file is watched as `id`.
    private mutating func changed(
        _ id: FileWatch.ID,
        _ mask: FileWatch.Mask
    ) throws(SystemCallError) -> Bool {
        for index in heldKeys.indices {
            guard let key = heldKeys[index] else { continue }
            var file = take(key)
            guard file.watch == id else {
                put(file)
                continue
            }
            if !mask.isDisjoint(with: [.movedSelf, .deletedSelf, .attributes]) { mustLook = true }
            if mask.contains(.ignored) { file.watch = nil }
            if mask.contains(.closedAfterWriting) {
                do throws(SystemCallError) {
                    file.closedSize = try file.descriptor.status().size
                } catch {
                    throw putBack(file, error)
                }
            }
            put(file)
            return true
        }
        return false
    }

    /// Watches the folders that the path and its links lead through; they may have come, or be
    /// others, since last time.
    mutating func watchFolders(_ place: LogPlace) {
        var ids: [FileWatch.ID] = []
        for folder in place.folders {
            do {
                let id = try watch?.add(
                    folder,
                    [
                        .attributes, .created, .movedFrom, .movedTo, .deleted, .deletedSelf,
                        .movedSelf,
                    ]
                )
                if let id { ids.append(id) }
            } catch  where error.cause == .noSuchFileOrDirectory {
                // The look at the path comes to the same.
            } catch {
                noteUnwatched(error)
            }
        }
        for old in folderWatches where !ids.contains(old) { watch?.remove(old) }
        folderWatches = ids
    }

    func watchFile(_ file: borrowing OpenFile) throws(SystemCallError) -> FileWatch.ID? {
        try watch?.add(
            file.descriptor,
            [.modified, .attributes, .closedAfterWriting, .movedSelf, .deletedSelf]
        )
    }

    mutating func noteUnwatched(_ error: SystemCallError) {
        if isWatched { notes.append(.notWatched(error)) }
        isWatched = false
    }
}
