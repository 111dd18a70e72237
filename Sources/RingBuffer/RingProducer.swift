public import Synchronization

/// The end of a ring that elements go into.
///
/// There is one, and it cannot be copied, so nobody else writes the ring's tail. Dropping it is
/// ``finish()``: the consumer still gets what was pushed, and then the end.
@frozen
public struct RingProducer<Element: ~Copyable>: ~Copyable {
    @usableFromInline let storage: RingStorage<Element>
    /// The first position not filled yet: what `storage.tail` says to the consumer.
    @usableFromInline var tail = 0
    /// The consumer's head when we last looked. It is not less than `tail - capacity` and not more
    /// than the head is now, so a slot that looks free is free.
    @usableFromInline var headSeen = 0

    @inlinable
    init(storage: RingStorage<Element>) { self.storage = storage }

    @inlinable
    deinit {
        // Pairs with the load in `isAtEnd`: who sees this sees the last store of the tail.
        storage.producerIsGone.store(true, ordering: .releasing)
        storage.consumerBell.ring()
    }

    /// How many elements the ring holds.
    @inlinable
    public var capacity: Int { storage.capacity }

    /// Whether the consumer has dropped its end: nobody will pop what is pushed from now on.
    @inlinable
    public var consumerIsGone: Bool { storage.consumerIsGone.value.load(ordering: .acquiring) }

    /// Whether there is a reason to go on: a free slot, or a consumer that is gone. It is what a
    /// thread looks at before it parks.
    @inlinable
    public var isReady: Bool { storage.isReadyForProducer(at: tail) }

    /// Whether the consumer has taken all that was pushed: it waits, or soon will.
    @inlinable
    public var isDrained: Bool { storage.head.value.load(ordering: .acquiring) == tail }

    /// Moves `element` in, or hands it back when the ring is full or ``consumerIsGone``.
    @inlinable
    public mutating func push(_ element: consuming Element) -> Element? {
        if reserve(1) == 0 { return element }
        storage.fill(tail, with: element)
        publish(1)
        return nil
    }

    /// Moves `element` in, and sleeps on the producer's bell while the ring is full.
    ///
    /// - Returns: nil; or the element when the consumer is gone.
    @inlinable
    public mutating func pushWaiting(_ element: consuming Element) -> Element? {
        while reserve(1) == 0 {
            if consumerIsGone { return element }
            waitForSpace()
        }
        storage.fill(tail, with: element)
        publish(1)
        return nil
    }

    /// Lets `body` append up to `count` elements straight into free slots, and moves them in as one
    /// batch: the consumer sees all of them or none.
    ///
    /// `body` gets slots that lie beside each other, so there may be fewer than are free; a second
    /// call goes on at the start of the memory. It is not called when there are none. When it
    /// throws, what it has appended is deinitialised and nothing moves in.
    ///
    /// - Returns: How many moved in; 0 when the ring is full, ``consumerIsGone``, or nothing was
    ///   appended.
    /// - Precondition: `count` is not negative.
    @inlinable
    public mutating func pushInPlace<Failure: Error>(
        upTo count: Int = .max,
        _ body: (inout OutputSpan<Element>) throws(Failure) -> Void
    ) throws(Failure) -> Int {
        precondition(count >= 0, "A batch cannot have a negative count")
        let free = storage.contiguous(reserve(count), from: tail)
        if free == 0 { return 0 }
        let filled = try storage.fill(tail, count: free, with: body)
        if filled > 0 { publish(filled) }
        return filled
    }

    /// Tells the consumer that nothing more will come.
    @inlinable
    public consuming func finish() {}

    /// Sleeps on the producer's bell until there is a free slot or the consumer is gone; may return
    /// earlier.
    @inlinable
    func waitForSpace() {
        // What it looks at, without the closure taking `self` along.
        let (storage, tail) = (storage, tail)
        storage.producerBell.park(unless: { storage.isReadyForProducer(at: tail) })
    }

    /// How many slots from `tail` on can be filled, at most `wanted`. The consumer's head is looked
    /// at only when the last look does not do.
    @inlinable
    mutating func reserve(_ wanted: Int) -> Int {
        if consumerIsGone { return 0 }
        var free = storage.capacity - (tail - headSeen)
        if free < wanted {
            headSeen = storage.head.value.load(ordering: .acquiring)  // pairs with `release`
            free = storage.capacity - (tail - headSeen)
        }
        return min(free, wanted)
    }

    /// Gives `count` filled slots to the consumer.
    @inlinable
    mutating func publish(_ count: Int) {
        tail += count
        storage.tail.value.store(tail, ordering: .releasing)  // pairs with the load in `available`
        storage.consumerBell.ring()
    }
}

extension RingProducer {
    /// Copies as many of `elements` in as there are free slots, from the first on, as one batch:
    /// the consumer sees all of them or none.
    ///
    /// - Returns: How many moved in; 0 when the ring is full or ``consumerIsGone``.
    @inlinable
    public mutating func push(contentsOf elements: Span<Element>) -> Int {
        let count = reserve(elements.count)
        if count == 0 { return 0 }
        let beforeWrap = storage.contiguous(count, from: tail)
        storage.fill(tail, copying: elements.extracting(..<beforeWrap))
        if beforeWrap < count {
            storage.fill(tail + beforeWrap, copying: elements.extracting(beforeWrap..<count))
        }
        publish(count)
        return count
    }
}

extension RingProducer: Sendable where Element: Sendable & ~Copyable {}
