import ArgumentParser
import Glibc
import RingBuffer
import Synchronization

/// What it costs to bring a record from one thread to another.
struct RingBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring",
        abstract: "Moves records of 160 bytes from one thread to another."
    )

    @Option(help: "Records moved in each run.")
    var records = 20_000_000

    @Option(help: "Round trips in each run of the latency measurements.")
    var hops = 50_000

    @Option(help: "Slots of the ring, a power of two.")
    var capacity = 4096

    @Option(help: "Records in a batch.")
    var batch = 256

    @Option(help: "How often each measurement is repeated, after one that does not count.")
    var runs = 7

    @Option(help: "Only the measurements whose name contains this.")
    var only = ""

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard records > 0, hops > 0, batch > 0, runs > 0 else {
            throw ValidationError("Counts start at 1.")
        }
        guard capacity > 0, capacity <= ringCapacityMax, capacity & (capacity - 1) == 0 else {
            throw ValidationError("A capacity is a power of two up to \(ringCapacityMax).")
        }
    }

    func run() throws {
        var throughputs: [Throughput] = []
        for way in Way.allCases where isWanted(way.rawValue) {
            var rates: [Double] = []
            var costs: [Double] = []
            for run in 0...runs {
                let cost = try move(records, way, capacity: capacity, batch: batch)
                if run == 0 { continue }
                rates.append(Double(records) * 1e3 / Double(cost.wallNanoseconds))
                costs.append(Double(cost.processorNanoseconds) / Double(records))
            }
            throughputs.append(
                Throughput(
                    way: way,
                    megarecordsPerSecond: Spread(rates),
                    processorNanosecondsPerRecord: Spread(costs)
                )
            )
        }
        var latencies: [Latency] = []
        for wait in Wait.allCases where isWanted(wait.rawValue) {
            var halves: [Double] = []
            var tails: [Double] = []
            for run in 0...runs {
                let sorted = try hop(hops, wait).sorted()
                if run == 0 { continue }
                halves.append(Double(sorted[(sorted.count - 1) / 2]))
                tails.append(Double(sorted[(sorted.count - 1) * 99 / 100]))
            }
            latencies.append(Latency(wait: wait, p50: Spread(halves), p99: Spread(tails)))
        }
        print(json ? jsonText(throughputs, latencies) : plainText(throughputs, latencies))
    }

    private func isWanted(_ name: String) -> Bool { only.isEmpty || name.contains(only) }

    private func plainText(_ throughputs: [Throughput], _ latencies: [Latency]) -> String {
        var lines = [
            "machine  \(Machine.processor), \(Machine.cores) cores",
            "build    \(Machine.build)",
            "input    \(records) records of \(Record160.bytes) B, ring of \(capacity), "
                + "batches of \(batch); \(hops) round trips; \(runs) runs",
            "",
            column("", 36, left: true) + column("min", 12) + column("median", 12)
                + column("max", 12),
        ]
        for one in throughputs {
            let rate = one.megarecordsPerSecond
            lines.append(row(one.way.rawValue, "M records/s", rate))
            lines.append(row("", "GB/s", rate.scaled(by: Double(Record160.bytes) / 1e3)))
            lines.append(row("", "CPU ns/record", one.processorNanosecondsPerRecord))
        }
        for one in latencies {
            lines.append(row(one.wait.rawValue, "p50 ns", one.p50))
            lines.append(row("", "p99 ns", one.p99))
        }
        return lines.joined(separator: "\n")
    }

    private func jsonText(_ throughputs: [Throughput], _ latencies: [Latency]) -> String {
        let rates = throughputs.map {
            #"{"name":"\#($0.way.rawValue)","megarecords_per_second":\#($0.megarecordsPerSecond.json),"#
                + #""processor_ns_per_record":\#($0.processorNanosecondsPerRecord.json)}"#
        }
        let times = latencies.map {
            #"{"name":"\#($0.wait.rawValue)","p50_ns":\#($0.p50.json),"p99_ns":\#($0.p99.json)}"#
        }
        return """
            {"benchmark":"ring","machine":"\(Machine.processor)","cores":\(Machine.cores),\
            "build":"\(Machine.build)","record_bytes":\(Record160.bytes),"records":\(records),\
            "capacity":\(capacity),"batch":\(batch),"round_trips":\(hops),"runs":\(runs),\
            "throughput":[\(rates.joined(separator: ","))],"latency":[\(times.joined(separator: ","))]}
            """
    }
}

// MARK: What is measured

/// A way to bring records through the ring. The consumer reads two words of each.
private enum Way: String, CaseIterable {
    case inPlace = "batches, copied in, read in place"
    case copied = "batches, copied in, copied out"
    case single = "one by one"
}

/// What the two threads of a latency measurement do while they have nothing.
private enum Wait: String, CaseIterable {
    case parked = "hop to a parked thread"
    case awake = "hop to a thread that looks"
}

private struct Throughput {
    let way: Way
    let megarecordsPerSecond: Spread
    /// Of both threads, kernel included: what a loaded machine falsifies least.
    let processorNanosecondsPerRecord: Spread
}

private struct Latency {
    let wait: Wait
    let p50: Spread
    let p99: Spread
}

/// As big as the facts of one log line.
private struct Record160: BitwiseCopyable {
    static let bytes = MemoryLayout<Record160>.size
    var words: InlineArray<20, UInt64>

    init(number: UInt64) {
        words = InlineArray(repeating: number)
    }

    /// What both ends of the record say.
    var number: UInt64 {
        get { words[0] }
        set {
            words[0] = newValue
            words[19] = newValue
        }
    }
}

private struct Cost {
    /// From before the producer's thread starts until the last record has come.
    let wallNanoseconds: UInt64
    /// Of all threads in that time.
    let processorNanoseconds: UInt64
}

/// Moves `records` records, and checks that each comes once, in order and unchanged.
private func move(_ records: Int, _ way: Way, capacity: Int, batch: Int) throws -> Cost {
    let consumerBell = try Bell()
    let producerBell = try Bell()
    let ring = makeRing(
        of: Record160.self,
        capacity: capacity,
        producerBell: producerBell,
        consumerBell: consumerBell
    )
    var consumer = ring.consumer
    let start = nanoseconds(of: CLOCK_MONOTONIC)
    let startOnProcessor = nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID)
    let worker = Worker(with: ring.producer) { producer in
        switch way {
        case .inPlace, .copied: produceBatches(records, batch, producer, producerBell)
        case .single: produceSingly(records, producer)
        }
    }
    let arrivals =
        switch way {
        case .inPlace: consumeInPlace(&consumer, batch, consumerBell)
        case .copied: consumeCopies(&consumer, batch, consumerBell)
        case .single: consumeSingly(&consumer)
        }
    let end = nanoseconds(of: CLOCK_MONOTONIC)
    let endOnProcessor = nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID)
    worker.join()
    precondition(arrivals.count == records, "The ring lost or doubled a record")
    precondition(arrivals.wrong == 0, "The ring changed a record")
    return Cost(
        wallNanoseconds: end - start,
        processorNanoseconds: endOnProcessor - startOnProcessor
    )
}

private func produceBatches(
    _ records: Int,
    _ batch: Int,
    _ producer: consuming RingProducer<Record160>,
    _ bell: Bell
) {
    var source = (0..<batch).map { Record160(number: UInt64($0)) }
    var first = 0
    while first < records {
        let count = min(batch, records - first)
        // Every record of a run differs: a slot left from an earlier lap cannot pass for a new one.
        var stamped = source.mutableSpan
        for index in 0..<count { stamped[index].number = UInt64(first + index) }
        first += count
        var rest = source.span.extracting(first: count)
        while rest.count > 0 {
            let pushed = producer.push(contentsOf: rest)
            rest = rest.extracting(droppingFirst: pushed)
            if pushed == 0 { bell.park(unless: { producer.isReady }) }
        }
    }
}

private func produceSingly(_ records: Int, _ producer: consuming RingProducer<Record160>) {
    for number in 0..<UInt64(records) {
        if producer.pushWaiting(Record160(number: number)) != nil { return }
    }
}

private func consumeInPlace(
    _ consumer: inout RingConsumer<Record160>,
    _ batch: Int,
    _ bell: Bell
) -> Arrivals {
    var arrivals = Arrivals()
    while !consumer.isAtEnd {
        let popped = consumer.popInPlace(upTo: batch) { records in
            for index in records.indices { arrivals.note(records[index]) }
            return records.count
        }
        if popped == 0 { bell.park(unless: { consumer.isReady }) }
    }
    return arrivals
}

private func consumeCopies(
    _ consumer: inout RingConsumer<Record160>,
    _ batch: Int,
    _ bell: Bell
) -> Arrivals {
    var arrivals = Arrivals()
    let memory = UnsafeMutableBufferPointer<Record160>.allocate(capacity: batch)
    defer { unsafe memory.deallocate() }
    while !consumer.isAtEnd {
        // SAFETY: `memory` is ours until the end of the function, and records need no end of life.
        var output = unsafe OutputSpan(buffer: memory, initializedCount: 0)
        let popped = consumer.pop(into: &output)
        let records = output.span
        for index in records.indices { arrivals.note(records[index]) }
        if popped == 0 { bell.park(unless: { consumer.isReady }) }
    }
    return arrivals
}

private func consumeSingly(_ consumer: inout RingConsumer<Record160>) -> Arrivals {
    var arrivals = Arrivals()
    while let record = consumer.popWaiting() { arrivals.note(record) }
    return arrivals
}

/// What came out: how many records, and how many of them were not the next in order.
private struct Arrivals {
    private(set) var count = 0
    private(set) var wrong = 0

    /// Compares both ends of the record with its number.
    mutating func note(_ record: borrowing Record160) {
        let expected = UInt64(count)
        let differences = (record.words[0] ^ expected) | (record.words[19] ^ expected)
        if differences != 0 { wrong += 1 }
        count += 1
    }
}

/// Half the time of each round trip through two rings, in nanoseconds.
private func hop(_ count: Int, _ wait: Wait) throws -> [UInt64] {
    let nearBell = try Bell()
    let farBell = try Bell()
    let there = makeRing(
        of: UInt64.self,
        capacity: 2,
        producerBell: nearBell,
        consumerBell: farBell
    )
    let back = makeRing(
        of: UInt64.self,
        capacity: 2,
        producerBell: farBell,
        consumerBell: nearBell
    )
    let far = FarSide(consumer: there.consumer, producer: back.producer)
    let worker = Worker(with: far) { far in
        var far = far
        while let number = next(&far.consumer, wait) {
            _ = far.producer.pushWaiting(number)
        }
    }
    var producer = there.producer
    var consumer = back.consumer
    var halves: [UInt64] = []
    halves.reserveCapacity(count)
    for number in 0..<UInt64(count) {
        let start = nanoseconds(of: CLOCK_MONOTONIC)
        _ = producer.pushWaiting(number)
        let answer = next(&consumer, wait)
        halves.append((nanoseconds(of: CLOCK_MONOTONIC) - start) / 2)
        precondition(answer == number, "The ring lost or changed a number")
    }
    producer.finish()
    worker.join()
    return halves
}

private struct FarSide: ~Copyable, Sendable {
    var consumer: RingConsumer<UInt64>
    var producer: RingProducer<UInt64>
}

private func next(_ consumer: inout RingConsumer<UInt64>, _ wait: Wait) -> UInt64? {
    switch wait {
    case .parked: return consumer.popWaiting()
    case .awake:
        while true {
            if let number = consumer.pop() { return number }
            if consumer.isAtEnd { return nil }
        }
    }
}

// MARK: With what it is measured

/// The least, the middle and the greatest of some runs.
struct Spread {
    let min: Double
    let median: Double
    let max: Double

    /// - Precondition: There is at least one value.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        min = sorted[0]
        median = sorted[(sorted.count - 1) / 2]
        max = sorted[sorted.count - 1]
    }

    private init(min: Double, median: Double, max: Double) {
        self.min = min
        self.median = median
        self.max = max
    }

    func scaled(by factor: Double) -> Spread {
        Spread(min: min * factor, median: median * factor, max: max * factor)
    }

    var json: String { #"{"min":\#(min),"median":\#(median),"max":\#(max)}"# }
}

/// What a figure depends on besides our code.
enum Machine {
    static var build: String {
        #if DEBUG
        "debug"
        #else
        "release"
        #endif
    }

    static var cores: Int { sysconf(CInt(_SC_NPROCESSORS_ONLN)) }

    /// `model name` of `/proc/cpuinfo`, printable ASCII without quotes; "unknown" where there is
    /// none, as on some ARM machines.
    static var processor: String {
        guard let file = unsafe fopen("/proc/cpuinfo", "re") else { return "unknown" }
        defer { unsafe fclose(file) }
        var text: [UInt8] = Array(repeating: 0, count: 4096)
        // SAFETY: fread writes at most the 4096 bytes that `text` has.
        let count = unsafe text.withUnsafeMutableBytes { bytes in
            unsafe fread(bytes.baseAddress, 1, bytes.count, file)
        }
        for line in text[..<count].split(separator: UInt8(ascii: "\n")) {
            guard line.starts(with: "model name".utf8) else { continue }
            let value = line.drop { $0 != UInt8(ascii: ":") }.dropFirst(2)
            let plain = value.filter { (0x20..<0x7f).contains($0) && $0 != 0x22 && $0 != 0x5c }
            return String(decoding: plain, as: UTF8.self)
        }
        return "unknown"
    }
}

func nanoseconds(of clock: clockid_t) -> UInt64 {
    var time = timespec()
    // SAFETY: the kernel writes one timespec; the clocks used here always exist.
    unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// A thread with a value of its own.
final class Worker {
    private let thread: pthread_t

    /// Moves `value` into a new thread and runs `body` there.
    init<Value: ~Copyable & Sendable>(
        with value: consuming Value,
        _ body: @escaping @Sendable (consuming Value) -> Void
    ) {
        let handed = Handover(value)
        let start = Start { if let value = handed.take() { body(value) } }
        var thread = pthread_t()
        // SAFETY: the retain is taken over by the thread, which starts exactly once.
        let result = unsafe pthread_create(
            &thread,
            nil,
            { raw in
                if let raw = unsafe raw {
                    unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue().body()
                }
                return nil
            },
            Unmanaged.passRetained(start).toOpaque()
        )
        precondition(result == 0, "No thread to be had")
        self.thread = thread
    }

    /// Waits for its end. To be called once.
    func join() {
        pthread_join(thread, nil)
    }

    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Emptied once: an escaping closure cannot consume what it captures.
    private final class Handover<Value: ~Copyable & Sendable>: Sendable {
        private let value: Mutex<Value?>
        init(_ value: consuming Value) { self.value = Mutex(value) }
        func take() -> Value? { value.withLock { $0.take() } }
    }
}

private func column(_ text: String, _ width: Int, left: Bool = false) -> String {
    let padding = String(repeating: " ", count: max(0, width - text.count))
    return left ? text + padding : padding + text
}

private func row(_ name: String, _ unit: String, _ spread: Spread) -> String {
    column(name, 36, left: true)
        + [spread.min, spread.median, spread.max].map { column(rounded($0), 12) }.joined()
        + "  " + unit
}

/// With one decimal place.
private func rounded(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}
