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
    ///   - inputs: in the order in which they are to be read, see ``ordered(_:timeZone:firstYear:)``.
    ///   - progress: told after each batch how many bytes of text were read.
    public func run(
        _ inputs: [Input],
        settings: EngineSettings,
        output: inout some EngineOutput & ~Copyable,
        progress: (UInt64) -> Void = { _ in }
    ) throws(ReplayError) -> ReplaySummary {
        let table = FileTable()
        var engine: Engine
        do {
            engine = try Engine(settings, files: FileList(table: table))
        } catch {
            throw .engine(error)
        }
        engine.showsEvents = showsEvents
        engine.sealsEvidence = sealsEvidence
        engine.window = window
        let source = ReplaySource(inputs: inputs, readBytes: readBytes, files: table)
        var summary = ReplaySummary()
        var unknownYear: UnknownYear?
        do {
            let stop = try SourceStop()
            let bell = try Bell()
            var feed = try BatchFeed(
                source,
                scanner: engine.makeScanner(),
                tuning: tuning,
                engineBell: bell,
                stop: stop
            )
            var byteCount: UInt64 = 0
            while var scanned = feed.next() {
                if unknownYear == nil {
                    do {
                        try engine.take(scanned.batch, facts: scanned.facts, to: &output)
                    } catch {
                        unknownYear = error
                        stop.ring()
                    }
                }
                summary.notes += scanned.notes
                summary.scan += scanned.counters
                byteCount += UInt64(scanned.batch.byteCount)
                scanned.notes = []
                feed.giveBack(scanned)
                progress(byteCount)
            }
            feed.join()
        } catch let error as BellError {
            throw .bell(error)
        } catch let error as SystemCallError {
            throw .source(SourceError(error))
        } catch {
            preconditionFailure("all errors of the feed are typed")
        }
        if let unknownYear {
            let path = engine.files[unknownYear.record.file]?.path ?? "-"
            throw .unknownYear(path: path, offset: unknownYear.record.offset)
        }
        engine.finish(to: &output)
        summary.lines = engine.lineCount
        summary.assembly = engine.assembler.counters
        summary.engine = engine.counters
        summary.alertsOpened = engine.detector.counters.alertsOpened
        summary.submitted = engine.detector.counters.submitted
        return summary
    }
}
