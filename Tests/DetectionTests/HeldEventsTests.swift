import MailEvents
import Records
import Sigma
import TestSupport
import Testing

@testable import Detection

/// Events that windows and alerts hold, against dictionaries that know the same.
struct HeldEventsTests {
    private struct Known {
        var subject: String
        var serial: UInt64
        var recipient: UInt32
        var uses = 0
        var delivery = Delivery.unknown
        var blocklist: String?
    }

    private func event(_ subject: String) -> SendEvent {
        var event = SendEvent()
        event.subject = event.append(Array(subject.utf8).span)
        return event
    }

    /// forall histories of taking in, using, settling and letting go, through restarts.
    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func heldEventsAreThoseThatSomebodyUses(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var held = HeldEvents()
        var model: [HeldID: Known] = [:]
        func check(_ held: HeldEvents) {
            for (id, known) in model {
                let found = held[id]
                #expect(found?.event.string(found?.event.subject ?? .absent) == known.subject)
                #expect(found?.serial == known.serial && found?.recipient == known.recipient)
                #expect(found?.event.delivery == known.delivery)
                #expect(found?.blocklist == known.blocklist)
                #expect(held.id(serial: known.serial, recipient: known.recipient) == id)
            }
            #expect(held.byteCount == model.values.reduce(0) { $0 + $1.subject.utf8.count + 320 })
        }
        for step in 0..<600 {
            let ids = model.keys.sorted()
            switch Int.random(in: 0..<8, using: &random) {
            case 0...3:
                let serial = UInt64.random(in: 0..<40, using: &random) * 7_919
                let recipient = UInt32(step)
                let known = Known(subject: "s\(step)", serial: serial, recipient: recipient)
                let id = held.insert(event(known.subject), serial: serial, recipient: recipient)
                #expect(model[id] == nil && held.contains(id))
                if Int.random(in: 0..<4, using: &random) == 0 {
                    held.dropIfUnused(id)
                    #expect(!held.contains(id))
                } else {
                    model[id] = known
                    for _ in 0..<Int.random(in: 1...2, using: &random) {
                        let isThere = held.use(id)
                        #expect(isThere)
                        model[id]?.uses += 1
                    }
                }
            case 4...5:
                guard let id = ids.randomElement(using: &random) else { continue }
                held.giveBack(id)
                model[id]?.uses -= 1
                if model[id]?.uses == 0 {
                    model[id] = nil
                    #expect(held[id] == nil && !held.contains(id))
                    let released = held.takeReleasedSerials().count
                    #expect(released == 1)
                }
            case 6:
                guard let id = ids.randomElement(using: &random) else { continue }
                let blocklist = Bool.random(using: &random) ? "zen.example" : nil
                held.settle(id, delivery: .bounced, microseconds: 5, blocklist: blocklist)
                model[id]?.delivery = .bounced
                if let blocklist { model[id]?.blocklist = blocklist }
            default:
                guard step % 10 == 0 else { continue }
                var restored = HeldEvents()
                for id in ids.shuffled(using: &random) {
                    var writer = BinaryWriter()
                    #expect(held.write(id, to: &writer))
                    var reader = BinaryReader(writer.bytes)
                    try restored.restore(id, from: &reader)
                    for _ in 0..<(model[id]?.uses ?? 0) { restored.use(id) }
                }
                restored.dropUnused()
                held = restored
                check(held)
            }
        }
        check(held)
    }

    @Test func whatNobodyUsesAfterARestartGoes() throws {
        var held = HeldEvents()
        let ids = (0..<3).map { held.insert(event("s\($0)"), serial: 1, recipient: UInt32($0)) }
        var restored = HeldEvents()
        for id in ids {
            var writer = BinaryWriter()
            #expect(held.write(id, to: &writer))
            var reader = BinaryReader(writer.bytes)
            try restored.restore(id, from: &reader)
            var again = BinaryReader(writer.bytes)
            #expect(throws: BinaryReadError.self) { try restored.restore(id, from: &again) }
        }
        restored.use(ids[1])
        restored.dropUnused()
        let there = ids.map { restored.contains($0) }
        #expect(there == [false, true, false])
        #expect(restored.id(serial: 1, recipient: 1) == ids[1])
        #expect(restored.id(serial: 1, recipient: 2) == nil)
    }

    /// Many that came one after the other go one after the other: no run of places grows long.
    @Test func aHundredThousandComeAndGo() {
        var held = HeldEvents()
        let ids = (0..<100_000).map { number in
            held.insert(event(""), serial: UInt64(number), recipient: 0)
        }
        for id in ids { held.use(id) }
        for id in ids { held.giveBack(id) }
        let left = held.byteCount
        #expect(left == 0)
        let found = ids.count { held.contains($0) }
        #expect(found == 0)
    }

    /// forall events whose texts begin, end or are like one another: the same texts, in fewer bytes.
    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func aCompactedEventSaysTheSame(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let texts = [
            "", "a@b.example", "b.example", "A@b.example", "Not read: b.example", "example",
        ]
        let ranges: [WritableKeyPath<SendEvent, TextRange>] = [
            \.user, \.account, \.sourceIP, \.sourceDomain, \.queueID, \.messageID, \.sender,
            \.recipient, \.domain, \.subject, \.payload, \.host,
        ]
        var event = event("what its message said")
        event.subject = .absent
        for range in ranges where Int.random(in: 0..<5, using: &random) > 0 {
            let text = texts[Int.random(in: 0..<texts.count, using: &random)]
            event[keyPath: range] = event.append(Array(text.utf8).span)
        }
        let compacted = event.compacted()
        for range in ranges {
            #expect(
                compacted.string(compacted[keyPath: range]) == event.string(event[keyPath: range])
            )
        }
        let all = ranges.reduce(0) { $0 + event[keyPath: $1].indices.count }
        #expect(compacted.text.count <= all)
        let again = compacted.compacted()
        #expect(again.text == compacted.text)
    }

    /// An entry holds what it was made of, up to the bounds of each part.
    @Test(arguments: [Int64.min >> 2, -1, 0, 1_772_359_200_000_001, .max >> 2])
    func anEntryHoldsWhatItWasMadeOf(time: Int64) throws {
        let figures: [WindowEntry.Figure] = [
            .none, .value(.max), .number(Number(Int64.min)), .number(Number(-0.5)),
        ]
        for figure in figures {
            for (rule, held) in [(0, UInt64(0)), (65_535, HeldID.max)] {
                let entry = WindowEntry(
                    microseconds: time,
                    rule: rule,
                    held: HeldID(held),
                    figure: figure
                )
                #expect(entry.rule == UInt16(rule) && entry.held == HeldID(held))
                // The least of 62 bits is not used.
                #expect(entry.microseconds == max(time, -(Int64.max >> 2)))
                switch figure {
                case .none: #expect(entry.value == 0 && entry.number == nil)
                case .value(let value): #expect(entry.value == value && entry.number == nil)
                case .number(let number): #expect(entry.value == 0 && entry.number == number)
                }
                var writer = BinaryWriter()
                entry.write(to: &writer)
                var reader = BinaryReader(writer.bytes)
                let read = try WindowEntry(from: &reader, version: 2, countsValues: true)
                #expect(read == entry)
            }
        }
        var writer = BinaryWriter()
        writer.write(Int64.max)
        writer.write(UInt16(0))
        writer.write(UInt64(1))
        writer.write(UInt8(0))
        writer.write(UInt64(0))
        var reader = BinaryReader(writer.bytes)
        #expect(throws: BinaryReadError.self) {
            try WindowEntry(from: &reader, version: 2, countsValues: true)
        }
    }
}
