public import LinuxIO
import LogSources
import MailLog
import Records
import RingBuffer
import SystemPackage

/// Follows logs as the daemon does, and gives the events as they are finished. It has no rules and no
/// state: what a run saw, the next does not know.
public struct EventFollower: ~Copyable {
    /// Where the logs are begun.
    public enum Start: Sendable, Hashable {
        /// Only what is written from now on.
        case presentEnd
        /// Also what was written from this time on, in rotated files too: microseconds since 1970.
        case time(Int64)
    }

    private var sources: [FollowedSource]
    private let patterns: [FollowedPattern]
    private let start: Start
    private let holdNanoseconds: UInt64
    private let tell: @Sendable (DaemonMessage) -> Void
    private let bell: Bell
    private var tables: [FileTable]
    private var engine: Engine
    /// What was last told of a source that failed, by its name.
    private var failures: [String: SourceError] = [:]

    /// - Parameters:
    ///   - settings: without rules.
    ///   - sources: each name once; what rotation made of a file is read for ``Start/time(_:)``.
    ///   - patterns: files that match later are read from their beginning.
    ///   - holdNanoseconds: how long a line waits for sources that show nothing: see ``Merger``.
    ///   - tell: what happens to the sources.
    public init(
        _ settings: EngineSettings,
        sources: [FollowedSource],
        patterns: [FollowedPattern],
        start: Start,
        holdNanoseconds: UInt64 = 1_000_000_000,
        tell: @escaping @Sendable (DaemonMessage) -> Void
    ) throws(DaemonError) {
        let sources = sources.sorted { $0.name < $1.name }
        let tables = sources.map { _ in FileTable() }
        let bell: Bell
        do {
            bell = try Bell()
        } catch {
            throw .bell(error)
        }
        var engine: Engine
        do {
            engine = try Engine(
                settings,
                sources: zip(sources, tables).map { LaneSource(name: $0.name, table: $1) }
            )
        } catch {
            throw .engine(error)
        }
        engine.showsEvents = true
        if case .time(let microseconds) = start { engine.window.start = microseconds }
        self.sources = sources
        self.patterns = patterns
        self.start = start
        self.holdNanoseconds = holdNanoseconds
        self.tell = tell
        self.tables = tables
        self.bell = bell
        self.engine = engine
    }

    /// Follows the sources until a signal comes, or nobody reads any more.
    ///
    /// - Parameters:
    ///   - signals: SIGTERM and SIGINT end it.
    ///   - reader: a pipe's descriptor, which tells when its other end is closed; nil for none.
    ///   - output: gets the events.
    ///   - flush: called when there is nothing more for now.
    public consuming func run<Output: EngineOutput & ~Copyable>(
        signals: borrowing SignalQueue,
        reader: CInt?,
        output: inout Output,
        flush: (inout Output) -> Void
    ) throws(DaemonError) {
        let stop: SourceStop
        do {
            stop = try SourceStop()
        } catch {
            throw .system(error)
        }
        var merger = try startFeeds(stop)
        let looks = PatternFeed()
        if !patterns.isEmpty {
            looks.start(patterns.map(\.pattern), stop: stop, bell: bell)
        }
        tell(.ready(lines: 0, openMessages: 0))
        var failure: DaemonError?
        var isStopping = false
        while !isStopping, failure == nil {
            do throws(DaemonError) {
                if let look = looks.take() { try take(look, &merger, stop) }
                let wait = try work(&merger, &output)
                flush(&output)
                isStopping = hasStopSignal(signals)
                if !isStopping {
                    isStopping = try park(merger, looks, signals, reader, until: wait)
                }
            } catch {
                failure = error
            }
        }
        stop.ring()
        merger.join()
        looks.join()
        if let failure { throw failure }
    }

    private func startFeeds(_ stop: SourceStop) throws(DaemonError) -> Merger {
        // All of them before the first thread starts, so that they end at one time.
        var cursors: [Cursor?] = []
        for source in sources { cursors.append(try cursor(of: source)) }
        do throws(BellError) {
            return try Merger(tables, holdNanoseconds: holdNanoseconds) {
                (index) throws(BellError) in
                try feed(index, cursors[index], stop)
            }
        } catch {
            throw .bell(error)
        }
    }

    private func cursor(of source: FollowedSource) throws(DaemonError) -> Cursor? {
        guard start == .presentEnd, case .file(let path, _) = source.kind else { return nil }
        do {
            return try FileCursor(endOf: path).map { .file($0) }
        } catch {
            throw .system(error)
        }
    }

    private func feed(
        _ index: Int,
        _ cursor: Cursor?,
        _ stop: SourceStop
    ) throws(BellError) -> BatchFeed {
        let journalStart: JournalStart =
            switch start {
            case .presentEnd: .presentEnd
            case .time(let microseconds): .time(microseconds)
            }
        return try sources[index].feed(
            cursor,
            start: journalStart,
            tables[index],
            scanner: engine.makeScanner(),
            tuning: FeedTuning.live,
            engineBell: bell,
            stop: stop
        )
    }

    // MARK: Patterns

    private mutating func take(
        _ look: PatternLook,
        _ merger: inout Merger,
        _ stop: SourceStop
    ) throws(DaemonError) {
        switch look {
        case .failed(let error): tell(.sourceFailed("sources", error))
        case .matches(let matches):
            for (pattern, found) in zip(patterns, matches) {
                for source in pattern.sources(found.files) { try add(source, &merger, stop) }
                if found.leftOut > 0 {
                    tell(.filesLeftOut(pattern.pattern.pattern.string, found.leftOut))
                }
            }
        }
    }

    private mutating func add(
        _ source: FollowedSource,
        _ merger: inout Merger,
        _ stop: SourceStop
    ) throws(DaemonError) {
        guard !sources.contains(where: { $0.name == source.name }) else { return }
        let index = sources.firstIndex { $0.name > source.name } ?? sources.count
        let table = FileTable()
        sources.insert(source, at: index)
        tables.insert(table, at: index)
        engine.insertLane(LaneSource(name: source.name, table: table), at: index)
        do throws(BellError) {
            merger.insert(try feed(index, nil, stop), table, at: index)
        } catch {
            throw .bell(error)
        }
        tell(.followed(source.name))
    }

    // MARK: Work

    /// Takes what is there.
    ///
    /// - Returns: until when a line waits for other sources; nil when none does.
    private mutating func work(
        _ merger: inout Merger,
        _ output: inout some EngineOutput & ~Copyable
    ) throws(DaemonError) -> UInt64? {
        while true {
            let turn: Merger.Turn
            do {
                turn = try merger.turn(&engine, now: Moment.now, to: &output)
            } catch {
                throw .unknownYear
            }
            for report in merger.takeReports() { take(report) }
            switch turn {
            case .took: continue
            case .holding(let until): return until
            case .idle, .ended: return nil
            }
        }
    }

    private mutating func take(_ report: SourceReport) {
        let name = sources[report.lane].name
        for note in report.notes {
            // That it goes on at the end is what was asked for.
            if case .resumed = note { continue }
            tell(.source(name, note))
        }
        if let failure = report.failure, failures[name] != failure {
            failures[name] = failure
            tell(.sourceFailed(name, failure))
        }
    }

    private func hasStopSignal(_ signals: borrowing SignalQueue) -> Bool {
        while let signal = try? signals.next() {
            if signal == SignalNumber.terminate || signal == SignalNumber.interrupt { return true }
        }
        return false
    }

    /// Sleeps until there is something to do.
    ///
    /// - Returns: whether nobody reads any more.
    private func park(
        _ merger: borrowing Merger,
        _ looks: PatternFeed,
        _ signals: borrowing SignalQueue,
        _ reader: CInt?,
        until: UInt64?
    ) throws(DaemonError) -> Bool {
        let now = Clocks.monotonicNanoseconds()
        var isReaderGone = false
        do throws(SystemCallError) {
            try bell.park(unless: { merger.isReady || looks.isReady }) {
                (descriptor) throws(SystemCallError) in
                var set = PollSet()
                _ = set.add(libraryDescriptor: descriptor)
                _ = set.add(signals)
                // Nothing comes from a pipe's writing end but that it is hung up.
                let member = reader.map { set.add(libraryDescriptor: $0) }
                _ = try set.wait(atMost: until.map { $0 - min($0, now) })
                isReaderGone = member.map { set.isReady($0) } ?? false
            }
        } catch {
            throw .system(error)
        }
        return isReaderGone
    }
}
