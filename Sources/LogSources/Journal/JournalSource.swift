public import LinuxIO
public import Records
import SystemPackage

/// Bounds of following a journal.
public struct JournalLimits: Hashable, Sendable {
    /// Entries that one `fill` looks at: so many may be passed over before the caller is asked again
    /// whether to stop.
    public var entriesPerFillMax = 16_384
    /// Forged entries are told of at most this often.
    public var forgedNoteNanoseconds: UInt64 = 3_600_000_000_000
    /// Entries that may be passed over before a cursor is given for their sake alone; after a restart
    /// they are passed over again.
    public var passedOverMax = 4_096
    /// So long after the last line, the journal is looked at every ``eagerLookNanoseconds``.
    public var eagerNanoseconds: UInt64 = 5_000_000_000
    public var eagerLookNanoseconds: UInt64 = 10_000_000

    public init() {}
}

/// Where a journal is begun that was not read before.
public enum JournalStart: Hashable, Sendable {
    case firstEntry
    /// Only what is written from now on.
    case presentEnd
    /// At the first entry of this time or a later one: microseconds since 1970, UTC.
    case time(Int64)
}

/// A journal, followed as it is written: through rotation, vacuum and restart.
///
/// It is opened by the first ``fill(_:)``, and from then on must stay on that thread.
///
/// journald tells of new entries 250 ms after the first of them (`POST_CHANGE_TIMER_INTERVAL_USEC` in
/// its journald-server.c), though they can be read at once. So while lines come, the journal is looked
/// at without being told (``JournalLimits/eagerNanoseconds``): a look costs a few microseconds. After
/// that nothing wakes this thread but journald, and the first line after silence is seen those 250 ms
/// later.
public struct JournalSource: RecordSource, ~Copyable, Sendable {
    /// The journals that were begun so far, one entry for each sequence number ID.
    public let files: FileTable
    public let selection: JournalSelection
    private let source: SourceNumber
    private let limits: JournalLimits
    private let calls: SystemCalls

    private var journal: JournalHandle?
    /// Where to go on when the journal is opened.
    private var cursor: JournalCursor?
    /// Where to begin if there is no cursor.
    private var start: JournalStart
    private var reading: EntryReading
    private var entry = JournalEntry()
    /// The entry at which the journal stands, and whether it was not taken yet.
    private var present = JournalAddress()
    private var isWaiting = false
    /// The last entry that was taken, in this run or before it, if there was one.
    private var last = JournalAddress()
    private var hasLast = false
    /// After a fall-back: up to this entry all have been read before.
    private var readBefore: JournalAddress?
    private var gap = Gap.none
    private var sequences = JournalSequences()
    /// Numbers entries whose cursors have none.
    private var countedNumber: UInt64 = 0
    /// Entries that were taken since a cursor was given.
    private var ungivenCount = 0
    private var unreadableCount: UInt64 = 0
    private var notes: [SourceNote] = []
    private var forgedNoteAt: UInt64?
    /// When the last line came: monotonic nanoseconds.
    private var lineAt: UInt64?

    /// Why entries may be missing between the last one and the next.
    private enum Gap { case none, cursorGone, filesGone }

    /// Follows the journal.
    ///
    /// - Parameters:
    ///   - cursor: the last entry that is done with.
    ///   - start: where to begin without a cursor.
    ///   - files: where the journals are entered that are read.
    public init(
        _ selection: JournalSelection,
        cursor: JournalCursor? = nil,
        start: JournalStart = .firstEntry,
        source: SourceNumber = SourceNumber(0),
        limits: JournalLimits = JournalLimits(),
        files: FileTable = FileTable(),
        calls: SystemCalls = SystemCalls()
    ) {
        precondition(limits.entriesPerFillMax > 0)
        self.selection = selection
        self.cursor = cursor
        self.start = start
        self.source = source
        self.limits = limits
        self.files = files
        self.calls = calls
        reading = EntryReading(selection, isLive: true)
    }

    public mutating func takeNotes() -> [SourceNote] {
        defer { notes = [] }
        return notes
    }

    // MARK: Reading

    public mutating func fill(_ batch: inout Batch) throws(SourceError) -> Fill {
        precondition(batch.bytes.count >= LineSplitter.batchBytesMin)
        batch.removeAll()
        batch.source = source
        batch.observedMicroseconds = Clocks.realtimeMicroseconds()
        let journal = try takeOpened()
        journal.checkThread()
        do {
            let isAtEnd = try read(journal, &batch)
            self.journal = consume journal
            return finish(&batch, isAtEnd: isAtEnd)
        } catch {
            // It is opened anew by the next call, and goes on behind the last entry.
            if hasLast { cursor = last.cursor }
            if !batch.lines.isEmpty { return finish(&batch, isAtEnd: false) }
            throw SourceError(error)
        }
    }

    /// - Returns: whether the end of the journal was reached.
    private mutating func read(
        _ journal: borrowing JournalHandle,
        _ batch: inout Batch
    ) throws(SystemCallError) -> Bool {
        // A reader that never catches up would not hear of new files otherwise, nor of those that are
        // gone and whose space is only given back when they are closed. Not while an entry waits,
        // since its file may be among them.
        if !isWaiting { try process(journal) }
        for _ in 0..<limits.entriesPerFillMax {
            guard batch.hasRoomForLine else { return false }
            if !isWaiting {
                guard try journal.next() else { return true }
                try journal.read(into: &present)
                isWaiting = true
            }
            let file = sequences.file(of: present.sequenceID, in: files)
            if batch.file != file, !batch.lines.isEmpty { return false }
            batch.file = file
            isWaiting = false
            take(journal, &batch)
        }
        return false
    }

    /// Takes the present entry.
    private mutating func take(_ journal: borrowing JournalHandle, _ batch: inout Batch) {
        ungivenCount += 1
        if !wasReadBefore() {
            noteGap(journal)
            countedNumber += 1
            let position = present.number > 0 ? present.number : countedNumber
            if journal.read(into: &entry, matches: reading.trust.matches) {
                reading.take(entry, position: position, into: &batch)
            } else {
                unreadableCount += 1
            }
        }
        swap(&present, &last)
        hasLast = true
    }

    /// Closes a batch, and says what is in it.
    private mutating func finish(_ batch: inout Batch, isAtEnd: Bool) -> Fill {
        takeReadingNotes()
        if !batch.lines.isEmpty { lineAt = Clocks.monotonicNanoseconds() }
        if ungivenCount > 0 { batch.journalCursor = last.cursor }
        let isGiven =
            !batch.lines.isEmpty || batch.forgedCount > 0 || !notes.isEmpty && ungivenCount > 0
            || ungivenCount > limits.passedOverMax || !isAtEnd
        guard isGiven else { return .idle }
        ungivenCount = 0
        return .lines
    }

    private mutating func takeReadingNotes() {
        for suppressed in reading.takeSuppressed() { notes.append(.suppressed(suppressed)) }
        if unreadableCount > 0 {
            notes.append(
                .damaged(
                    SourceProblem(
                        path: selection.path,
                        damage: .entriesUnreadable(unreadableCount),
                        fileOffset: 0,
                        textOffset: 0,
                        withheldBytes: 0
                    )
                )
            )
            unreadableCount = 0
        }
        guard reading.forged != nil, forgedNoteWait() == 0 else { return }
        if let forged = reading.takeForged() { notes.append(.forged(forged)) }
        forgedNoteAt = Clocks.monotonicNanoseconds()
    }

    /// How long forged entries may not be told of again.
    private func forgedNoteWait() -> UInt64 {
        guard let forgedNoteAt else { return 0 }
        let elapsed = Clocks.monotonicNanoseconds() - forgedNoteAt
        return limits.forgedNoteNanoseconds - min(limits.forgedNoteNanoseconds, elapsed)
    }

    // MARK: Gaps

    /// Whether the present entry was read before a restart, and stands here only because the
    /// cursor's was not found.
    private mutating func wasReadBefore() -> Bool {
        guard let readBefore else { return false }
        if present.isNotAfter(readBefore) {
            // The cursor's own entry, with another number: nothing is missing behind it.
            if present.isSameEntry(as: readBefore) { gap = .none }
            return true
        }
        if present.sequenceID == readBefore.sequenceID { self.readBefore = nil }
        return false
    }

    /// Tells of entries that are gone between the last one and the present one.
    private mutating func noteGap(_ journal: borrowing JournalHandle) {
        let doubt = gap
        gap = .none
        guard doubt != .none, hasLast, !present.follows(last) else { return }
        if doubt == .filesGone, present.sequenceID != last.sequenceID {
            // Numbers of two sequences say nothing about each other. As long as something is there
            // that is as old as the last entry, the files that are gone were older.
            guard let oldest = journal.oldestMicroseconds(), oldest > last.realtimeMicroseconds
            else { return }
        }
        notes.append(
            .vacuumed(
                VacuumedEntries(
                    fromMicroseconds: last.realtimeMicroseconds,
                    toMicroseconds: present.realtimeMicroseconds
                )
            )
        )
    }

    // MARK: Opening

    private mutating func takeOpened() throws(SourceError) -> JournalHandle {
        if let journal = journal.take() { return journal }
        var access = JournalAccess(selection.place, calls: calls)
        try access.check()
        do throws(SystemCallError) {
            let journal = try JournalHandle(selection.place)
            try journal.watch()
            isWaiting = false
            if let cursor {
                try resume(journal, cursor)
            } else {
                try begin(journal)
            }
            return journal
        } catch {
            throw SourceError(error)
        }
    }

    /// Places the journal where it is to be begun.
    private mutating func begin(_ journal: borrowing JournalHandle) throws(SystemCallError) {
        switch start {
        case .firstEntry: try journal.seekHead()
        case .time(let microseconds): try journal.seek(realtimeMicroseconds: microseconds)
        case .presentEnd:
            try journal.seekTail()
            if try journal.previous() {
                try journal.read(into: &last)
                hasLast = true
            }
            // Of a journal that is empty yet, everything is new.
            start = .firstEntry
        }
    }

    /// Places the journal behind the cursor's entry. If that is not there, before the first entry
    /// that may not have been read.
    private mutating func resume(
        _ journal: borrowing JournalHandle,
        _ cursor: JournalCursor
    ) throws(SystemCallError) {
        let address = JournalAddress(cursor)
        last = address
        hasLast = true
        gap = .none
        readBefore = nil
        var isPlaced = false
        if try journal.seek(cursor: cursor.text) { isPlaced = try journal.next() }
        if isPlaced, try journal.isAt(cursor: cursor.text) { return }
        gap = .cursorGone
        readBefore = address
        // libsystemd goes by number, then by the boot's clock, then by time, in each file for itself.
        var byCursor: JournalAddress?
        if isPlaced {
            var found = JournalAddress()
            try journal.read(into: &found)
            byCursor = found
        }
        try journal.seek(realtimeMicroseconds: cursor.realtimeMicroseconds)
        isWaiting = try journal.next()
        if isWaiting { try journal.read(into: &present) }
        // What is read twice is known by its number. So of two places the earlier one.
        if let byCursor, !isWaiting || byCursor.isBefore(present),
            try journal.seek(cursor: byCursor.cursor.text)
        {
            isWaiting = try journal.next()
            if isWaiting { try journal.read(into: &present) }
        }
    }

    // MARK: Waiting

    private mutating func process(_ journal: borrowing JournalHandle) throws(SystemCallError) {
        if try journal.process() == .invalidated, gap == .none { gap = .filesGone }
    }

    public mutating func wait(
        stop: borrowing EventCounter,
        atMost nanoseconds: UInt64?
    ) throws(SourceError) -> Wake {
        guard let journal = journal.take() else { return try waitClosed(stop, nanoseconds) }
        do {
            let wake = try wait(journal, stop, nanoseconds)
            self.journal = consume journal
            return wake
        } catch {
            if hasLast { cursor = last.cursor }
            throw SourceError(error)
        }
    }

    /// The journal could not be opened; it is tried again.
    private func waitClosed(
        _ stop: borrowing EventCounter,
        _ nanoseconds: UInt64?
    ) throws(SourceError) -> Wake {
        do {
            var poll = PollSet()
            _ = poll.add(stop)
            let limit = min(nanoseconds ?? .max, 1_000_000_000)
            return try poll.wait(atMost: limit, calls: calls) ? .stopped : .timeout
        } catch {
            throw SourceError(error)
        }
    }

    private mutating func wait(
        _ journal: borrowing JournalHandle,
        _ stop: borrowing EventCounter,
        _ nanoseconds: UInt64?
    ) throws(SystemCallError) -> Wake {
        let start = Clocks.monotonicNanoseconds()
        var limit = nanoseconds
        if reading.forged != nil { limit = min(limit ?? .max, forgedNoteWait()) }
        while true {
            let now = Clocks.monotonicNanoseconds()
            var left = limit.map { $0 - min($0, now - start) }
            let deadline = journal.deadlineNanoseconds()
            if let deadline { left = min(left ?? .max, deadline - min(deadline, now)) }
            let isEager = lineAt.map { now - $0 < limits.eagerNanoseconds } ?? false
            if isEager { left = min(left ?? .max, limits.eagerLookNanoseconds) }
            var poll = PollSet()
            let stopMember = poll.add(stop)
            _ = try journal.add(to: &poll)
            let isReady = try poll.wait(atMost: left, calls: calls)
            if isReady, poll.isReady(stopMember) { return .stopped }
            let change = try journal.process()
            if change == .invalidated, gap == .none { gap = .filesGone }
            if change != .nothing || isEager && !isReady { return .changed }
            if let limit, Clocks.monotonicNanoseconds() - start >= limit { return .timeout }
        }
    }
}

extension JournalSelection {
    /// What a problem is told of.
    var path: FilePath {
        switch place {
        case .local: "journal"
        case .namespace(let name): FilePath("journal." + name)
        case .directory(let folder): folder
        case .files(let files): files.first ?? ""
        }
    }
}
