public import Synchronization

/// The end of a ring that elements come out of.
///
/// There is one, and it cannot be copied, so nobody else writes the ring's head. Dropping it tells
/// the producer to stop (``RingProducer/consumerIsGone``).
@frozen
public struct RingConsumer<Element: ~Copyable>: ~Copyable {
    @usableFromInline let storage: RingStorage<Element>
    /// The first position not emptied yet: what `storage.head` says to the producer.
    @usableFromInline var head = 0
    /// The producer's tail when we last looked. It is not less than `head` and not more than the
    /// tail is now, so a slot that looks filled is filled.
    @usableFromInline var tailSeen = 0

    @inlinable
    init(storage: RingStorage<Element>) { self.storage = storage }

    @inlinable
    deinit {
        storage.consumerIsGone.value.store(true, ordering: .releasing)
        storage.producerBell.ring()
    }

    /// How many elements the ring holds.
    @inlinable
    public var capacity: Int { storage.capacity }

    /// Whether there is a reason to go on: an element, or a producer that is gone. It is what a
    /// thread looks at, in every ring that it has, before it parks.
    @inlinable
    public var isReady: Bool { storage.isReadyForConsumer(at: head) }

    /// Whether everything was popped and nothing more will come.
    @inlinable
    public var isAtEnd: Bool {
        // In this order: the tail does not move any more once the producer is gone.
        storage.producerIsGone.load(ordering: .acquiring)
            && storage.tail.value.load(ordering: .acquiring) == head
    }

    /// Moves the oldest element out; nil when the ring is empty, for now or for good
    /// (``isAtEnd``).
    @inlinable
    public mutating func pop() -> Element? {
        if available(1) == 0 { return nil }
        let element = storage.take(head)
        release(1)
        return element
    }

    /// Moves the oldest element out, and sleeps on the consumer's bell while there is none.
    ///
    /// For a thread with this one ring. With several, park on their bell until one ``isReady``.
    ///
    /// - Returns: The element; nil when the end has come.
    @inlinable
    public mutating func popWaiting() -> Element? {
        while available(1) == 0 {
            if isAtEnd { return nil }
            waitForElement()
        }
        let element = storage.take(head)
        release(1)
        return element
    }

    /// Moves elements to the end of `output`, as many as are there and fit; their slots are given
    /// back as one batch.
    ///
    /// - Returns: How many; 0 when the ring is empty or `output` is full.
    @inlinable
    public mutating func pop(into output: inout OutputSpan<Element>) -> Int {
        let count = available(output.freeCapacity)
        if count == 0 { return 0 }
        let beforeWrap = storage.contiguous(count, from: head)
        storage.take(head, count: beforeWrap, into: &output)
        if beforeWrap < count {
            storage.take(head + beforeWrap, count: count - beforeWrap, into: &output)
        }
        release(count)
        return count
    }

    /// Moves up to `count` elements out, one by one into `body`; their slots are given back as one
    /// batch when `body` has had the last or throws. Elements that it has not had stay.
    ///
    /// - Returns: How many; 0 when the ring is empty.
    /// - Precondition: `count` is not negative.
    @inlinable
    public mutating func popEach<Failure: Error>(
        upTo count: Int = .max,
        _ body: (consuming Element) throws(Failure) -> Void
    ) throws(Failure) -> Int {
        precondition(count >= 0, "A batch cannot have a negative count")
        let count = available(count)
        var taken = 0
        defer { if taken > 0 { release(taken) } }
        while taken < count {
            let element = storage.take(head + taken)
            taken += 1
            try body(element)
        }
        return count
    }

    /// Shows up to `count` of the oldest elements where they lie; `body` returns how many of them,
    /// from the first on, are done with. Those are deinitialised and their slots given back as one
    /// batch; the others stay, all of them if it throws.
    ///
    /// `body` gets slots that lie beside each other, so there may be more elements than it sees; a
    /// second call goes on at the start of the memory. It is not called when there are none.
    ///
    /// - Returns: How many are gone; 0 when the ring is empty.
    /// - Precondition: `count` is not negative, and `body` returns from 0 to the count it got.
    @inlinable
    public mutating func popInPlace<Failure: Error>(
        upTo count: Int = .max,
        _ body: (Span<Element>) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        precondition(count >= 0, "A batch cannot have a negative count")
        let filled = storage.contiguous(available(count), from: head)
        if filled == 0 { return 0 }
        let done = try storage.view(head, count: filled, in: body)
        precondition(done >= 0, "A negative count of elements is done with")
        precondition(done <= filled, "More elements are done with than there were")
        if done == 0 { return 0 }
        storage.empty(head, count: done)
        release(done)
        return done
    }

    /// Sleeps on the consumer's bell until there is an element or the producer is gone; may return
    /// earlier.
    @inlinable
    func waitForElement() {
        // What it looks at, without the closure taking `self` along.
        let (storage, head) = (storage, head)
        storage.consumerBell.park(unless: { storage.isReadyForConsumer(at: head) })
    }

    /// How many elements from `head` on can be taken, at most `wanted`. The producer's tail is
    /// looked at only when the last look does not do.
    @inlinable
    mutating func available(_ wanted: Int) -> Int {
        if tailSeen - head < wanted {
            tailSeen = storage.tail.value.load(ordering: .acquiring)  // pairs with `publish`
        }
        return min(tailSeen - head, wanted)
    }

    /// Gives `count` emptied slots to the producer.
    @inlinable
    mutating func release(_ count: Int) {
        head += count
        storage.head.value.store(head, ordering: .releasing)  // pairs with the load in `reserve`
        storage.producerBell.ring()
    }
}

extension RingConsumer: Sendable where Element: Sendable & ~Copyable {}
