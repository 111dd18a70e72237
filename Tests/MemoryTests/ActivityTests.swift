import MailEvents
import Records
import TestSupport
import Testing

@testable import Memory

/// What an account did, as plain lists.
private struct Model {
    var contacts: [(domain: UInt64, time: Int64)] = []
    var receipts: [Int64] = []
    var returns: [Int64] = []

    static let hour: Int64 = 3_600_000_000
    static let day = 24 * hour

    func unseen(_ window: Int64, _ now: Int64) -> Int {
        Set(contacts.filter { $0.time <= now && $0.time > now - window }.map(\.domain)).count
    }

    func receiptsInDay(_ now: Int64) -> Int {
        receipts.count { $0 <= now && $0 > now - Self.day }
    }

    func returnsInDay(_ now: Int64) -> Int { returns.count { $0 <= now && $0 > now - Self.day } }
}

@Suite struct ActivityTests {
    /// forall histories: counts of the hour and the day equal the model's, and a memory that was
    /// stored and restored on the way says the same as one that was not, surprise included.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func countsEqualTheModelAndSurviveARestart(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var memory = AccountMemory(seed: .constant)
        var restarted = AccountMemory(seed: .constant)
        var stored: [[UInt8]: AccountMemory.Piece] = [:]
        var models = [Model](repeating: Model(), count: 3)
        let names = ["a@x.example", "b@x.example", "c@x.example"].map { Array($0.utf8) }
        var now: Int64 = 1_772_000_000_000_000
        for step in 0..<600 {
            now += Int64.random(in: 0...4_000_000_000, using: &random)
            if Int.random(in: 0..<40, using: &random) == 0 { now += 2 * Model.day }
            let who = Int.random(in: 0..<3, using: &random)
            let domain = UInt64.random(in: 1...20, using: &random) << 40
            let isReceipt = Int.random(in: 0..<3, using: &random) == 0
            let isReturn = Int.random(in: 0..<8, using: &random) == 0
            let day = Int(now / Model.day)
            func act(_ memory: inout AccountMemory) -> DerivedFacts {
                memory.sawDay(day, at: now)
                let name = names[who]
                let account = memory.account(memory.hash(name.span), name: name.span)
                var facts = memory.facts(account, domain: domain, day: day)
                if isReturn {
                    memory.returned(to: account, at: now)
                } else {
                    // Receipts only, so that domains stay unseen and repeat.
                    let contact = memory.wrote(account, to: domain, day: day, isReceipt: true)
                    memory.contacted(account, domain, at: now, mayRepeat: contact.isRepeated)
                    if isReceipt { memory.sentReceipt(account, at: now) }
                }
                memory.addActivity(of: account, at: now, to: &facts)
                return facts
            }
            if isReturn {
                if models[who].receiptsInDay(now) > 0 { models[who].returns.append(now) }
            } else {
                models[who].contacts.append((domain, now))
                if isReceipt { models[who].receipts.append(now) }
            }
            let facts = act(&memory)
            #expect(Int(facts.unseenDomainsHour) == models[who].unseen(Model.hour, now))
            #expect(Int(facts.unseenDomainsDay) == models[who].unseen(Model.day, now))
            #expect(Int(facts.receiptsDay) == models[who].receiptsInDay(now))
            #expect(Int(facts.returnsDay) == models[who].returnsInDay(now))
            #expect(act(&restarted) == facts, "step \(step)")
            guard Int.random(in: 0..<10, using: &random) == 0 else { continue }
            for piece in restarted.takeChanges() {
                stored[[piece.kind.rawValue] + piece.key] = piece
            }
            restarted = AccountMemory(seed: .constant)
            let kinds: [AccountMemory.Piece.Kind] = [
                .horizon, .account, .activity, .domain, .clock,
            ]
            for kind in kinds {
                for piece in stored.values where piece.kind == kind {
                    try restarted.restore(piece)
                }
            }
        }
    }

    /// A day's flood is counted up to its bound, and costs no more memory.
    @Test func contactsAreBounded() {
        var log = ContactLog()
        for index in 0..<10_000 as Range<Int64> {
            log.add(
                UInt64(index),
                at: 1_772_000_000_000_000 + index * 1_000,
                mayRepeat: false,
                window: ContactLog.hour
            )
        }
        let end: Int64 = 1_772_000_000_000_000 + 10_000_000
        #expect(log.count(in: ContactLog.hour, endingAt: end) == ContactLog.countMax)
        #expect(log.surprise(at: end, window: ContactLog.hour, ageDays: 100) == 9_999)
    }

    /// forall changed bytes of a stored piece: an error or a piece, never a trap.
    @Test func damagedPiecesDoNotTrap() throws {
        var memory = AccountMemory(seed: .constant)
        let name = Array("a@hosted.example".utf8)
        let account = memory.account(memory.hash(name.span), name: name.span)
        let now: Int64 = 1_772_000_000_000_000
        memory.sawDay(20_509, at: now)
        for index in 0..<5 as Range<Int64> {
            memory.contacted(account, UInt64(index + 1), at: now + index, mayRepeat: true)
            memory.sentReceipt(account, at: now + index)
            memory.returned(to: account, at: now + index)
        }
        _ = memory.wrote(account, to: 1, day: 20_509, isReceipt: false)
        let pieces = memory.takeChanges()
        let accounts = pieces.filter { $0.kind == .account }
        for piece in pieces where piece.kind == .activity || piece.kind == .horizon {
            for index in piece.body.indices {
                for byte in [0, 1, 0x7f, 0xff] as [UInt8] {
                    var other = AccountMemory(seed: .constant)
                    for known in accounts { try other.restore(known) }
                    var changed = piece
                    changed.body[index] = byte
                    guard (try? other.restore(changed)) != nil else { continue }
                    var facts = DerivedFacts()
                    let number = other.account(other.hash(name.span), name: name.span)
                    other.sawDay(20_600, at: now + Model.day * 90)
                    other.contacted(number, 9, at: now + Model.day * 90, mayRepeat: true)
                    other.addActivity(of: number, at: now + Model.day * 90, to: &facts)
                }
            }
        }
    }
}
