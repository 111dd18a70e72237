import Glibc
import RingBuffer
import Synchronization
import Testing

private let watchdogMilliseconds: CInt = 60_000

/// Where both threads of a litmus meet before each round, so that they run against each other.
private final class Meeting: Sendable {
    private let arrivals = Atomic(0)

    /// Waits for the other thread of round `round`, counted from 1.
    func meet(_ round: Int) {
        arrivals.add(1, ordering: .acquiringAndReleasing)
        while arrivals.load(ordering: .acquiring) < round * 2 { sched_yield() }
    }
}

@Suite(.serialized) struct BellTests {
    /// Litmus in the manner of jcstress, of the two threads
    ///
    ///     parker: parked = true; look at the ring        producer: push; parked = false
    ///
    /// Allowed: the parker sees the element, or the eventfd becomes readable, or both. Forbidden:
    /// neither, which would be a thread that sleeps for good beside a full ring.
    @Test func aParkedThreadSeesTheElementOrHearsTheBell() throws {
        let rounds = 30_000
        let bell = try Bell()
        let ring = makeRing(
            of: Int.self,
            capacity: 2,
            producerBell: try Bell(),
            consumerBell: bell
        )
        let meeting = Meeting()
        let worker = Worker(with: ring.producer) { producer in
            var producer = producer
            for round in 1...rounds {
                meeting.meet(round)
                _ = producer.pushWaiting(round)
            }
        }
        var consumer = ring.consumer
        var seen = 0
        var heard = 0
        for round in 1...rounds {
            meeting.meet(round)
            var lost = false
            // An event left from an earlier round ends a wait early; it is waited for again.
            while !consumer.isReady {
                let waited = bell.park(unless: { consumer.isReady }) { descriptor in
                    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                    // SAFETY: one entry, which outlives the call.
                    if unsafe poll(&entry, 1, watchdogMilliseconds) == 0 { lost = true }
                }
                if waited { heard += 1 } else { seen += 1 }
                if lost { break }
            }
            if lost {
                Issue.record("Neither seen nor heard in round \(round)")
                break
            }
            #expect(consumer.pop() == round)
        }
        worker.join()
        #expect(seen + heard > 0)
    }

    @Test func aBellThatNobodyListensToStaysSilent() throws {
        let bell = try Bell()
        for _ in 0..<1000 { bell.ring() }
        #expect(bell.park(unless: { false }, timeoutMilliseconds: 0) == .timedOut)
    }

    @Test func aThreadThatFindsSomethingDoesNotSleep() throws {
        let bell = try Bell()
        #expect(bell.park(unless: { true }) == .ready)
    }

    /// The bell is rung between the last look and the sleep.
    @Test func aRingAfterTheLastLookEndsTheSleep() throws {
        let bell = try Bell()
        let wake = bell.park(unless: {
            bell.ring()
            return false
        })
        #expect(wake == .rung)
        #expect(bell.park(unless: { false }, timeoutMilliseconds: 0) == .timedOut)
    }

    /// An event that was not waited for ends one later sleep, and not every later one.
    @Test func anEventLeftBehindEndsOneSleepOnly() throws {
        let bell = try Bell()
        bell.park(unless: {
            bell.ring()
            return true
        })
        #expect(bell.park(unless: { false }, timeoutMilliseconds: 0) == .rung)
        #expect(bell.park(unless: { false }, timeoutMilliseconds: 0) == .timedOut)
    }

    @Test func anotherDescriptorEndsTheSleepToo() throws {
        let bell = try Bell()
        let other = try Bell()
        var wake: Bell.Wake?
        other.park(unless: { false }) { descriptor in
            other.ring()
            wake = bell.park(unless: { false }, orReadable: descriptor)
        }
        #expect(wake == .readable)
    }

    @Test func aWaitThatThrowsLeavesTheBellInOrder() throws {
        struct Interruption: Error {}
        let bell = try Bell()
        #expect(throws: Interruption.self) {
            try bell.park(unless: { false }) { _ throws(Interruption) in throw Interruption() }
        }
        #expect(bell.park(unless: { false }, timeoutMilliseconds: 0) == .timedOut)
    }

    /// In a process of its own, which has no descriptors left.
    @Test func aProcessWithoutDescriptorsGetsAnError() async {
        await #expect(processExitsWith: .exitCode(0)) {
            var limit = rlimit(rlim_cur: 3, rlim_max: 3)
            // SAFETY: the kernel reads one rlimit.
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            do throws(BellError) {
                var bells: [Bell] = []
                while bells.count < 4 { bells.append(try Bell()) }
                exit(1)
            } catch {
                exit(error.code == .descriptorsExhausted && error.cause == EMFILE ? 0 : 2)
            }
        }
    }
}
