import RingBuffer
import Synchronization
import TestSupport
import Testing

/// Long enough for any machine: it reports a hang, and decides nothing else.
private let watchdogMilliseconds = 60_000

/// A thread-confined place for an end, since an array cannot hold what cannot be copied.
private final class Lane {
    var consumer: RingConsumer<Int>
    init(_ consumer: consuming RingConsumer<Int>) { self.consumer = consumer }
}

/// Two threads against each other. ThreadSanitizer judges them only in an optimised build:
///
///     swift test -c release --sanitize=thread --filter RingBufferTests
///
/// In a debug build elements are moved by generic code of the standard library, which is not
/// instrumented: with the tail stored as `.relaxed`, Swift 6.3.1 reported nothing there, and a data
/// race in release.
@Suite(.serialized) struct RingThreadTests {
    /// forall capacities: single elements come out complete and in order, with both threads parking
    /// all the time when the ring is tiny.
    @Test(arguments: [1, 2, 4, 64, 1024])
    func elementsCrossInOrderOneByOne(capacity: Int) throws {
        let count = capacity < 8 ? 10_000 : 100_000
        let ring = makeRing(
            of: Int.self,
            capacity: capacity,
            producerBell: try Bell(),
            consumerBell: try Bell()
        )
        var consumer = ring.consumer
        let worker = Worker(with: ring.producer) { producer in
            var producer = producer
            for number in 0..<count where producer.pushWaiting(number) != nil {
                Issue.record("The consumer is there")
            }
        }
        var expected = 0
        while let number = consumer.popWaiting() {
            if number != expected { Issue.record("\(number) came instead of \(expected)") }
            expected = number + 1
        }
        worker.join()
        #expect(expected == count)
    }

    /// forall seeds: batches of random sizes, in every way to push and to pop, cross in order, and
    /// every element ends exactly once.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func batchesOfRandomSizesCrossInOrder(seed: UInt64) throws {
        let count = 20_000
        var random = SeededGenerator(seed: seed)
        let capacity = 1 << Int.random(in: 0...8, using: &random)
        let tracker = Tracker()
        let producerBell = try Bell()
        let consumerBell = try Bell()
        let ring = makeRing(
            of: Tracked.self,
            capacity: capacity,
            producerBell: producerBell,
            consumerBell: consumerBell
        )
        let worker = Worker(with: ring.producer) { producer in
            var producer = producer
            var random = SeededGenerator(seed: seed &+ 1000)
            var next = 0
            while next < count {
                if Bool.random(using: &random) {
                    _ = producer.pushWaiting(Tracked(next, tracker))
                    next += 1
                    continue
                }
                let wanted = min(Int.random(in: 1...50, using: &random), count - next)
                let pushed = producer.pushInPlace(upTo: wanted) { output in
                    while !output.isFull {
                        output.append(Tracked(next, tracker))
                        next += 1
                    }
                }
                if pushed == 0 { producerBell.park(unless: { producer.isReady }) }
            }
        }
        var expected = 0
        func note(_ number: Int) {
            if number != expected { Issue.record("\(number) came instead of \(expected)") }
            expected = number + 1
        }
        do {
            var consumer = ring.consumer
            while !consumer.isAtEnd {
                let wanted = Int.random(in: 1...50, using: &random)
                let popped: Int
                switch Int.random(in: 0..<3, using: &random) {
                case 0: popped = consumer.popEach(upTo: wanted) { note($0.number) }
                case 1:
                    popped = consumer.popInPlace(upTo: wanted) { elements in
                        for index in elements.indices { note(elements[index].number) }
                        return elements.count
                    }
                default:
                    if let element = consumer.pop() {
                        note(element.number)
                        popped = 1
                    } else {
                        popped = 0
                    }
                }
                if popped == 0 { consumerBell.park(unless: { consumer.isReady }) }
            }
        }
        worker.join()
        #expect(expected == count)
        #expect(tracker.isBalanced)
    }

    /// One thread drains several rings and sleeps on one bell until all of them have ended.
    @Test(arguments: [1, 2, 16])
    func oneBellServesManyRings(capacity: Int) throws {
        let count = 5_000
        let bell = try Bell()
        var lanes: [Lane] = []
        var workers: [Worker] = []
        for _ in 0..<5 {
            let ring = makeRing(
                of: Int.self,
                capacity: capacity,
                producerBell: try Bell(),
                consumerBell: bell
            )
            lanes.append(Lane(ring.consumer))
            let worker = Worker(with: ring.producer) { producer in
                var producer = producer
                for number in 0..<count { _ = producer.pushWaiting(number) }
            }
            workers.append(worker)
        }
        var next = Array(repeating: 0, count: lanes.count)
        while !lanes.allSatisfy({ $0.consumer.isAtEnd }) {
            for (index, lane) in lanes.enumerated() {
                while let number = lane.consumer.pop() {
                    if number != next[index] { Issue.record("Lane \(index): \(number)") }
                    next[index] = number + 1
                }
            }
            // An ended ring stays ready, so it is not asked any more.
            let wake = bell.park(
                unless: {
                    lanes.allSatisfy { $0.consumer.isAtEnd }
                        || lanes.contains { $0.consumer.isReady && !$0.consumer.isAtEnd }
                },
                timeoutMilliseconds: watchdogMilliseconds
            )
            if wake == .timedOut {
                Issue.record("A wake-up was lost")
                break
            }
        }
        #expect(next == Array(repeating: count, count: lanes.count))
        for worker in workers { worker.join() }
    }

    /// A producer that sleeps on a full ring learns that its consumer is gone, and gets its element
    /// back.
    @Test func aWaitingProducerLearnsThatItsConsumerIsGone() throws {
        for _ in 0..<300 {
            let tracker = Tracker()
            let ring = makeRing(
                of: Tracked.self,
                capacity: 2,
                producerBell: try Bell(),
                consumerBell: try Bell()
            )
            let handed = Shared(Atomic(-1))
            let worker = Worker(with: ring.producer) { producer in
                var producer = producer
                var number = 0
                while true {
                    if let element = producer.pushWaiting(Tracked(number, tracker)) {
                        handed.value.store(element.number, ordering: .releasing)
                        return
                    }
                    number += 1
                }
            }
            do {
                var consumer = ring.consumer
                _ = consumer.popWaiting()
            }
            worker.join()
            #expect(handed.value.load(ordering: .acquiring) >= 1)
            #expect(tracker.isBalanced)
        }
    }
}

/// An atomic that a closure can share.
private final class Shared: Sendable {
    let value: Atomic<Int>
    init(_ value: consuming Atomic<Int>) { self.value = value }
}
