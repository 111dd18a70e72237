public import LinuxIO
public import Records
public import SystemPackage

/// One path of a log, followed as it is written: through renames, truncation, compression, absence,
/// and through what happened to it while nobody followed.
///
/// What to do when is decided by ``FollowedFile``; in here are the descriptors, the events, and the
/// reading. Events are hints: each ends a wait, and then the path and its files are looked at.
///
/// One rule finds what comes next, live, after an outage and at a first start: among the files
/// beside the path, those that are newer than the last one that was read, or is held open, are read
/// in their order, and then the path. So nothing but a cursor is needed to go on.
///
/// A file that is left is not looked at again. When ``FollowLimits/quietNanoseconds`` passed without
/// its writer closing it, lines that are written to it after that are not read; Postfix's postlogd,
/// Exim, rsyslog and syslog-ng close or leave it long before.
public struct FollowSource: RecordSource, ~Copyable, Sendable {
    /// The files that were begun so far, and the cursors in them.
    public let files: FileTable
    public let path: FilePath
    private let source: SourceNumber
    let limits: FollowLimits
    let calls: SystemCalls
    let clock: Clock
    let backfill: Backfill

    var life: FollowedFile
    /// The files that `life` knows, in any order, and nothing else.
    private var held: InlineArray<8, OpenFile?> = InlineArray { _ in nil }
    /// Which file is in which place of `held`.
    private(set) var heldKeys: InlineArray<8, FileKey?> = InlineArray(repeating: nil)
    /// Files that were read to their end and left, or stand for one: newest last.
    var left: [LeftFile] = []
    /// Where to go on, until that was done.
    var cursor: FileCursor?
    /// Whether it was found out where to begin.
    var hasBegun = false
    /// Where the path and its links lead.
    var place: LogPlace?
    /// Rotated files that were given up without having been held.
    var skipped: [Sibling] = []
    /// Since when a rotated file that cannot be opened keeps the path from being looked at:
    /// monotonic nanoseconds.
    var blockedSince: UInt64?

    var watch: FileWatch?
    var folderWatches: [FileWatch.ID] = []
    /// Whether every change is told by an event; once it could not be arranged, it stays false.
    var isWatched = true
    /// The path may name something else than before.
    var mustLook = true
    /// When it was last looked at.
    var lookedAt: UInt64 = 0
    /// How long the file being read may still be without a successor: see ``FollowedFile/Ending``.
    var endWait: UInt64?
    var notes: [SourceNote] = []
    /// What was told of last, so that it is not told at every look.
    var failure: SystemCallError?
    /// The same, of the folder.
    var folderFailure: SystemCallError?

    /// Follows `path`, which need not exist yet.
    ///
    /// - Parameters:
    ///   - cursor: where to go on. Without one, this is a first start.
    ///   - backfill: what a first start reads before the present file, which is read from its first
    ///     byte either way.
    ///   - files: where the files are entered that are read.
    public init(
        path: FilePath,
        cursor: FileCursor? = nil,
        backfill: Backfill = .none,
        source: SourceNumber = SourceNumber(0),
        limits: FollowLimits = FollowLimits(),
        files: FileTable = FileTable(),
        calls: SystemCalls = SystemCalls(),
        clock: Clock = Clock()
    ) {
        precondition(path.lastComponent != nil, "a file's path has a name at its end")
        precondition(limits.readBytes > 0)
        self.path = path
        self.cursor = cursor
        self.backfill = backfill
        self.source = source
        self.limits = limits
        self.files = files
        self.calls = calls
        self.clock = clock
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
                switch try step(key, &batch) {
                case .lines: return .lines
                case .idle: return .idle
                case .again: continue
                }
            }
            endWait = nil
            return .idle
        } catch {
            if isRestless(error) {
                // Names move faster than they can be read; soon they will not.
                mustLook = true
                endWait = FollowLimits.restNanoseconds
                return .idle
            }
            throw SourceError(error)
        }
    }

    private enum Step { case lines, idle, again }

    /// Reads on in the file whose turn it is.
    private mutating func step(
        _ key: FileKey,
        _ batch: inout Batch
    ) throws(SystemCallError) -> Step {
        var file = take(key)
        if file.isDone { return try leave(file, &batch) }
        // Before every read: a file that was truncated and has grown past the old end would go on
        // in the middle of a line.
        let isWhole: Bool
        do { isWhole = try file.isWhole() } catch { return try failed(file, error) }
        if !isWhole {
            try restart(file)
            return .again
        }
        if file.number == nil {
            do { try file.extendHead() } catch { return try failed(file, error) }
            // Copies may have been made of it before anything of it was read. As long as it is
            // empty, only another truncation can bring more of them.
            let mayHaveCopies =
                life.named == key && file.splitter.readOffset == 0
                && !(file.head.isEmpty && file.searchedAt == file.modifiedMicroseconds)
            put(file)
            if mayHaveCopies, try holdUnseenCopies(of: key) { return .again }
            file = take(key)
            if !file.head.isEmpty { file.number = enter(file) }
        }
        guard let number = file.number else { return try leave(file, &batch) }
        let before = file.splitter
        do {
            try read(&batch, from: &file, number)
        } catch {
            return try failed(file, error)
        }
        file.failingSince = nil
        do {
            if try wasReplaced(&file, before) {
                // What was read may be of the new text; the copy has all of the old.
                file.splitter = before
                batch.removeAll()
                put(file)
                return .again
            }
        } catch {
            file.splitter = before
            batch.removeAll()
            return try failed(file, error)
        }
        guard batch.lines.isEmpty else {
            endWait = nil
            put(file)
            return .lines
        }
        return try leave(file, &batch)
    }

    /// Gives `file` its number, as it is read for the first time.
    private func enter(_ file: borrowing OpenFile) -> FileNumber {
        var description = FileDescription(
            path: file.path.string,
            identity: file.identity,
            timeHint: file.timeHint
        )
        description.modifiedMicroseconds = file.modifiedMicroseconds
        return files.append(description)
    }

    /// Reads what is there, as far as the batch takes it.
    private mutating func read(
        _ batch: inout Batch,
        from file: inout OpenFile,
        _ number: FileNumber
    ) throws(SystemCallError) {
        batch.file = number
        batch.observedMicroseconds = clock.realtimeMicroseconds()
        file.splitter.begin(&batch)
        do {
            try readOn(&batch, from: &file)
            try file.extendHead()
        } catch {
            // Lines that came before the failure are given first; then it is met again.
            file.splitter.end(&batch)
            if batch.lines.isEmpty { throw error }
            return
        }
        files.update(
            number,
            identity: file.identity,
            modifiedMicroseconds: file.modifiedMicroseconds
        )
        file.splitter.end(&batch)
    }

    private mutating func readOn(
        _ batch: inout Batch,
        from file: inout OpenFile
    ) throws(SystemCallError) {
        while file.splitter.wantsMore(batch, room: file.roomMin) {
            let start = batch.byteCount
            let end = min(batch.bytes.count, start + max(limits.readBytes, file.roomMin))
            let count: Int
            do throws(OpenFile.Failure) {
                count = try file.read(into: &batch.bytes, start..<end)
            } catch {
                switch error {
                case .failed(let error): throw error
                case .damaged(let damage): note(damage, &file, &batch)
                }
                return
            }
            if count == 0 {
                file.endSeenAt = batch.observedMicroseconds
                return
            }
            file.splitter.append(count, to: &batch)
            file.grownAt = clock.monotonicNanoseconds()
        }
    }

    private mutating func note(
        _ damage: SourceProblem.Damage,
        _ file: inout OpenFile,
        _ batch: inout Batch
    ) {
        // What follows the last member or frame is none of the log; the text before it is whole.
        let withheld = damage == .trailingBytes ? 0 : file.splitter.dropUnfinished(&batch)
        notes.append(
            .damaged(
                SourceProblem(
                    path: file.path,
                    damage: damage,
                    fileOffset: file.fileOffset,
                    textOffset: file.splitter.readOffset,
                    withheldBytes: withheld
                )
            )
        )
    }

    /// Whether the file was truncated while it was read, and a copy has what was read.
    ///
    /// Without a copy, what was read is given: more likely than not it was the old text's.
    private mutating func wasReplaced(
        _ file: inout OpenFile,
        _ before: LineSplitter
    ) throws(SystemCallError) -> Bool {
        if try file.isWhole() { return false }
        return try hasCopy(
            fitting: FileCursor(identity: file.identity, offset: before.nextOffset)
        )
    }

    // MARK: The end of a file

    /// Decides what comes after the end of `file`, all of which has been read.
    private mutating func leave(
        _ file: consuming OpenFile,
        _ batch: inout Batch
    ) throws(SystemCallError) -> Step {
        let now = clock.monotonicNanoseconds()
        var nextFilled: UInt64?
        do {
            nextFilled = try filledNanoseconds(now)
        } catch {
            throw putBack(file, error)
        }
        let facts = FollowedFile.EndFacts(
            quietNanoseconds: quietNanoseconds(file, now),
            isClosed: file.isClosed,
            nextFilledNanoseconds: nextFilled,
            isComplete: file.isComplete
        )
        switch life.reachedEnd(facts) {
        case .wait(let nanoseconds):
            endWait = nanoseconds
            put(file)
            return .idle
        case .next(_, let wasStillWritten):
            endWait = nil
            if wasStillWritten { noteLeftWhileWritten(file) }
            return end(file, &batch)
        }
    }

    /// How long nothing has come to `file`: since it was last read, or by its own time, which tells
    /// of a log that was rotated long ago that it need not be waited for.
    private func quietNanoseconds(_ file: borrowing OpenFile, _ now: UInt64) -> UInt64 {
        let age = max(0, clock.realtimeMicroseconds() - file.modifiedMicroseconds)
        return max(now - min(now, file.grownAt), UInt64(age) * 1_000)
    }

    /// Gives the last line, if it has no newline, and leaves the file.
    private mutating func end(_ file: consuming OpenFile, _ batch: inout Batch) -> Step {
        // The files that wait may not be all.
        if life.named == nil { mustLook = true }
        if let id = file.watch { watch?.remove(id) }
        leaveBehind(LeftFile(file))
        guard let number = file.number else { return .again }
        batch.file = number
        batch.observedMicroseconds = clock.realtimeMicroseconds()
        file.splitter.begin(&batch)
        if file.isGivenUp {
            // Half a line could be read as something that it never said.
            _ = file.splitter.dropUnfinished(&batch)
        } else {
            file.splitter.finishInput(&batch)
        }
        file.splitter.end(&batch)
        batch.end = .endOfFile
        return .lines
    }

    /// Remembers what was read, so that it is not read again under another name.
    mutating func leaveBehind(_ file: LeftFile) {
        left.append(file)
        if left.count > 2 * FollowLimits.heldFilesMax { left.removeFirst() }
    }

    /// How long one of the waiting files has had bytes.
    private mutating func filledNanoseconds(_ now: UInt64) throws(SystemCallError) -> UInt64? {
        var longest: UInt64?
        for key in life.waiting {
            var file = take(key)
            if file.filledAt == nil {
                do {
                    if try file.hasMore() { file.filledAt = now }
                } catch {
                    throw putBack(file, error)
                }
            }
            if let filledAt = file.filledAt { longest = max(longest ?? 0, now - filledAt) }
            put(file)
        }
        return longest
    }

    private mutating func noteLeftWhileWritten(_ file: borrowing OpenFile) {
        noteLoss(.leftWhileWritten, of: file, bytes: nil, since: clock.realtimeMicroseconds())
    }

    /// Reading `file` failed: that is thrown, so that it is tried again. A rotated file before which
    /// others wait is given up in the end.
    private mutating func failed(
        _ file: consuming OpenFile,
        _ error: SystemCallError
    ) throws(SystemCallError) -> Step {
        let now = clock.monotonicNanoseconds()
        let since = file.failingSince ?? now
        file.failingSince = since
        guard now - since >= limits.drainNanosecondsMax, !life.waiting.isEmpty else {
            throw putBack(file, error)
        }
        noteLoss(.unreadable(error), of: file, bytes: nil, since: file.endSeenAt)
        file.giveUp()
        put(file)
        return .again
    }

    func realtimeNow() -> Int64 { clock.realtimeMicroseconds() }

    mutating func noteLoss(
        _ cause: FileGap.Cause,
        of file: borrowing OpenFile,
        bytes: UInt64?,
        since: Int64?
    ) {
        notes.append(
            .lost(
                FileGap(
                    cause: cause,
                    path: file.path,
                    offset: file.splitter.nextOffset,
                    bytes: bytes,
                    sinceMicroseconds: since,
                    untilMicroseconds: cause == .leftWhileWritten ? nil : realtimeNow()
                )
            )
        )
    }

    // MARK: The held files

    /// Keeps a new file, and has its changes told.
    mutating func hold(_ file: consuming OpenFile) {
        do {
            file.watch = try watchFile(file)
        } catch {
            noteUnwatched(error)
        }
        put(file)
    }

    mutating func put(_ file: consuming OpenFile) {
        for index in held.indices where heldKeys[index] == nil {
            heldKeys[index] = file.key
            held[index] = consume file
            return
        }
        preconditionFailure("more files are held than FollowedFile allows")
    }

    /// Puts `file` back where something failed.
    mutating func putBack(
        _ file: consuming OpenFile,
        _ error: SystemCallError
    ) -> SystemCallError {
        put(file)
        return error
    }

    /// Takes a file out, to work on it and put it back.
    mutating func take(_ key: FileKey) -> OpenFile {
        for index in held.indices where heldKeys[index] == key {
            heldKeys[index] = nil
            if let file = held[index].take() { return file }
        }
        preconditionFailure("a file that FollowedFile knows is not held")
    }
}

extension FileKey {
    init(_ identity: FileIdentity) {
        self.init(device: identity.device, inode: identity.inode)
    }
}
