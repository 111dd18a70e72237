/// Makes a bounded ring for one producer and one consumer, each on its own thread.
///
/// Elements come out in the order they went in, each exactly once; those still inside when both
/// ends are gone are deinitialised then. Nothing is allocated after this call, and no operation
/// takes a lock. A thread sleeps only in `pushWaiting`, `popWaiting` and its ``Bell``'s `park`;
/// everything else ends in a bounded number of steps, whatever the other side does.
///
///     let ring = makeRing(of: Batch.self, capacity: 8, producerBell: source, consumerBell: engine)
///     let producer = Mutex<RingProducer<Batch>?>(ring.producer)  // to be emptied by its thread
///     var consumer = ring.consumer
///
/// - Parameters:
///   - capacity: How many elements the ring holds, a power of two from 1 to ``ringCapacityMax``.
///   - producerBell: What the producer's thread parks on while the ring is full; one bell can serve
///     all rings that a thread has an end of.
///   - consumerBell: What the consumer's thread parks on while all its rings are empty.
/// - Precondition: The capacity is as above, and the bells are two: each has one thread that parks.
@inlinable
public func makeRing<Element: ~Copyable>(
    of elementType: Element.Type = Element.self,
    capacity: Int,
    producerBell: Bell,
    consumerBell: Bell
) -> RingEnds<Element> {
    precondition(capacity >= 1, "A ring holds at least one element")
    precondition(capacity <= ringCapacityMax, "A ring holds at most ringCapacityMax elements")
    precondition(capacity & (capacity - 1) == 0, "A ring's capacity is a power of two")
    precondition(producerBell !== consumerBell, "Producer and consumer park on bells of their own")
    let storage = RingStorage<Element>(
        capacity: capacity,
        producerBell: producerBell,
        consumerBell: consumerBell
    )
    return RingEnds(
        producer: RingProducer(storage: storage),
        consumer: RingConsumer(storage: storage)
    )
}

/// The most elements that a ring can have been made for.
public let ringCapacityMax = 1 << 20

/// The two ends of a new ring, to be taken apart: each goes to its thread.
@frozen
public struct RingEnds<Element: ~Copyable>: ~Copyable {
    public var producer: RingProducer<Element>
    public var consumer: RingConsumer<Element>

    @inlinable
    init(producer: consuming RingProducer<Element>, consumer: consuming RingConsumer<Element>) {
        self.producer = producer
        self.consumer = consumer
    }
}

extension RingEnds: Sendable where Element: Sendable & ~Copyable {}
