import RingBuffer
import Testing

/// What one end of the ring is told to do. Batches are of three, so that they are larger than a
/// ring of two, straddle the end of a ring of four, and can meet a ring that has less.
private enum Step: Int, CaseIterable {
    case push, pushInPlace, pushInPlaceButThrow, finish
    case pop, popInto, popEach, popEachButThrow, popInPlace, dropConsumer
}

private struct Refusal: Error {}

/// The ring as a plain queue: the oracle.
private struct ModelQueue {
    let capacity: Int
    var queue: [Int] = []
    /// Positions since the start, because batches in place end where the memory does.
    var pushed = 0
    var popped = 0
    var finished = false
    var consumerGone = false

    var free: Int { consumerGone ? 0 : capacity - queue.count }
    var freeInPlace: Int { min(free, capacity - pushed % capacity) }
    var filledInPlace: Int { min(queue.count, capacity - popped % capacity) }

    mutating func push(_ numbers: some Sequence<Int>) {
        for number in numbers {
            queue.append(number)
            pushed += 1
        }
    }

    mutating func pop(_ count: Int) -> [Int] {
        let numbers = Array(queue.prefix(count))
        queue.removeFirst(count)
        popped += count
        return numbers
    }
}

/// A ring of elements that are tracked, beside its model.
private struct RingBesideModel: ~Copyable {
    let tracker = Tracker()
    var producer: RingProducer<Tracked>?
    var consumer: RingConsumer<Tracked>?
    var model: ModelQueue
    var next = 0

    init(capacity: Int, _ bells: (producer: Bell, consumer: Bell)) {
        let ring = makeRing(
            of: Tracked.self,
            capacity: capacity,
            producerBell: bells.producer,
            consumerBell: bells.consumer
        )
        producer = consume ring.producer
        consumer = consume ring.consumer
        model = ModelQueue(capacity: capacity)
    }

    /// False when the end that should act is gone already.
    mutating func take(_ step: Step) -> Bool {
        switch step {
        case .push, .pushInPlace, .pushInPlaceButThrow, .finish:
            guard var end = producer.take() else { return false }
            if step == .finish {
                end.finish()
                model.finished = true
            } else {
                act(step, &end)
                producer = consume end
            }
        case .pop, .popInto, .popEach, .popEachButThrow, .popInPlace, .dropConsumer:
            guard var end = consumer.take() else { return false }
            if step == .dropConsumer {
                model.consumerGone = true
            } else {
                act(step, &end)
                consumer = consume end
            }
        }
        return true
    }

    private mutating func act(_ step: Step, _ producer: inout RingProducer<Tracked>) {
        let free = model.free
        switch step {
        case .push:
            let refused = producer.push(Tracked(next, tracker))
            if let refused {
                #expect(refused.number == next)
                #expect(free == 0)
            } else {
                #expect(free > 0)
                model.push([next])
            }
            next += 1
        case .pushInPlace:
            let expected = min(3, model.freeInPlace)
            let pushed = producer.pushInPlace(upTo: 3) { output in
                while !output.isFull {
                    output.append(Tracked(next, tracker))
                    next += 1
                }
            }
            #expect(pushed == expected)
            model.push(next - pushed..<next)
        case .pushInPlaceButThrow:
            var threw = false
            do {
                _ = try producer.pushInPlace(upTo: 3) { output throws(Refusal) in
                    output.append(Tracked(next, tracker))
                    next += 1
                    throw Refusal()
                }
            } catch {
                threw = true
            }
            #expect(threw == (free > 0))
        default: Issue.record("Not a step of the producer: \(step)")
        }
        #expect(producer.isReady == (model.free > 0 || model.consumerGone))
        #expect(producer.consumerIsGone == model.consumerGone)
    }

    private mutating func act(_ step: Step, _ consumer: inout RingConsumer<Tracked>) {
        var numbers: [Int] = []
        let expected: [Int]
        switch step {
        case .pop:
            expected = model.pop(min(1, model.queue.count))
            if let element = consumer.pop() { numbers.append(element.number) }
        case .popInto:
            expected = model.pop(min(3, model.queue.count))
            // What comes out lives in memory of another ring until that is dropped.
            numbers = popIntoFreshMemory(&consumer)
        case .popEach:
            expected = model.pop(min(3, model.queue.count))
            _ = consumer.popEach(upTo: 3) { numbers.append($0.number) }
        case .popEachButThrow:
            expected = model.pop(min(2, model.queue.count))
            _ = try? consumer.popEach(upTo: 3) { element throws(Refusal) in
                numbers.append(element.number)
                if numbers.count == 2 { throw Refusal() }
            }
        case .popInPlace:
            // Sees up to three and is done with all but the last.
            let seen = min(3, model.filledInPlace)
            expected = model.pop(max(0, seen - 1))
            let popped = consumer.popInPlace(upTo: 3) { elements in
                #expect(elements.count == seen)
                for index in 0..<elements.count - 1 { numbers.append(elements[index].number) }
                return elements.count - 1
            }
            #expect(popped == expected.count)
        default: expected = []
        }
        #expect(numbers == expected)
        #expect(consumer.isReady == (!model.queue.isEmpty || model.finished))
        #expect(consumer.isAtEnd == (model.queue.isEmpty && model.finished))
    }
}

/// Pops up to three, of which the first place is taken already.
private func popIntoFreshMemory(_ consumer: inout RingConsumer<Tracked>) -> [Int] {
    let memory = UnsafeMutableBufferPointer<Tracked>.allocate(capacity: 4)
    defer { unsafe memory.deallocate() }
    // SAFETY: `memory` outlives `output`, whose end deinitialises what is in it.
    var output = unsafe OutputSpan(buffer: memory, initializedCount: 0)
    output.append(Tracked(-1, Tracker()))
    let count = consumer.pop(into: &output)
    #expect(output.count == count + 1)
    return (0..<count).map { output.span[$0 + 1].number }
}

@Suite struct RingModelTests {
    /// forall sequences of steps up to a length: the ring gives what a queue gives, says of itself
    /// what the queue says, and every element made ends exactly once.
    @Test(arguments: [1, 2, 4])
    func everySequenceOfStepsGivesWhatAQueueGives(capacity: Int) throws {
        let bells = (producer: try Bell(), consumer: try Bell())
        var sequences = 0
        for first in Step.allCases {
            sequences += check([first], upTo: 5, capacity, bells)
        }
        #expect(sequences > 10_000)
    }

    /// The same for longer sequences of the steps that move single elements and batches.
    @Test(arguments: [1, 2, 4])
    func everyLongSequenceOfPushesAndPopsGivesWhatAQueueGives(capacity: Int) throws {
        let bells = (producer: try Bell(), consumer: try Bell())
        for first in [Step.push, .pushInPlace] {
            _ = check([first], upTo: 8, capacity, bells, of: [.push, .pushInPlace, .pop, .popInto])
        }
    }

    /// Runs `steps` from a fresh ring, and then every longer sequence that starts so.
    private func check(
        _ steps: [Step],
        upTo length: Int,
        _ capacity: Int,
        _ bells: (producer: Bell, consumer: Bell),
        of alphabet: [Step] = Step.allCases
    ) -> Int {
        guard run(steps, capacity, bells) else { return 0 }
        if steps.count == length { return 1 }
        return alphabet.reduce(1) {
            $0 + check(steps + [$1], upTo: length, capacity, bells, of: alphabet)
        }
    }

    /// False when a step had no end left to act on.
    private func run(
        _ steps: [Step],
        _ capacity: Int,
        _ bells: (producer: Bell, consumer: Bell)
    ) -> Bool {
        let tracker: Tracker
        do {
            var ring = RingBesideModel(capacity: capacity, bells)
            tracker = ring.tracker
            for step in steps where !ring.take(step) { return false }
            // Both ends are dropped here, with elements inside.
        }
        if !tracker.isBalanced {
            Issue.record("After \(steps) \(tracker.alive) are alive, or one ended twice")
        }
        return true
    }

    /// forall capacities and batch sizes: copied batches come out as they went in, also batches
    /// that are larger than one piece of a copy (2048 bytes) and that wrap.
    @Test(arguments: [1, 2, 4, 64, 1024], [1, 3, 17, 300, 1024, 1500])
    func copiedBatchesComeOutAsTheyWentIn(capacity: Int, batch: Int) throws {
        let ring = makeRing(
            of: InlineArray<3, Int>.self,
            capacity: capacity,
            producerBell: try Bell(),
            consumerBell: try Bell()
        )
        var producer = ring.producer
        var consumer = ring.consumer
        var pushed = 0
        var popped = 0
        let memory = UnsafeMutableBufferPointer<InlineArray<3, Int>>.allocate(capacity: batch)
        defer { unsafe memory.deallocate() }
        for _ in 0..<7 {
            let source = (pushed..<pushed + batch).map { InlineArray<3, Int>(repeating: $0) }
            let count = producer.push(contentsOf: source.span)
            #expect(count == min(batch, capacity - (pushed - popped)))
            pushed += count
            // Less than went in, so that the next one starts elsewhere.
            let wanted = max(1, count * 2 / 3)
            let part = memory.extracting(..<min(wanted, batch))
            // SAFETY: `memory` outlives `output`; the elements need no end of life.
            var output = unsafe OutputSpan(buffer: part, initializedCount: 0)
            _ = consumer.pop(into: &output)
            for index in 0..<output.count {
                let element = output.span[index]
                #expect((0..<3).allSatisfy { element[$0] == popped })
                popped += 1
            }
        }
    }
}
