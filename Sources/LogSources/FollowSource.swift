public import LinuxIO
public import Records
public import SystemPackage

/// One path of a log, followed as it is written: through renames, truncation and absence.
///
/// What to do when is decided by ``FollowedFile``; in here are the descriptors, the events, and the
/// reading. Events are hints: each ends a wait, and then the path and its files are looked at.
///
/// A file that is left is not looked at again. When ``FollowLimits/quietNanoseconds`` passed without
/// its writer closing it, lines that are written to it after that are not read; Postfix's postlogd,
/// Exim, rsyslog and syslog-ng close or leave it long before.
public struct FollowSource: RecordSource, ~Copyable, Sendable {
    /// The files that were begun so far, and the cursors in them.
    public let files: FileTable
    public let path: FilePath
    private let folder: FilePath
    private let name: [UInt8]
    private let source: SourceNumber
    private let limits: FollowLimits
    private let calls: SystemCalls

    private var life: FollowedFile
    /// The files that `life` knows, in any order, and nothing else.
    private var held: InlineArray<8, OpenFile?> = InlineArray { _ in nil }
    /// Which file is in which place of `held`.
    private var heldKeys: InlineArray<8, FileKey?> = InlineArray(repeating: nil)
    /// Files that were read to their end and left, newest last.
    private var left: [FileIdentity] = []
    /// Where to go on, until that was done.
    private var cursor: FileCursor?

    private var watch: FileWatch?
    private var folderWatch: FileWatch.ID?
    /// Whether every change is told by an event; once it could not be arranged, it stays false.
    private var isWatched = true
    /// The path may name something else than before.
    private var mustLook = true
    /// How long the file being read may still be without a successor: see ``FollowedFile/Ending``.
    private var endWait: UInt64?
    private var notes: [SourceNote] = []
    /// What was told of last, so that it is not told at every look.
    private var failure: SystemCallError?

    /// Follows `path`, which need not exist yet.
    ///
    /// - Parameters:
    ///   - cursor: where to go on. Without one, the file is read from its first byte.
    ///   - files: where the files are entered that are read.
    public init(
        path: FilePath,
        cursor: FileCursor? = nil,
        source: SourceNumber = SourceNumber(0),
        limits: FollowLimits = FollowLimits(),
        files: FileTable = FileTable(),
        calls: SystemCalls = SystemCalls()
    ) {
        precondition(path.lastComponent != nil, "a file's path has a name at its end")
        precondition(limits.readBytes > 0)
        self.path = path
        self.cursor = cursor
        self.source = source
        self.limits = limits
        self.files = files
        self.calls = calls
        let parent = path.removingLastComponent()
        folder = parent.isEmpty ? "." : parent
        name = path.lastComponent?.bytes ?? []
        life = FollowedFile(limits: limits)
        do {
            watch = try FileWatch(calls: calls)
        } catch {
            watch = nil
            noteUnwatched(error)
        }
    }

    /// What the life of the path is now.
    public var state: FollowedFile.State { life.state }

    public mutating func takeNotes() -> [SourceNote] {
        defer { notes = [] }
        return notes
    }

    // MARK: Reading

    public mutating func fill(_ batch: inout Batch) throws(SourceError) -> Fill {
        batch.removeAll()
        batch.source = source
        do throws(SystemCallError) {
            try lookIfNeeded()
            while let key = life.reading {
                var file = take(key)
                // Before every read: a file that was truncated and has grown past the old end would
                // go on in the middle of a line.
                let isWhole: Bool
                do { isWhole = try file.isWhole() } catch { throw putBack(file, error) }
                if !isWhole {
                    try restart(file)
                    continue
                }
                do { try read(&batch, from: &file) } catch { throw putBack(file, error) }
                if !batch.lines.isEmpty {
                    endWait = nil
                    put(file)
                    return .lines
                }
                let isLeft = try leave(file, &batch)
                return isLeft ? .lines : .idle
            }
            endWait = nil
            return .idle
        } catch {
            throw SourceError(error)
        }
    }

    /// Reads what is there, as far as the batch takes it.
    private mutating func read(
        _ batch: inout Batch,
        from file: inout OpenFile
    ) throws(SystemCallError) {
        let number = try begin(&file)
        batch.file = number
        batch.observedMicroseconds = Clocks.realtimeMicroseconds()
        file.splitter.begin(&batch)
        do {
            while file.splitter.wantsMore(batch, room: 1) {
                let start = batch.byteCount
                let end = min(batch.bytes.count, start + limits.readBytes)
                let count = try file.descriptor.read(
                    into: &batch.bytes,
                    start..<end,
                    at: file.splitter.readOffset
                )
                if count == 0 { break }
                file.splitter.append(count, to: &batch)
                file.grownAt = Clocks.monotonicNanoseconds()
            }
            if try file.extendHead() { files.setIdentity(of: number, to: file.identity) }
        } catch {
            // Lines that came before the failure are given first; then it is met again.
            file.splitter.end(&batch)
            if batch.lines.isEmpty { throw error }
            return
        }
        file.splitter.end(&batch)
    }

    /// Gives `file` its number when it is read for the first time.
    private func begin(_ file: inout OpenFile) throws(SystemCallError) -> FileNumber {
        if let number = file.number { return number }
        _ = try file.extendHead()
        let number = files.append(
            FileDescription(
                path: file.path.string,
                identity: file.identity,
                timeHint: .observed
            )
        )
        file.number = number
        return number
    }

    /// Decides what comes after the end of `file`, all of which has been read.
    ///
    /// - Returns: whether it was left; then the batch says so, and holds its last line if that has
    ///   no newline.
    private mutating func leave(
        _ file: consuming OpenFile,
        _ batch: inout Batch
    ) throws(SystemCallError) -> Bool {
        let now = Clocks.monotonicNanoseconds()
        var nextFilled: UInt64?
        do {
            nextFilled = try filledNanoseconds(now)
        } catch {
            throw putBack(file, error)
        }
        let facts = FollowedFile.EndFacts(
            quietNanoseconds: now - min(now, file.grownAt),
            isClosed: file.isClosed,
            nextFilledNanoseconds: nextFilled
        )
        switch life.reachedEnd(facts) {
        case .wait(let nanoseconds):
            endWait = nanoseconds
            put(file)
            return false
        case .next(_, let wasStillWritten):
            endWait = nil
            if wasStillWritten { notes.append(.leftWhileWritten(file.path)) }
            file.splitter.begin(&batch)
            file.splitter.finishInput(&batch)
            file.splitter.end(&batch)
            batch.end = .endOfFile
            left.append(file.identity)
            if left.count > FollowLimits.heldFilesMax { left.removeFirst() }
            if let id = file.watch { watch?.remove(id) }
            return true
        }
    }

    /// How long one of the waiting files has had bytes.
    private mutating func filledNanoseconds(_ now: UInt64) throws(SystemCallError) -> UInt64? {
        var longest: UInt64?
        for key in life.waiting {
            var file = take(key)
            if file.filledAt == nil {
                do {
                    if try file.descriptor.status().size > file.splitter.readOffset {
                        file.filledAt = now
                    }
                } catch {
                    throw putBack(file, error)
                }
            }
            if let filledAt = file.filledAt { longest = max(longest ?? 0, now - filledAt) }
            put(file)
        }
        return longest
    }

    /// The file became shorter, or other than it was.
    private mutating func restart(_ file: consuming OpenFile) throws(SystemCallError) {
        let offset = file.splitter.nextOffset
        var truncation = Truncation(
            offset: offset,
            copy: nil,
            lostBytes: Int(clamping: file.splitter.readOffset - offset)
        )
        do {
            let cursor = FileCursor(identity: file.identity, offset: offset)
            if let copy = try openSibling(fitting: cursor, ofSameInode: false) {
                truncation.copy = copy.path
                truncation.lostBytes = 0
                try holdCopies(copy, of: file.key)
            }
        } catch {
            throw putBack(file, error)
        }
        notes.append(.truncated(file.path, truncation))
        file.restart()
        put(file)
    }

    /// Holds the copy of a file that was truncated, and those made after it: their names are newer.
    private mutating func holdCopies(
        _ copy: consuming OpenFile,
        of file: FileKey
    ) throws(SystemCallError) {
        let rotated = try siblings().filter { $0.rotated != nil }
        let place = rotated.first { $0.key == copy.key }?.rotated
        holdCopy(copy, of: file)
        guard let place else { return }
        var newer = rotated.filter { $0.rotated?.isNewer(than: place) == true }
        // If the file has been renamed since, what is newer than itself is no copy of it.
        if let own = rotated.first(where: { $0.key == file })?.rotated {
            newer.removeAll { $0.rotated?.isNewer(than: own) == true }
        }
        for sibling in newer.sorted(by: Sibling.isOlder) {
            if sibling.rotated?.isCompressed == true {
                notes.append(.compressedUnread(sibling.path))
            } else if let later = try open(sibling, offset: 0), try !wasLeft(later) {
                holdCopy(later, of: file)
            }
        }
    }

    private mutating func holdCopy(_ copy: consuming OpenFile, of file: FileKey) {
        switch life.foundCopy(copy.key, of: file) {
        case .known: break
        case .hold:
            // Nobody writes to a copy.
            copy.closedSize = .max
            put(copy)
        case .refuse: notes.append(.tooManyRotations(copy.path))
        }
    }

    // MARK: Looking

    private mutating func lookIfNeeded() throws(SystemCallError) {
        guard mustLook else { return }
        watchFolder()
        do {
            if let cursor {
                try resume(cursor)
                self.cursor = nil
            }
            try look()
            failure = nil
        } catch {
            // While there is something to read, that goes on.
            if failure != error { notes.append(.cannotOpen(error)) }
            failure = error
            if life.reading == nil { throw error }
        }
        mustLook = false
    }

    /// Sees what the path names now.
    private mutating func look() throws(SystemCallError) {
        guard let file = try openPath() else {
            if life.named != nil { notes.append(.disappeared(path)) }
            life.pathNamesNothing()
            return
        }
        if file.key == life.named { return }
        let isRotation = life.reading != nil
        if isRotation { try holdRotatedBetween(file.key) }
        switch life.pathNames(file.key) {
        case .known: break
        case .hold:
            if isRotation { notes.append(.rotated(path)) }
            hold(file)
        case .refuse: notes.append(.tooManyRotations(path))
        }
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
            return OpenFile(descriptor, status, path: path)
        } catch  where error.cause == .noSuchFileOrDirectory || error.cause == .notDirectory {
            return nil
        }
    }

    /// Goes on where `cursor` says: in the file itself, or in what it became when it was rotated,
    /// followed by those that were rotated after it. A doubt means that nothing is skipped.
    private mutating func resume(_ cursor: FileCursor) throws(SystemCallError) {
        if let file = try openPath() {
            let status = try file.descriptor.status()
            if file.key == FileKey(cursor.identity), try file.descriptor.fits(cursor, status) {
                _ = life.pathNames(file.key)
                notes.append(.resumed(path, offset: cursor.offset))
                hold(OpenFile(file.descriptor, status, path: path, offset: cursor.offset))
                return
            }
        }
        var rotated = try openSibling(fitting: cursor, ofSameInode: true)
        if rotated == nil { rotated = try openSibling(fitting: cursor, ofSameInode: false) }
        if let file = rotated.take() {
            _ = life.foundRotated(file.key)
            notes.append(.resumed(file.path, offset: cursor.offset))
            hold(file)
        } else {
            notes.append(.readAgain(path))
        }
    }

    // MARK: Siblings

    /// A regular file beside the path.
    private struct Sibling {
        var path: FilePath
        var key: FileKey
        /// Absent when the name is not that of a rotation.
        var rotated: RotatedName?
        var modifiedMicroseconds: Int64

        /// By their names where these tell, else by when they were last written.
        static func isOlder(_ left: Sibling, _ right: Sibling) -> Bool {
            if let age = left.rotated, let other = right.rotated,
                let isOlder = other.isNewer(than: age)
            {
                return isOlder
            }
            return left.modifiedMicroseconds < right.modifiedMicroseconds
        }
    }

    private func siblings() throws(SystemCallError) -> [Sibling] {
        var siblings: [Sibling] = []
        for component in try calls.names(inFolder: folder) {
            let bytes = component.bytes
            let sibling = folder.appending(component)
            // What goes away meanwhile is none any more.
            guard bytes != name,
                let status = try? calls.status(of: sibling, followingLinks: false),
                status.kind == .regular
            else { continue }
            siblings.append(
                Sibling(
                    path: sibling,
                    key: FileKey(status),
                    rotated: RotatedName(bytes, of: name),
                    modifiedMicroseconds: status.modifiedMicroseconds
                )
            )
        }
        return siblings
    }

    /// Opens a file beside the path that fits `cursor`.
    ///
    /// - Parameter ofSameInode: whether it must be the same file, under whatever name. Otherwise it
    ///   is another one with the same beginning, under a name of a rotation: a copy.
    private func openSibling(
        fitting cursor: FileCursor,
        ofSameInode: Bool
    ) throws(SystemCallError) -> OpenFile? {
        // Nothing is like everything. Otherwise, a few bytes that are alike by chance mean that lines
        // are read twice; a copy that is not found means that they are lost.
        if !ofSameInode, cursor.identity.headByteCount == 0 { return nil }
        let key = FileKey(cursor.identity)
        let newestFirst = try siblings().sorted { Sibling.isOlder($1, $0) }
        for sibling in newestFirst where (sibling.key == key) == ofSameInode {
            guard ofSameInode || sibling.rotated?.isCompressed == false else { continue }
            guard let file = try open(sibling, offset: cursor.offset) else { continue }
            if try file.descriptor.fits(cursor, file.descriptor.status()) { return file }
        }
        return nil
    }

    /// - Returns: nil when the name is gone, or another file's by now.
    private func open(
        _ sibling: Sibling,
        offset: UInt64
    ) throws(SystemCallError) -> OpenFile? {
        do throws(SystemCallError) {
            let descriptor = try calls.open(sibling.path, [.read, .nonBlocking])
            let status = try descriptor.status()
            guard FileKey(status) == sibling.key else { return nil }
            return OpenFile(descriptor, status, path: sibling.path, offset: offset)
        } catch  where error.cause == .noSuchFileOrDirectory {
            return nil
        }
    }

    /// Holds the files that the path named after the newest that is held and before `present`: when
    /// a log is rotated twice between two looks, or while nobody looked.
    private mutating func holdRotatedBetween(_ present: FileKey) throws(SystemCallError) {
        guard let newest = life.waiting.last ?? life.reading else { return }
        let rotated = try siblings().filter { $0.key != present && $0.rotated != nil }
        let between: [Sibling]
        if let place = rotated.first(where: { $0.key == newest })?.rotated {
            between = rotated.filter { $0.rotated?.isNewer(than: place) == true }
        } else {
            // It was deleted, or has an unusual name: only the times tell.
            let modified = try modifiedMicroseconds(newest)
            between = rotated.filter { $0.modifiedMicroseconds >= modified }
        }
        for sibling in between.sorted(by: Sibling.isOlder) {
            if sibling.rotated?.isCompressed == true {
                notes.append(.compressedUnread(sibling.path))
                continue
            }
            guard let file = try open(sibling, offset: 0), try !wasLeft(file) else { continue }
            switch life.foundRotated(file.key) {
            case .known: break
            case .hold:
                notes.append(.rotated(sibling.path))
                hold(file)
            case .refuse: notes.append(.tooManyRotations(sibling.path))
            }
        }
    }

    private mutating func modifiedMicroseconds(_ key: FileKey) throws(SystemCallError) -> Int64 {
        let file = take(key)
        let modified: Int64
        do {
            modified = try file.descriptor.status().modifiedMicroseconds
        } catch {
            throw putBack(file, error)
        }
        put(file)
        return modified
    }

    /// Whether a file has been read to its end in this run.
    private func wasLeft(_ file: borrowing OpenFile) throws(SystemCallError) -> Bool {
        for identity in left where FileKey(identity) == file.key {
            // Fewer bytes could be those of another file to which the inode was given.
            guard identity.headByteCount >= 64 else { continue }
            let isSame = try file.descriptor.hasHead(
                digest: identity.headDigest,
                byteCount: Int(identity.headByteCount)
            )
            if isSame { return true }
        }
        return false
    }

    // MARK: The held files

    /// Keeps a new file, and has its changes told.
    private mutating func hold(_ file: consuming OpenFile) {
        if let id = watchFile(file) { file.watch = id }
        put(file)
    }

    private mutating func watchFile(_ file: borrowing OpenFile) -> FileWatch.ID? {
        do {
            return try watch?.add(
                file.descriptor,
                [.modified, .attributes, .closedAfterWriting, .movedSelf, .deletedSelf]
            )
        } catch {
            noteUnwatched(error)
            return nil
        }
    }

    private mutating func noteUnwatched(_ error: SystemCallError) {
        if isWatched { notes.append(.notWatched(error)) }
        isWatched = false
    }

    private mutating func put(_ file: consuming OpenFile) {
        for index in held.indices where heldKeys[index] == nil {
            heldKeys[index] = file.key
            held[index] = consume file
            return
        }
        preconditionFailure("more files are held than FollowedFile allows")
    }

    /// Puts `file` back where something failed.
    private mutating func putBack(
        _ file: consuming OpenFile,
        _ error: SystemCallError
    ) -> SystemCallError {
        put(file)
        return error
    }

    /// Takes a file out, to work on it and put it back.
    private mutating func take(_ key: FileKey) -> OpenFile {
        for index in held.indices where heldKeys[index] == key {
            heldKeys[index] = nil
            if let file = held[index].take() { return file }
        }
        preconditionFailure("a file that FollowedFile knows is not held")
    }

    // MARK: Waiting

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
            case .changed(let id, let mask, let changedName) where id == folderWatch:
                // Names of other files come and go; events of the folder itself have no name.
                guard changedName == name || changedName.isEmpty else { continue }
                if mask.contains(.ignored) { folderWatch = nil }
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
        for index in held.indices {
            guard let key = heldKeys[index] else { continue }
            var file = take(key)
            guard file.watch == id else {
                put(file)
                continue
            }
            if !mask.isDisjoint(with: [.movedSelf, .deletedSelf, .attributes]) { mustLook = true }
            if mask.contains(.ignored) { file.watch = nil }
            if mask.contains(.closedAfterWriting) {
                do {
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

    /// Watches the folder that the path is in; it may have come, or be another, since last time.
    private mutating func watchFolder() {
        do {
            let id = try watch?.add(
                folder,
                [.created, .movedFrom, .movedTo, .deleted, .deletedSelf, .movedSelf]
            )
            if let old = folderWatch, old != id { watch?.remove(old) }
            folderWatch = id
        } catch  where error.cause == .noSuchFileOrDirectory {
            folderWatch = nil
        } catch {
            folderWatch = nil
            noteUnwatched(error)
        }
    }
}

extension FileKey {
    init(_ identity: FileIdentity) {
        self.init(device: identity.device, inode: identity.inode)
    }
}
