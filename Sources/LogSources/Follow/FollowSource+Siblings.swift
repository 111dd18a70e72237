import LinuxIO
import Records
import SystemPackage

/// What opening a rotated file came to.
enum OpenedSibling: ~Copyable {
    case file(OpenFile)
    /// The name is gone, or another file's by now: the folder has to be read anew.
    case stale
    /// It is compressed in a way that nobody here reads.
    case unreadable
}

// The files beside the path: which of them come next.
extension FollowSource {
    /// The files beside the path; none where the folder must not be read.
    func siblingsIfAllowed(
        _ place: LogPlace,
        onlyRotated: Bool = true
    ) throws(SystemCallError) -> Siblings? {
        do throws(SystemCallError) {
            guard let siblings = try place.siblings(onlyRotated: onlyRotated, calls) else {
                throw restless(place.folders.last)
            }
            return siblings
        } catch  where error.cause == .permissionDenied {
            return nil
        }
    }

    mutating func siblings(
        _ place: LogPlace,
        onlyRotated: Bool = true
    ) throws(SystemCallError) -> Siblings {
        if let siblings = try siblingsIfAllowed(place, onlyRotated: onlyRotated) {
            folderFailure = nil
            return siblings
        }
        // The path itself can be followed all the same.
        let error = SystemCallError(
            call: .listFolder,
            path: place.folders.last,
            cause: .permissionDenied
        )
        if folderFailure != error { notes.append(.cannotOpen(error)) }
        folderFailure = error
        return Siblings([])
    }

    /// Names move faster than they can be read; it is tried again.
    func restless(_ path: FilePath?) -> SystemCallError {
        SystemCallError(call: .listFolder, path: path, cause: .resourceTemporarilyUnavailable)
    }

    func isRestless(_ error: SystemCallError) -> Bool {
        error.call == .listFolder && error.cause == .resourceTemporarilyUnavailable
    }

    func open(_ sibling: Sibling) throws(SystemCallError) -> OpenedSibling {
        let path = sibling.path
        let descriptor: Descriptor
        do throws(SystemCallError) {
            descriptor = try calls.open(path, [.read, .nonBlocking])
        } catch  where error.cause == .noSuchFileOrDirectory {
            return .stale
        }
        let status = try descriptor.status()
        guard FileKey(status) == sibling.key else { return .stale }
        let file = try OpenFile.rotated(
            descriptor,
            status,
            of: sibling,
            path: path,
            readBytes: limits.compressedReadBytes,
            clock: clock
        )
        if let file { return .file(file) }
        return .unreadable
    }

    /// As ``open(_:)``, to see whether it is what is looked for. What cannot be opened is tried again
    /// for a while, and then passed over.
    mutating func openPatiently(_ sibling: Sibling) throws(SystemCallError) -> OpenedSibling {
        do throws(SystemCallError) {
            switch try open(sibling) {
            case .stale: return .stale
            case .unreadable: return .unreadable
            case .file(var file):
                try file.extendHead()
                return .file(file)
            }
        } catch {
            guard isOverdue() else { throw error }
            return .unreadable
        }
    }

    /// Whether rotated files, of which one could not be opened just now, have kept us from going on
    /// for too long.
    private mutating func isOverdue() -> Bool {
        let now = clock.monotonicNanoseconds()
        let since = blockedSince ?? now
        blockedSince = since
        return now - min(now, since) >= limits.drainNanosecondsMax
    }

    /// The identity of a rotated file, as far as it has one now and it can be had.
    mutating func identity(of sibling: Sibling) throws(SystemCallError) -> FileIdentity? {
        switch try openPatiently(sibling) {
        case .stale: throw restless(sibling.folder)
        case .unreadable: return nil
        case .file(let file): return file.identity
        }
    }

    /// The first bytes of a rotated file's text; none where they cannot be had.
    private mutating func head(of sibling: Sibling) throws(SystemCallError) -> [UInt8] {
        switch try openPatiently(sibling) {
        case .stale: throw restless(sibling.folder)
        case .unreadable: return []
        case .file(let file): return file.head
        }
    }

    // MARK: What comes next

    enum Holding { case all, full, stale }

    /// Holds the rotated files that are newer than those that are held or were left.
    ///
    /// - Parameter present: what the path names. A copy that has just been made of it, and will be
    ///   followed by its truncation, is none of them.
    /// - Returns: whether all of them are held.
    mutating func holdNewer(
        _ place: LogPlace,
        present: LeftFile?
    ) throws(SystemCallError) -> Bool {
        for _ in 0..<FollowLimits.listingsMax {
            switch try holdNewer(among: siblings(place), present) {
            case .all: return true
            case .full: return false
            case .stale: continue
            }
        }
        throw restless(place.folders.last)
    }

    mutating func holdNewer(
        among siblings: Siblings,
        _ present: LeftFile?
    ) throws(SystemCallError) -> Holding {
        skipped.removeAll { !siblings.rotated.contains($0) }
        let known = try heldNewestFirst() + left.reversed()
        let read = known + (present.map { [$0] } ?? [])
        let candidates = try newer(than: known, among: siblings)
        for (index, sibling) in candidates.enumerated() {
            // Only to the newest can anything still come.
            if sibling.size == 0, index + 1 < candidates.count { continue }
            if let present, FileKey(present.identity) == sibling.key { continue }
            switch try openUnread(sibling, read) {
            case .nothing: continue
            case .stale: return .stale
            case .file(let file):
                switch life.foundRotated(file.key) {
                case .known: continue
                case .hold:
                    notes.append(.readsRotated(file.path))
                    hold(file)
                case .refuse: return .full
                }
            }
        }
        return .all
    }

    /// Holds copies that were made of `key` before it was truncated and when nothing of it had been
    /// read (copytruncate): whatever is newer than the last file that was left.
    ///
    /// - Parameter key: of what the path names; it is about to be read from its first byte.
    ///
    /// - Returns: whether there is any; then that is read first.
    mutating func holdUnseenCopies(of key: FileKey) throws(SystemCallError) -> Bool {
        guard let place else { return false }
        for _ in 0..<FollowLimits.listingsMax {
            let siblings = try siblings(place)
            // If it was renamed, what is newer may be newer than itself; if it was truncated once
            // more, what is known of it is of a copy.
            guard try pathStillNames(key) else { return false }
            guard try isStillWhole(key) else { continue }
            switch try holdUnseenCopies(of: key, among: siblings) {
            case .all: return life.reading != key
            case .full: return true
            case .stale: continue
            }
        }
        throw restless(place.folders.last)
    }

    /// Whether a file that was not begun begins as it did; otherwise it is another from now on.
    private mutating func isStillWhole(_ key: FileKey) throws(SystemCallError) -> Bool {
        var file = take(key)
        let isWhole: Bool
        do { isWhole = try file.isWhole() } catch { throw putBack(file, error) }
        if !isWhole { file.restart() }
        file.searchedAt = file.modifiedMicroseconds
        put(file)
        return isWhole
    }

    /// Whether the path names it now, whatever it did when it was last looked at.
    func pathStillNames(_ key: FileKey) throws(SystemCallError) -> Bool {
        do throws(SystemCallError) {
            return FileKey(try calls.status(of: path)) == key
        } catch  where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory {
            return false
        }
    }

    private mutating func holdUnseenCopies(
        of key: FileKey,
        among siblings: Siblings
    ) throws(SystemCallError) -> Holding {
        let known = try heldNewestFirst() + left.reversed()
        for sibling in try newer(than: left.reversed(), among: siblings) {
            // It has been renamed since the path was looked at: what follows is newer than itself.
            if sibling.key == key { return .all }
            guard sibling.size > 0 else { continue }
            switch try openUnread(sibling, known) {
            case .nothing: continue
            case .stale: return .stale
            case .file(var file):
                switch life.foundCopy(file.key, of: key) {
                case .known: continue
                case .hold:
                    notes.append(.readsRotated(file.path))
                    file.isCopy()
                    put(file)
                case .refuse: return .full
                }
            }
        }
        return .all
    }

    /// Those of `siblings` that are newer than the first of `known`, which are newest first. If
    /// that is not found, the next will do: who takes a file makes sure that it was not read.
    private mutating func newer(
        than known: [LeftFile],
        among siblings: Siblings
    ) throws(SystemCallError) -> [Sibling] {
        guard let newest = known.first else { return siblings.toBackfill }
        for file in known {
            if let found = try newer(than: file, among: siblings) { return found }
        }
        // One may have got a name that is none of a rotation.
        if let place {
            let others = try self.siblings(place, onlyRotated: false).others
            for file in known {
                let key = FileKey(file.identity)
                if let other = others.first(where: { $0.key == key }), try isSameFile(other, file) {
                    return siblings.writtenSince(file.modifiedMicroseconds)
                }
            }
        }
        // None has its inode any more: they were compressed, or copied, or are gone.
        var heads: [[UInt8]] = []
        for sibling in siblings.rotated { heads.append(try head(of: sibling)) }
        for file in known {
            if let index = heads.lastIndex(where: { file.isSameText(head: $0) }) {
                return siblings.newer(thanRotatedAt: index)
            }
        }
        return siblings.writtenSince(newest.modifiedMicroseconds)
    }

    /// - Returns: nil when no file has its inode, or that was given to another file.
    private mutating func newer(
        than file: LeftFile,
        among siblings: Siblings
    ) throws(SystemCallError) -> [Sibling]? {
        let key = FileKey(file.identity)
        if let index = siblings.rotated.firstIndex(where: { $0.key == key }),
            try isSameFile(siblings.rotated[index], file)
        {
            return siblings.newer(thanRotatedAt: index)
        }
        return nil
    }

    private mutating func isSameFile(
        _ sibling: Sibling,
        _ file: LeftFile
    ) throws(SystemCallError) -> Bool {
        if isHeld(sibling.key) || file.isUnchanged(sibling) { return true }
        return file.hasHead(try head(of: sibling))
    }

    private func isHeld(_ key: FileKey) -> Bool {
        life.reading == key || life.waiting.contains(key)
    }

    /// What stands for the held files.
    private mutating func heldNewestFirst() throws(SystemCallError) -> [LeftFile] {
        var keys = life.waiting
        if let reading = life.reading { keys.insert(reading, at: 0) }
        var held: [LeftFile] = []
        for key in keys.reversed() {
            var file = take(key)
            do { held.append(try LeftFile(held: &file)) } catch { throw putBack(file, error) }
            put(file)
        }
        return held
    }

    private enum Unread: ~Copyable {
        case file(OpenFile)
        case stale
        /// It was read, is held, or cannot be read.
        case nothing
    }

    /// Opens a file that may have to be read.
    private mutating func openUnread(
        _ sibling: Sibling,
        _ known: [LeftFile]
    ) throws(SystemCallError) -> Unread {
        if isHeld(sibling.key) || skipped.contains(sibling) { return .nothing }
        if left.contains(where: { $0.isUnchanged(sibling) }) { return .nothing }
        do throws(SystemCallError) {
            switch try open(sibling) {
            case .stale: return .stale
            case .unreadable:
                skip(sibling, .unknownCompression)
                return .nothing
            case .file(var file):
                try file.extendHead()
                let isEmpty = file.encoding != .plain && file.head.isEmpty
                let isKnown = known.contains { $0.isSameText(head: file.head) }
                return isEmpty || isKnown ? .nothing : .file(file)
            }
        } catch {
            // For a while it is tried again, and nothing is skipped. But what happened long ago
            // must not keep us from seeing what happens now.
            guard isOverdue() else { throw error }
            skip(sibling, .unreadable(error))
            return .nothing
        }
    }

    private mutating func skip(_ sibling: Sibling, _ cause: FileGap.Cause) {
        skipped.append(sibling)
        notes.append(
            .lost(
                FileGap(
                    cause: cause,
                    path: sibling.path,
                    offset: 0,
                    bytes: sibling.isCompressed ? nil : sibling.size,
                    sinceMicroseconds: nil,
                    untilMicroseconds: sibling.modifiedMicroseconds
                )
            )
        )
    }

    // MARK: Truncation

    /// The file became shorter, or other than it was. It is read from its first byte, after the
    /// copies that were made of it.
    mutating func restart(_ file: consuming OpenFile) throws(SystemCallError) {
        let key = file.key
        // Of what was never begun, any number of copies may have been made and none was seen.
        if file.number != nil || life.named != key {
            do { try holdCopy(of: file) } catch { throw putBack(file, error) }
            // A copy that ends before what was read of it is no news.
            if file.number != nil { leaveBehind(LeftFile(file)) }
        }
        file.restart()
        put(file)
        // When it fails, it is done again before the file is begun.
        if life.named == key { _ = try? holdUnseenCopies(of: key) }
    }

    private mutating func holdCopy(of file: borrowing OpenFile) throws(SystemCallError) {
        var truncation = Truncation(offset: file.splitter.nextOffset, copy: nil)
        let cursor = FileCursor(identity: file.identity, offset: truncation.offset)
        if let copy = try openCopy(fitting: cursor) {
            truncation.copy = copy.path
            notes.append(.truncated(file.path, truncation))
            holdCopy(copy, of: file.key)
        } else {
            notes.append(.truncated(file.path, truncation))
            let half = file.splitter.readOffset - truncation.offset
            noteLoss(.truncated, of: file, bytes: half > 0 ? half : nil, since: file.endSeenAt)
        }
    }

    private mutating func holdCopy(_ copy: consuming OpenFile, of file: FileKey) {
        switch life.foundCopy(copy.key, of: file) {
        case .known: break
        case .hold:
            copy.isCopy()
            put(copy)
        case .refuse:
            // There are never so many that wait behind a file that is at the path.
            noteLoss(.truncated, of: copy, bytes: nil, since: nil)
        }
    }

    func hasCopy(fitting cursor: FileCursor) throws(SystemCallError) -> Bool {
        switch try openCopy(fitting: cursor) {
        case .none: false
        case .some: true
        }
    }

    /// Opens a rotated file in which `cursor` stands although it is another inode, at that place.
    private func openCopy(fitting cursor: FileCursor) throws(SystemCallError) -> OpenFile? {
        guard let place, cursor.identity.headByteCount > 0 else { return nil }
        for _ in 0..<FollowLimits.listingsMax {
            guard let siblings = try siblingsIfAllowed(place) else { return nil }
            switch try openCopy(fitting: cursor, among: siblings) {
            case .stale: continue
            case .nothing: return nil
            case .file(let copy): return copy
            }
        }
        throw restless(place.folders.last)
    }

    private func openCopy(
        fitting cursor: FileCursor,
        among siblings: Siblings
    ) throws(SystemCallError) -> Unread {
        let key = FileKey(cursor.identity)
        for sibling in siblings.rotated.reversed() where sibling.key != key {
            switch try open(sibling) {
            case .stale: return .stale
            case .unreadable: continue
            case .file(var file):
                if try file.seek(to: cursor) { return .file(file) }
            }
        }
        return .nothing
    }
}
