public import LinuxIO
public import LogSources
public import MailLog
import Records
public import RingBuffer
import Synchronization

/// A batch with the facts that a scanner found in it: what crosses from a source's thread to the
/// engine's.
struct ScannedBatch: ~Copyable, Sendable {
    var batch: Batch
    var facts: [LineFact]
    /// Whether ``facts`` were found already; if not, the engine's thread does it.
    var isScanned = true
    /// What the scanner made of the batch's lines.
    var counters = ScanCounters()
    /// The source failed, or told something; after the batch's lines.
    var notes: [SourceNote]
    var failure: SourceError?
}

/// Sizes of the way from a source to the engine. No answer depends on them; memory and speed do.
public struct FeedTuning: Sendable {
    /// Batches between source and engine; a power of two.
    public var ringBatches = 4
    /// Bytes of one batch: at least ``LineSplitter/batchBytesMin``.
    public var batchBytes = 1 << 18
    /// Lines of one batch.
    public var batchLines = 4_096

    public init() {}

    /// For sources that are followed.
    static var live: FeedTuning {
        var tuning = FeedTuning()
        tuning.ringBatches = 4
        tuning.batchBytes = 512 << 10
        tuning.batchLines = 8_192
        return tuning
    }
}

/// A source on a thread of its own, scanning what it reads, and the ring through which its batches
/// come to the engine. A second ring carries the empty batches back.
///
/// Full ring: the source waits, since files are durable. Empty ring: the engine's thread parks.
public struct BatchFeed: ~Copyable {
    private var full: RingConsumer<ScannedBatch>
    private var empty: RingProducer<ScannedBatch>
    private let thread: WorkerThread
    private let idleness: Idleness
    /// For batches that come without facts.
    private var scanner: LogScanner

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - source: read until its end, or until the stop is rung.
    ///   - scanner: of the engine that will take the facts.
    ///   - engineBell: what the engine's thread parks on.
    ///   - sharesScanning: whether batches may come without facts while the engine has nothing to
    ///     do: for sources whose own work is greater than the engine's.
    public init<Source: RecordSource & ~Copyable & Sendable>(
        _ source: consuming Source,
        scanner: LogScanner,
        tuning: FeedTuning,
        engineBell: Bell,
        sharesScanning: Bool = false,
        stop: SourceStop
    ) throws(BellError) {
        let sourceBell = try Bell()
        // The ends that carry full batches and empty ones have bells of their own: each bell is one
        // thread's.
        let fullRing = makeRing(
            of: ScannedBatch.self,
            capacity: tuning.ringBatches,
            producerBell: sourceBell,
            consumerBell: engineBell
        )
        var emptyRing = makeRing(
            of: ScannedBatch.self,
            capacity: tuning.ringBatches * 2,
            producerBell: engineBell,
            consumerBell: sourceBell
        )
        for _ in 0..<(tuning.ringBatches + 1) {
            let batch = ScannedBatch(
                batch: Batch(byteCapacity: tuning.batchBytes, lineCapacity: tuning.batchLines),
                facts: [],
                notes: [],
                failure: nil
            )
            _ = emptyRing.producer.push(batch)
        }
        let idleness = Idleness()
        self.idleness = idleness
        let work = Mutex<SourceWork<Source>?>(
            SourceWork(
                source: source,
                idleness: idleness,
                scanner: scanner,
                sharesScanning: sharesScanning,
                independentFile: nil,
                full: fullRing.producer,
                empty: emptyRing.consumer,
                stop: stop
            )
        )
        self.scanner = scanner
        full = fullRing.consumer
        empty = emptyRing.producer
        thread = WorkerThread {
            guard let taken = work.withLock({ $0.take() }) else { return }
            taken.run()
        }
    }
}

extension BatchFeed {
    /// The next batch; nil once the source has ended and all of its batches were taken.
    mutating func next() -> ScannedBatch? { scanned(full.popWaiting()) }

    /// The next batch if one is there.
    mutating func nextIfReady() -> ScannedBatch? { scanned(full.pop()) }

    private mutating func scanned(_ popped: consuming ScannedBatch?) -> ScannedBatch? {
        guard var batch = popped else { return nil }
        if !batch.isScanned {
            scanner.scan(batch.batch, into: &batch.facts)
            batch.counters = scanner.takeCounters()
            batch.isScanned = true
        }
        return batch
    }

    var isReady: Bool { full.isReady }

    var isAtEnd: Bool { full.isAtEnd }

    /// Whether the source had nothing more when it was last asked, and all that it gave was taken.
    var isCaughtUp: Bool { idleness.isIdle && !full.isReady }

    /// Gives a batch back to be filled again.
    mutating func giveBack(_ batch: consuming ScannedBatch) {
        // There are never more batches than the ring holds.
        guard empty.push(batch) == nil else { return }
    }

    /// Waits until the source's thread has ended.
    consuming func join() {
        let thread = thread
        empty.finish()
        thread.join()
    }
}

/// Whether a source waits for something new: set by its thread, read by the engine's.
private final class Idleness: Sendable {
    private let flag = Atomic(false)

    var isIdle: Bool { flag.load(ordering: .acquiring) }

    func set(_ isIdle: Bool) { flag.store(isIdle, ordering: .releasing) }
}

/// Ends sources that follow something.
public final class SourceStop: Sendable {
    let counter: EventCounter
    private let isRung = Atomic(false)

    public init() throws(SystemCallError) { counter = try EventCounter() }

    public func ring() {
        isRung.store(true, ordering: .releasing)
        counter.ring()
    }

    var hasRung: Bool { isRung.load(ordering: .acquiring) }
}

/// What runs on a source's thread.
private struct SourceWork<Source: RecordSource & ~Copyable & Sendable>: ~Copyable, Sendable {
    var source: Source
    let idleness: Idleness
    var scanner: LogScanner
    let sharesScanning: Bool
    /// The file whose lines the scanner saw last, if they were all such that each is read on its own.
    var independentFile: FileNumber?
    var full: RingProducer<ScannedBatch>
    var empty: RingConsumer<ScannedBatch>
    let stop: SourceStop

    consuming func run() {
        while !stop.hasRung {
            guard var slot = empty.popWaiting() else { return }
            slot.facts.removeAll(keepingCapacity: true)
            slot.counters = ScanCounters()
            slot.notes = []
            slot.failure = nil
            guard fill(&slot) else { return }
            let isEnd = slot.batch.end == .endOfInput
            if full.pushWaiting(slot) != nil { return }
            if isEnd { return }
        }
    }

    /// Fills the slot with lines, or with something to tell. False when the source is to stop.
    private mutating func fill(_ slot: inout ScannedBatch) -> Bool {
        while !stop.hasRung {
            var isIdle = false
            do {
                switch try source.fill(&slot.batch) {
                case .lines:
                    scan(&slot)
                case .idle: isIdle = true
                case .end: return false
                }
            } catch {
                slot.failure = error
                isIdle = true
            }
            slot.notes = source.takeNotes()
            if !isIdle || !slot.notes.isEmpty {
                if !isIdle { idleness.set(false) }
                return true
            }
            if slot.failure != nil {
                // Told once; the source tries again when it is asked again.
                _ = try? source.wait(stop: stop.counter, atMost: 1_000_000_000)
                return true
            }
            idleness.set(true)
            _ = try? source.wait(stop: stop.counter, atMost: nil)
        }
        return false
    }

    /// Finds the facts of a batch, or leaves it to the engine's thread, which waits.
    private mutating func scan(_ slot: inout ScannedBatch) {
        if sharesScanning, full.isDrained, slot.batch.file == independentFile {
            slot.isScanned = false
            return
        }
        slot.isScanned = true
        scanner.scan(slot.batch, into: &slot.facts)
        slot.counters = scanner.takeCounters()
        // The readers of some dialects remember lines, so that one scanner must see them all.
        independentFile = slot.counters.isOfIndependentLines ? slot.batch.file : nil
    }
}
