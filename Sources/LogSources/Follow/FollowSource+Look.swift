import LinuxIO
import Records
import SystemPackage

// What the path names, and what lies beside it.
extension FollowSource {
    /// Looks at the path and its files, if something may have changed or it is time.
    mutating func lookIfNeeded() throws(SystemCallError) {
        let now = clock.monotonicNanoseconds()
        // Also while there is always more to read and nobody waits.
        if now - min(now, lookedAt) >= limits.lookNanoseconds { mustLook = true }
        guard mustLook else { return }
        lookedAt = now
        mustLook = false
        do {
            let place = try LogPlace(of: path, known: place, calls: calls)
            self.place = place
            watchFolders(place)
            if !hasBegun {
                try begin(place)
                hasBegun = true
            }
            try look(place)
            failure = nil
            blockedSince = nil
        } catch {
            // While there is something to read, that goes on.
            if failure != error, !isRestless(error) { notes.append(.cannotOpen(error)) }
            failure = error
            if life.reading == nil {
                mustLook = true
                throw error
            }
        }
    }

    /// Sees what the path names now, after holding what it has named since the last look.
    private mutating func look(_ place: LogPlace) throws(SystemCallError) {
        for _ in 0..<FollowLimits.listingsMax {
            guard let file = try openPath() else {
                if life.named != nil { notes.append(.disappeared(path)) }
                life.pathNamesNothing()
                _ = try holdNewer(place, present: nil)
                return
            }
            if file.key == life.named { return }
            if try look(place, at: file) { return }
        }
        throw restless(place.folders.last)
    }

    /// - Returns: false when the path, or what lies beside it, was in motion.
    private mutating func look(
        _ place: LogPlace,
        at file: consuming OpenFile
    ) throws(SystemCallError) -> Bool {
        let present = try LeftFile(held: &file)
        let siblings = try siblings(place)
        // A file that was rotated or truncated meanwhile is not the newest of them.
        guard try pathStillNames(file.key), try file.isWhole() else { return false }
        switch try holdNewer(among: siblings, present) {
        case .stale: return false
        // What the path names is the newest: it has to wait until all others are held.
        case .full: return true
        case .all: break
        }
        let isRotation = life.reading != nil
        switch life.pathNames(file.key) {
        case .known, .refuse: break
        case .hold:
            if isRotation { notes.append(.rotated(path)) }
            hold(file)
        }
        return true
    }

    /// Opens what the path names.
    ///
    /// - Returns: nil if it names nothing.
    private func openPath() throws(SystemCallError) -> OpenFile? {
        do throws(SystemCallError) {
            // Not to block on a pipe; it means nothing for regular files.
            let descriptor = try calls.open(path, [.read, .nonBlocking])
            let status = try descriptor.status()
            guard status.kind == .regular else {
                let cause: Errno = status.kind == .folder ? .isDirectory : .invalidArgument
                throw SystemCallError(call: .openat, path: path, cause: cause)
            }
            return OpenFile(descriptor, status, path: path, clock: clock)
        } catch  where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory {
            return nil
        }
    }

    // MARK: Where to begin

    private mutating func begin(_ place: LogPlace) throws(SystemCallError) {
        guard let cursor else {
            if backfill == .none { try leaveAllRotated(place) }
            return
        }
        if try !resume(at: cursor, place) {
            // Nothing is skipped: all files that may be newer than the lost one are read.
            left = [LeftFile(cursor)]
            let modified = cursor.modifiedMicroseconds
            notes.append(
                .lost(
                    FileGap(
                        cause: .cursorFileGone,
                        path: path,
                        offset: cursor.offset,
                        bytes: nil,
                        sinceMicroseconds: modified == 0 ? nil : modified,
                        untilMicroseconds: realtimeNow()
                    )
                )
            )
        }
        self.cursor = nil
    }

    /// The present file comes first: rotated ones count as read.
    private mutating func leaveAllRotated(_ place: LogPlace) throws(SystemCallError) {
        guard let newest = try siblings(place).rotated.last else { return }
        var standsFor = LeftFile(newest)
        // Without its head it is told by its inode.
        if let identity = try identity(of: newest) { standsFor.identity = identity }
        left = [standsFor]
    }

    /// Goes on where `cursor` says: in the file itself, or in what it became when it was rotated.
    /// A doubt means that nothing is skipped.
    ///
    /// - Returns: whether the file was found.
    private mutating func resume(
        at cursor: FileCursor,
        _ place: LogPlace
    ) throws(SystemCallError) -> Bool {
        if try resumeInPath(cursor, place, isSameInode: true) { return true }
        for _ in 0..<FollowLimits.listingsMax {
            switch try resume(at: cursor, place, among: siblings(place, onlyRotated: false)) {
            case .found: return true
            case .notFound: return false
            case .stale: continue
            }
        }
        throw restless(place.folders.last)
    }

    private mutating func resume(
        at cursor: FileCursor,
        _ place: LogPlace,
        among siblings: Siblings
    ) throws(SystemCallError) -> Finding {
        let key = FileKey(cursor.identity)
        let same = try find(cursor, in: siblings.all.filter { $0.key == key })
        if same != .notFound { return same }
        // Other inodes: after a restore, or where device numbers change at each boot. Only the most
        // of a head that an identity has tells that it is the same log.
        if cursor.identity.headByteCount == UInt32(FileIdentity.headBytesMax),
            try resumeInPath(cursor, place, isSameInode: false)
        {
            return .found
        }
        // Nothing is like everything. Otherwise, a few bytes that are alike by chance mean that
        // lines are read twice; a copy that is not found means that they are lost.
        guard cursor.identity.headByteCount > 0 else { return .notFound }
        return try find(cursor, in: siblings.rotated.reversed())
    }

    private mutating func resumeInPath(
        _ cursor: FileCursor,
        _ place: LogPlace,
        isSameInode: Bool
    ) throws(SystemCallError) -> Bool {
        guard var file = try openPath(),
            (file.key == FileKey(cursor.identity)) == isSameInode,
            try file.seek(to: cursor)
        else { return false }
        // What can fail comes before what is kept: after a failure all of it is done again.
        try leaveAllRotated(place)
        _ = life.pathNames(file.key)
        notes.append(.resumed(path, offset: cursor.offset))
        hold(file)
        return true
    }

    private enum Finding { case found, notFound, stale }

    private mutating func find(
        _ cursor: FileCursor,
        in siblings: [Sibling]
    ) throws(SystemCallError) -> Finding {
        for sibling in siblings {
            switch try openPatiently(sibling) {
            case .stale: return .stale
            case .unreadable: continue
            case .file(var file):
                guard try file.seek(to: cursor) else { continue }
                _ = life.foundRotated(file.key)
                notes.append(.resumed(file.path, offset: cursor.offset))
                hold(file)
                return .found
            }
        }
        return .notFound
    }
}
