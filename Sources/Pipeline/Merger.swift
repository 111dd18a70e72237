import LinuxIO
import LogSources
import MailLog
import Records
import RingBuffer

/// One source's feed, and the batch of it that is being taken. It belongs to the engine's thread.
private final class MergeLane {
    var feed: BatchFeed?
    let table: FileTable
    /// The batch that is being taken.
    var scanned: ScannedBatch?
    /// Index of its first fact that was not taken.
    var next = 0
    /// Event time of that fact; nil when all were taken.
    var head: Int64?
    /// When it came: monotonic nanoseconds.
    var arrived: UInt64 = 0
    /// It is of a log that was written before, and not one that comes as it is written.
    var isBacklog = false
    /// The latest time that the source has shown.
    var shown = Int64.min
    /// Where reading goes on behind the last batch that was taken whole.
    var cursor: Cursor?
    /// It has ended, and all of it was taken.
    var isOver = false

    init(_ feed: consuming BatchFeed, _ table: FileTable) {
        self.feed = consume feed
        self.table = table
    }
}

/// Now, by both clocks.
struct Moment: Sendable {
    var monotonicNanoseconds: UInt64
    /// Since 1970.
    var realtimeMicroseconds: Int64

    static var now: Moment {
        Moment(
            monotonicNanoseconds: Clocks.monotonicNanoseconds(),
            realtimeMicroseconds: Clocks.realtimeMicroseconds()
        )
    }

    /// For inputs that end: nothing depends on the clock.
    static let never = Moment(monotonicNanoseconds: 0, realtimeMicroseconds: 0)
}

/// What a source told besides its lines.
struct SourceReport: Sendable {
    var lane: Int
    var notes: [SourceNote]
    var failure: SourceError?
}

/// Brings the lines of several sources into one order: by event time, then by the source's name, then
/// as they stand in the source (architecture §2).
///
/// A line waits until every other source has shown a later time, or has nothing more to show: it
/// ended, or gave nothing for ``holdNanoseconds`` after the line came; of a backlog, a source that is
/// read to its end need not be waited for. What comes later is taken when it comes. With one source
/// nothing waits.
struct Merger: ~Copyable {
    /// What a turn did.
    enum Turn {
        /// Something was taken.
        case took
        /// Nothing was there to be taken.
        case idle
        /// Nothing may be taken before this time, unless another source shows a line: monotonic
        /// nanoseconds.
        case holding(until: UInt64)
        /// All sources have ended.
        case ended
    }

    /// No log is written so fast that so many bytes are there at one look.
    private static let backlogBytesMin = 131_072

    private var lanes: [MergeLane]
    /// How long a line waits for sources that show nothing; nil: they end, and are waited for.
    private let holdNanoseconds: UInt64?

    /// What the batches said besides their lines, since it was last taken.
    private var reports: [SourceReport] = []
    private var scan = ScanCounters()
    /// Bytes of text that were taken.
    private(set) var byteCount: UInt64 = 0

    /// - Parameters:
    ///   - tables: the files of each of the engine's lanes.
    ///   - holdNanoseconds: how long a line waits for sources that show nothing; nil for sources that
    ///     end: each is waited for.
    ///   - feed: makes the feed of a lane.
    init<Failure: Error>(
        _ tables: [FileTable],
        holdNanoseconds: UInt64?,
        feed: (Int) throws(Failure) -> BatchFeed
    ) throws(Failure) {
        var lanes: [MergeLane] = []
        for (index, table) in tables.enumerated() {
            lanes.append(MergeLane(try feed(index), table))
        }
        self.lanes = lanes
        self.holdNanoseconds = holdNanoseconds
    }
}

extension Merger {
    /// Takes a further source in, at its place among the engine's lanes.
    mutating func insert(_ feed: consuming BatchFeed, _ table: FileTable, at index: Int) {
        lanes.insert(MergeLane(feed, table), at: index)
    }
}

// MARK: Turns

extension Merger {
    /// Takes what may be taken now: a run of lines of one source.
    mutating func turn(
        _ engine: inout Engine,
        now: Moment,
        to output: inout some EngineOutput & ~Copyable
    ) throws(UnknownYear) -> Turn {
        for index in lanes.indices { try fetch(index, &engine, now, to: &output) }
        guard let first = earliest else {
            return !lanes.isEmpty && lanes.allSatisfy(\.isOver) ? .ended : .idle
        }
        let lane = lanes[first]
        guard let head = lane.head else { return .idle }
        let bound = bound(of: first, now)
        guard head < bound else {
            return .holding(until: endOfHold(of: lane, now))
        }
        try take(first, before: bound, &engine, to: &output)
        return .took
    }

    /// The source whose next line comes first.
    private var earliest: Int? {
        var first: Int?
        for index in lanes.indices {
            guard let head = lanes[index].head else { continue }
            if first.flatMap({ lanes[$0].head }).map({ head < $0 }) ?? true { first = index }
        }
        return first
    }

    /// The time before which lines of the source may be taken.
    private func bound(of index: Int, _ now: Moment) -> Int64 {
        var bound = Int64.max
        for other in lanes.indices where other != index && !lanes[other].isOver {
            if let head = lanes[other].head {
                bound = min(bound, index < other ? head + 1 : head)
            } else if let holdNanoseconds,
                now.monotonicNanoseconds &- lanes[index].arrived < holdNanoseconds
            {
                // What was written long ago is long since read in a source that is at its end. Of
                // lines that come as they are written, only the hold tells: they may be in the other
                // file too, and its thread not awake yet.
                let settled =
                    lanes[index].isBacklog && lanes[other].feed?.isCaughtUp ?? true
                    ? now.realtimeMicroseconds - Int64(holdNanoseconds / 1_000) : .min
                bound = min(bound, max(lanes[other].shown, settled))
            }
        }
        return bound
    }

    /// When the first line of the lane need not wait any more: monotonic nanoseconds.
    private func endOfHold(of lane: MergeLane, _ now: Moment) -> UInt64 {
        let hold = holdNanoseconds ?? 0
        let byArrival = lane.arrived &+ hold
        guard lane.isBacklog else { return byArrival }
        let age = max(0, now.realtimeMicroseconds - (lane.head ?? 0)).multipliedReportingOverflow(
            by: 1_000
        )
        guard !age.overflow, UInt64(age.partialValue) < hold else { return byArrival }
        return min(byArrival, now.monotonicNanoseconds &+ hold - UInt64(age.partialValue))
    }

    /// Gets the next batch of a source that has none, until it has a line that says something.
    private mutating func fetch(
        _ index: Int,
        _ engine: inout Engine,
        _ now: Moment,
        to output: inout some EngineOutput & ~Copyable
    ) throws(UnknownYear) {
        let lane = lanes[index]
        while lane.head == nil, !lane.isOver {
            let next = holdNanoseconds == nil ? lane.feed?.next() : lane.feed?.nextIfReady()
            guard var scanned = next else {
                lane.isOver = lane.feed?.isAtEnd ?? true
                return
            }
            lane.arrived = now.monotonicNanoseconds
            lane.isBacklog = scanned.batch.byteCount >= Self.backlogBytesMin
            if !scanned.notes.isEmpty || scanned.failure != nil {
                reports.append(
                    SourceReport(lane: index, notes: scanned.notes, failure: scanned.failure)
                )
                scanned.notes = []
                scanned.failure = nil
            }
            scan += scanned.counters
            engine.begin(scanned.batch, lane: index)
            lane.scanned = consume scanned
            lane.next = 0
            try findHead(index, &engine)
            // What says nothing needs no order.
            if lane.head == nil { try take(index, before: .max, &engine, to: &output) }
        }
    }

    private mutating func findHead(
        _ index: Int,
        _ engine: inout Engine
    ) throws(UnknownYear) {
        let lane = lanes[index]
        lane.head = nil
        guard let scanned = lane.scanned.take() else { return }
        var failure: UnknownYear?
        if lane.next < scanned.facts.count {
            do throws(UnknownYear) {
                let fact = scanned.facts[lane.next]
                lane.head = try engine.time(of: fact, scanned.batch, lane: index)
            } catch {
                failure = error
            }
        }
        lane.scanned = consume scanned
        if let failure { throw failure }
    }

    private mutating func take(
        _ index: Int,
        before bound: Int64,
        _ engine: inout Engine,
        to output: inout some EngineOutput & ~Copyable
    ) throws(UnknownYear) {
        let lane = lanes[index]
        guard let scanned = lane.scanned.take() else { return }
        do {
            lane.next = try engine.take(
                scanned.batch,
                facts: scanned.facts,
                lane: index,
                from: lane.next,
                before: bound,
                to: &output
            )
        } catch {
            lane.scanned = consume scanned
            throw error
        }
        if lane.next < scanned.facts.count {
            lane.scanned = consume scanned
            try findHead(index, &engine)
            return
        }
        lane.head = nil
        lane.shown = max(lane.shown, engine.latestTime(lane: index))
        byteCount += UInt64(scanned.batch.byteCount)
        if let cursor = lane.table.cursorBehind(scanned.batch) { lane.cursor = cursor }
        lane.feed?.giveBack(scanned)
    }
}

// MARK: What there is to know

extension Merger {
    /// Whether a turn would find something new.
    var isReady: Bool {
        lanes.contains { lane in
            !lane.isOver && lane.head == nil && lane.feed?.isReady ?? false
        }
    }

    /// Whether every source was read to its end, and all of it was taken.
    var isCaughtUp: Bool {
        lanes.allSatisfy { $0.head == nil && ($0.isOver || $0.feed?.isCaughtUp ?? true) }
    }

    /// Whether all that one source holds was taken.
    func isCaughtUp(_ index: Int) -> Bool {
        let lane = lanes[index]
        return lane.head == nil && (lane.isOver || lane.feed?.isCaughtUp ?? true)
    }

    mutating func takeReports() -> [SourceReport] {
        guard !reports.isEmpty else { return [] }
        defer { reports = [] }
        return reports
    }

    /// What the scanners made of the lines, since it was last asked for.
    mutating func takeScanCounters() -> ScanCounters {
        defer { scan = ScanCounters() }
        return scan
    }

    /// Where reading of a source goes on after the lines that the engine has taken; nil before the
    /// first of this run.
    func cursor(_ index: Int, _ engine: borrowing Engine) -> Cursor? {
        let lane = lanes[index]
        let taken = engine.linesTaken(lane: index)
        guard taken > 0, let scanned = lane.scanned.take() else { return lane.cursor }
        let cursor = lane.table.cursor(
            within: scanned.batch,
            linesTaken: taken,
            behind: lane.cursor
        )
        lane.scanned = consume scanned
        return cursor ?? lane.cursor
    }

    /// Lets the sources' threads end, which were told to stop, and waits for it. What they had read
    /// is not taken.
    mutating func join() {
        for lane in lanes {
            lane.scanned = nil
            guard var feed = lane.feed.take() else { continue }
            while let rest = feed.next() { feed.giveBack(rest) }
            feed.join()
        }
    }
}

extension FileTable {
    /// Where reading goes on behind a batch; nil if that is where it went on before it.
    fileprivate func cursorBehind(_ batch: borrowing Batch) -> Cursor? {
        if let journal = batch.journalCursor { return .journal(journal) }
        guard !batch.lines.isEmpty || batch.end != .more else { return nil }
        return cursor(after: batch).map { .file($0) }
    }

    /// Where reading goes on behind some of a batch's lines.
    fileprivate func cursor(
        within batch: borrowing Batch,
        linesTaken: Int,
        behind earlier: Cursor?
    ) -> Cursor? {
        guard linesTaken < batch.lines.count else { return cursorBehind(batch) }
        guard let last = batch.journalCursor else {
            let offset = batch.offset(ofLine: linesTaken)
            return cursor(of: batch.file, offset: offset).map { .file($0) }
        }
        var realtime: Int64 = 0
        if case .journal(let cursor) = earlier { realtime = cursor.realtimeMicroseconds }
        let number = batch.offset(ofLine: linesTaken - 1)
        return .journal(last.ofEarlierEntry(number, notBefore: realtime))
    }
}

extension JournalCursor {
    /// The cursor of an earlier entry of the same journal: its sequence number ID and number are
    /// enough for sd_journal_seek_cursor(3). Should the entry be gone, reading goes on at `realtime`.
    fileprivate func ofEarlierEntry(
        _ number: UInt64,
        notBefore realtime: Int64
    ) -> JournalCursor {
        let sequence = text.split(separator: ";").first { $0.hasPrefix("s=") } ?? ""
        return JournalCursor(
            text: "\(sequence);i=" + String(number, radix: 16),
            realtimeMicroseconds: realtime
        )
    }
}
