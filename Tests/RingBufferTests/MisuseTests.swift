import RingBuffer
import Testing

/// Our own mistakes stop the program, in release builds too.
@Suite struct MisuseTests {
    @Test(arguments: [Int.min, -4, -1, 0, 3, 6, 1023, ringCapacityMax * 2])
    func aCapacityThatIsNoPowerOfTwoWithinTheBoundTraps(capacity: Int) async {
        await #expect(processExitsWith: .failure) { [capacity] in
            _ = makeRing(
                of: Int.self,
                capacity: capacity,
                producerBell: try Bell(),
                consumerBell: try Bell()
            )
        }
    }

    @Test func aBellForBothEndsTraps() async {
        await #expect(processExitsWith: .failure) {
            let bell = try Bell()
            _ = makeRing(of: Int.self, capacity: 1, producerBell: bell, consumerBell: bell)
        }
    }

    @Test(arguments: [-1, 3])
    func beingDoneWithElementsThatWereNotThereTraps(done: Int) async {
        await #expect(processExitsWith: .failure) { [done] in
            let ring = makeRing(
                of: Int.self,
                capacity: 4,
                producerBell: try Bell(),
                consumerBell: try Bell()
            )
            var producer = ring.producer
            var consumer = ring.consumer
            _ = producer.push(contentsOf: [1, 2].span)
            _ = consumer.popInPlace { _ in done }
        }
    }

    @Test func parkingOnABellWhereAThreadIsParkedTraps() async {
        await #expect(processExitsWith: .failure) {
            let bell = try Bell()
            bell.park(unless: {
                bell.park(unless: { true })
                return true
            })
        }
    }

    @Test func aNegativeTimeoutTraps() async {
        await #expect(processExitsWith: .failure) {
            try Bell().park(unless: { false }, timeoutMilliseconds: -1)
        }
    }

    /// The largest ring that may be made can be made; what is a trap above is the next one.
    @Test func theLargestRingIsMade() throws {
        let ring = makeRing(
            of: UInt8.self,
            capacity: ringCapacityMax,
            producerBell: try Bell(),
            consumerBell: try Bell()
        )
        #expect(ring.producer.capacity == ringCapacityMax)
        #expect(ring.consumer.capacity == ringCapacityMax)
    }
}
