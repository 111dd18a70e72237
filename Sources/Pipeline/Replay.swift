import Detection
import LinuxIO
public import LogSources
public import MailLog
import Records
public import RingBuffer

/// Why a replay ended before its input.
public enum ReplayError: Error, Sendable {
    case engine(EngineError)
    /// The year of the stamps cannot be known: exit status 65.
    case unknownYear(path: String, offset: UInt64)
    case bell(BellError)
    case source(SourceError)
}

/// What a replay has read.
public struct ReplaySummary: Sendable {
    public var lines: UInt64 = 0
    public var scan = ScanCounters()
    public var assembly = AssemblerCounters()
    public var engine = EngineCounters()
    /// What went wrong with an input; everything readable was read.
    public var notes: [SourceNote] = []
    public var alertsOpened = 0
    public var submitted = 0
    /// Days from the first submission to the end, both counted; 1 if there was none.
    public var days = 1

    public init() {}
}

/// A span of event time: microseconds since 1970; from its start up to, not including, its end.
public struct TimeWindow: Sendable, Hashable {
    public var start: Int64
    public var end: Int64

    public init(start: Int64? = nil, end: Int64? = nil) {
        self.start = start ?? .min
        self.end = end ?? .max
    }

    /// Its start, if it has one.
    public var startIfAny: Int64? { start == .min ? nil : start }
}

/// The same engine over inputs that end.
public struct Replay: Sendable {
    public var tuning = FeedTuning()
    public var readBytes = ReplayLimits.readBytes
    public var showsEvents = false
    public var sealsEvidence = false
    /// Lines outside are passed over.
    public var window = TimeWindow()

    public init() {}

    /// Reads the inputs to their end.
    ///
    /// - Parameters:
    ///   - chains: each the inputs of one source, in the order in which they are to be read, see
    ///     ``chains(of:timeZone:firstYear:)``.
    ///   - progress: told now and then how many bytes of text were read.
    public func run(
        _ chains: [InputChain],
        settings: EngineSettings,
        output: inout some EngineOutput & ~Copyable,
        progress: (UInt64) -> Void = { _ in }
    ) throws(ReplayError) -> ReplaySummary {
        let tables = chains.map { _ in FileTable() }
        var engine: Engine
        do {
            engine = try Engine(
                settings,
                sources: zip(chains, tables).map { LaneSource(name: $0.name, table: $1) }
            )
        } catch {
            throw .engine(error)
        }
        engine.detector.notesChanges = false
        return try run(chains, tables, &engine, &output, progress)
    }

    /// The same with an engine that was prepared: its lanes are the chains, with these tables.
    func run(
        _ chains: [InputChain],
        _ tables: [FileTable],
        _ engine: inout Engine,
        _ output: inout some EngineOutput & ~Copyable,
        _ progress: (UInt64) -> Void
    ) throws(ReplayError) -> ReplaySummary {
        engine.showsEvents = showsEvents
        engine.sealsEvidence = sealsEvidence
        engine.window = window
        for (index, chain) in chains.enumerated() {
            if let year = chain.firstYear { engine.setFirstYear(year, lane: index) }
        }
        var feeds = try ReplayFeeds(chains, tables, engine, tuning, readBytes: readBytes)
        var summary = ReplaySummary()
        while try feeds.take(into: &engine, to: &output) { progress(feeds.byteCount) }
        feeds.join()
        engine.finish(to: &output)
        summary.notes = feeds.takeNotes()
        summary.scan = feeds.takeScanCounters()
        summary.lines = engine.lineCount
        summary.assembly = engine.assembler.counters
        summary.engine = engine.counters
        summary.alertsOpened = engine.detector.counters.alertsOpened
        summary.submitted = engine.detector.counters.submitted
        summary.days = engine.dayCount()
        return summary
    }
}

/// The threads that read the chains of a replay, and their merge.
struct ReplayFeeds: ~Copyable {
    private var merger: Merger
    private let stop: SourceStop

    /// - Parameters:
    ///   - chains: the engine's lanes.
    ///   - tables: their files.
    init(
        _ chains: [InputChain],
        _ tables: [FileTable],
        _ engine: borrowing Engine,
        _ tuning: FeedTuning,
        readBytes: Int
    ) throws(ReplayError) {
        let scanner = engine.makeScanner()
        // Of one stream, nothing can be decompressed ahead of anything; a thread of its own only pays
        // where there is a core for it.
        let isOneStream =
            chains.count == 1 && chains[0].inputs.count == 1 && chains[0].inputs[0].isOneStream
        let hasThreads = !isOneStream || onlineProcessorCount() > 2
        do {
            let stop = try SourceStop()
            let bell = try Bell()
            merger = try Merger(tables, holdNanoseconds: nil) { index in
                let source = ReplaySource(
                    inputs: chains[index].inputs,
                    readBytes: readBytes,
                    files: tables[index],
                    threadCount: hasThreads ? ReplaySource.threadCountDefault : 0
                )
                return try BatchFeed(
                    source,
                    scanner: scanner,
                    tuning: tuning,
                    engineBell: bell,
                    sharesScanning: isOneStream && !hasThreads,
                    stop: stop
                )
            }
            self.stop = stop
        } catch let error as BellError {
            throw .bell(error)
        } catch let error as SystemCallError {
            throw .source(SourceError(error))
        } catch {
            preconditionFailure("all errors of the feed are typed")
        }
    }

    /// Bytes of text that were taken.
    var byteCount: UInt64 { merger.byteCount }

    /// Takes what comes next; false at the end of all inputs. After an error the threads have ended.
    mutating func take(
        into engine: inout Engine,
        to output: inout some EngineOutput & ~Copyable
    ) throws(ReplayError) -> Bool {
        do {
            if case .took = try merger.turn(&engine, now: .never, to: &output) { return true }
            return false
        } catch {
            end()
            let path = engine.path(of: error.record) ?? "-"
            throw .unknownYear(path: path, offset: error.record.offset)
        }
    }

    /// Ends the threads before the end of their inputs.
    mutating func end() {
        stop.ring()
        merger.join()
    }

    mutating func join() { merger.join() }

    mutating func takeNotes() -> [SourceNote] { merger.takeReports().flatMap(\.notes) }

    mutating func takeScanCounters() -> ScanCounters { merger.takeScanCounters() }
}
