public import Synchronization

/// Memory shared by one producer and one consumer.
///
/// Sharing it is safe because every slot has one owner at a time: positions in `head..<tail` are
/// the consumer's, all others the producer's. A slot changes hands with a releasing store of
/// `tail` (filled) or `head` (emptied), seen by an acquiring load on the other side. There is one
/// ``RingProducer`` and one ``RingConsumer`` of it, which cannot be copied, and only they call the
/// methods below, each for positions that are its own. Slots of the consumer are initialised, slots
/// of the producer are not.
///
/// Positions count from 0 and are never reduced; at 10^9 elements a second an `Int` lasts 292
/// years. The slot of a position is its low bits.
@safe @usableFromInline
final class RingStorage<Element: ~Copyable> {
    /// One slot per position modulo `capacity`, not null.
    @usableFromInline let slots: UnsafeMutablePointer<Element>
    /// A power of two.
    @usableFromInline let capacity: Int
    /// Where the producer sleeps while all slots are filled.
    @usableFromInline let producerBell: Bell
    /// Where the consumer sleeps while no slot is filled.
    @usableFromInline let consumerBell: Bell

    @usableFromInline let paddingBeforeHead = LinePadding()
    /// The first position that is not emptied yet. Written by the consumer only.
    @usableFromInline let head = OwnLine(Atomic(0))
    /// The first position that is not filled yet. Written by the producer only.
    @usableFromInline let tail = OwnLine(Atomic(0))
    /// Whether the producer is gone. Written once, after its last store of `tail`.
    @usableFromInline let producerIsGone = Atomic(false)
    /// Whether the consumer is gone. Written once, after its last store of `head`.
    @usableFromInline let consumerIsGone = OwnLine(Atomic(false))

    @inlinable
    init(capacity: Int, producerBell: Bell, consumerBell: Bell) {
        unsafe slots = .allocate(capacity: capacity)
        self.capacity = capacity
        self.producerBell = producerBell
        self.consumerBell = consumerBell
    }

    /// Both ends are gone: what was pushed and not popped goes with them.
    @inlinable
    deinit {
        let head = head.value.load(ordering: .acquiring)
        let tail = tail.value.load(ordering: .acquiring)
        // SAFETY: nobody else has a reference any more, and `head..<tail` is initialised.
        for position in head..<tail { unsafe slot(position).deinitialize(count: 1) }
        unsafe slots.deallocate()
    }

    @unsafe @inlinable
    func slot(_ position: Int) -> UnsafeMutablePointer<Element> {
        unsafe slots + (position & (capacity - 1))
    }

    /// How many of `count` positions from `position` on lie beside each other in memory.
    @inlinable
    func contiguous(_ count: Int, from position: Int) -> Int {
        min(count, capacity - (position & (capacity - 1)))
    }

    /// Whether a producer whose tail is `tail` has a free slot, or nobody left to push for.
    @inlinable
    func isReadyForProducer(at tail: Int) -> Bool {
        tail - head.value.load(ordering: .acquiring) < capacity
            || consumerIsGone.value.load(ordering: .acquiring)
    }

    /// Whether a consumer whose head is `head` has an element, or nobody left to wait for.
    @inlinable
    func isReadyForConsumer(at head: Int) -> Bool {
        tail.value.load(ordering: .acquiring) != head || producerIsGone.load(ordering: .acquiring)
    }

    /// How many elements are copied in one call of `memmove`: 2048 bytes, at least one element.
    ///
    /// From 2112 bytes on (`glibc.cpu.x86_rep_movsb_threshold`) glibc 2.36 copies by `rep movsb`,
    /// which AMD Zen 3 does at about 4 GB/s when the destination is not aligned.
    @inlinable
    static var pieceCount: Int { max(1, 2048 / MemoryLayout<Element>.stride) }

    // MARK: For the producer. SAFETY of each: the positions are the producer's, so they are
    // uninitialised and nobody reads them.

    @inlinable
    func fill(_ position: Int, with element: consuming Element) {
        unsafe slot(position).initialize(to: element)
    }

    /// Lets `body` append to the slots from `position` on, at most `count`, which are contiguous.
    ///
    /// - Returns: How many it has appended. What it appended before it threw is gone.
    @inlinable
    func fill<Failure: Error>(
        _ position: Int,
        count: Int,
        with body: (inout OutputSpan<Element>) throws(Failure) -> Void
    ) throws(Failure) -> Int {
        let free = unsafe UnsafeMutableBufferPointer(start: slot(position), count: count)
        var output = unsafe OutputSpan(buffer: free, initializedCount: 0)
        try body(&output)
        // Traps when `body` has put another span in the place of this one.
        return unsafe output.finalize(for: free)
    }

    // MARK: For the consumer. SAFETY of each: the positions are the consumer's, so they are
    // initialised and nobody writes them.

    @inlinable
    func take(_ position: Int) -> Element {
        unsafe slot(position).move()
    }

    /// Moves the elements of `count` positions, which are contiguous, to the end of `output`, which
    /// has space for them.
    @inlinable
    func take(_ position: Int, count: Int, into output: inout OutputSpan<Element>) {
        unsafe output.withUnsafeMutableBufferPointer { buffer, initializedCount in
            var moved = 0
            while moved < count {
                let piece = min(count - moved, Self.pieceCount)
                let end = buffer.extracting(initializedCount..<initializedCount + piece)
                let filled = unsafe UnsafeMutableBufferPointer(
                    start: slot(position + moved),
                    count: piece
                )
                _ = unsafe end.moveInitialize(fromContentsOf: filled)
                initializedCount += piece
                moved += piece
            }
        }
    }

    /// Shows the elements of `count` positions, which are contiguous, to `body`.
    @inlinable
    func view<Result: ~Copyable, Failure: Error>(
        _ position: Int,
        count: Int,
        in body: (Span<Element>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let filled = unsafe UnsafeBufferPointer(start: slot(position), count: count)
        return try body(unsafe filled.span)
    }

    /// Ends the life of the elements of `count` positions, which are contiguous.
    @inlinable
    func empty(_ position: Int, count: Int) {
        unsafe slot(position).deinitialize(count: count)
    }
}

extension RingStorage {
    /// Copies all of `elements` to positions from `position` on, which are contiguous.
    @inlinable
    func fill(_ position: Int, copying elements: Span<Element>) {
        var copied = 0
        while copied < elements.count {
            let piece = min(elements.count - copied, Self.pieceCount)
            unsafe elements.extracting(copied..<copied + piece).withUnsafeBufferPointer { source in
                let free = unsafe UnsafeMutableBufferPointer(
                    start: slot(position + copied),
                    count: piece
                )
                _ = unsafe free.initialize(fromContentsOf: source)
            }
            copied += piece
        }
    }
}

// Unchecked because of `slots`, for which the type's comment is the proof. An element that one
// thread pushes is popped or deinitialised by another, so elements must be `Sendable`.
extension RingStorage: @unchecked Sendable where Element: Sendable & ~Copyable {}
