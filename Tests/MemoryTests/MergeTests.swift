import Foundation
import MailEvents
@testable import Memory
import Records
import TestSupport
import Testing

/// Memories of two hosts that become one, and accounts that are forgotten.
struct MergeTests {
    private static let accountNames = (0..<4).map { "user\($0)@hosted.example" }
    private static let domainNames = (0..<12).map { "d\($0).example" }

    private func memory(limits: MemoryLimits) -> AccountMemory {
        AccountMemory(seed: .constant, limits: limits)
    }

    /// Limits that are met, and limits that are not.
    private var limits: [MemoryLimits] {
        var small = MemoryLimits()
        small.domainsPerAccountMax = 5
        small.heardPerAccountMax = 3
        return [MemoryLimits(), small]
    }

    private func random(_ seed: UInt64, _ limits: MemoryLimits) -> AccountMemory {
        var random = SeededGenerator(seed: seed)
        var memory = memory(limits: limits)
        for _ in 0..<Int.random(in: 0...60, using: &random) {
            let name = Array(Self.accountNames[Int.random(in: 0..<4, using: &random)].utf8)
            let domain = memory.hash(
                Array(Self.domainNames[Int.random(in: 0..<12, using: &random)].utf8).span
            )
            let day = Int.random(in: 20_000..<20_100, using: &random)
            let account = memory.account(memory.hash(name.span), name: name.span)
            let time =
                Int64(day) * ContactLog.day + Int64.random(in: 0..<ContactLog.day, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 4: memory.sentReceipt(account, at: time)
            case 5: memory.contacted(account, domain, at: time, mayRepeat: true)
            case 0: memory.heard(account, from: domain, day: day)
            case 1: memory.delivered(to: domain, isLocal: Int.random(in: 0..<4, using: &random) > 0)
            case 2: memory.wrote(account, to: domain, day: day, isReceipt: true)
            default: memory.wrote(account, to: domain, day: day, isReceipt: false)
            }
        }
        // What lies back is learnt.
        memory.sawDay(20_101, at: 20_101 * ContactLog.day)
        return memory
    }

    private func merged(_ one: AccountMemory, with other: AccountMemory) -> AccountMemory {
        var memory = one
        other.forEachAccount { memory.merge($0) }
        for host in other.knownHosts { memory.merge(host) }
        return memory
    }

    private func contents(_ memory: AccountMemory) -> [String] {
        var lines: [String] = []
        memory.forEachAccount { lines.append("\($0)") }
        return (lines + memory.knownHosts.map { "\($0)" }).sorted()
    }

    /// forall A, B: A with B is B with A, and again changes nothing.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func mergingIsTheSameInAnyOrderAndOnlyOnce(seed: UInt64) {
        for limits in limits {
            let one = random(seed, limits)
            let other = random(seed + 1_000, limits)
            let both = merged(one, with: other)
            #expect(contents(both) == contents(merged(other, with: one)))
            #expect(contents(merged(both, with: other)) == contents(both))
            #expect(contents(merged(both, with: one)) == contents(both))
            #expect(contents(merged(one, with: one)) == contents(one))
        }
    }

    /// forall A, B: of two baselines the one stays whose weight is greater when both have decayed to
    /// one hour.
    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func theBaselineThatKnowsMoreStays(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        func baseline() -> KnownBaseline {
            let weight = UInt64(1) << UInt64.random(in: 0...34, using: &random)
            return KnownBaseline(
                mean: UInt32.random(in: 0...KnownBaseline.meanMax, using: &random),
                weight: UInt64.random(
                    in: weight...min(2 * weight, KnownBaseline.weightMax),
                    using: &random
                ),
                hour: UInt32.random(in: 400_000...410_000, using: &random)
            )
        }
        let (one, other) = (baseline(), baseline())
        func logarithm(_ it: KnownBaseline) -> Double {
            log2(Double(it.weight)) + Double(it.hour) / 336
        }
        let stays = one.joined(with: other)
        #expect(stays == other.joined(with: one))
        // Nearer than an hour's decay either may stay.
        if abs(logarithm(one) - logarithm(other)) > 1.0 / 300 {
            #expect(stays == (logarithm(one) > logarithm(other) ? one : other))
        }
    }

    /// An account that moves to a host where nobody knows it takes along what is usual for it.
    @Test func whatIsUsualForAnAccountMovesWithIt() {
        var old = memory(limits: MemoryLimits())
        let name = Array("circular@hosted.example".utf8)
        let hash = old.hash(name.span)
        let account = old.account(hash, name: name.span)
        for day in 20_000..<20_060 {
            for domain in 0..<9 {
                let time = Int64(day) * ContactLog.day + Int64(domain) * 60_000_000
                old.contacted(account, UInt64(day * 10 + domain), at: time, mayRepeat: false)
            }
            old.sawDay(day + 1, at: Int64(day + 1) * ContactLog.day)
            old.wrote(account, to: 1, day: day, isReceipt: false)
        }
        let known = old.known(hash)
        #expect((known?.unseenBaseline?.mean ?? 0) >> 16 >= 8)
        var new = merged(memory(limits: MemoryLimits()), with: old)
        var facts = DerivedFacts()
        func surprise(_ memory: inout AccountMemory, of account: AccountNumber) -> UInt16 {
            let start = 20_061 * ContactLog.day
            for domain in 0..<9 {
                let time = start + Int64(domain) * 60_000_000
                memory.contacted(account, UInt64(1_000_000 + domain), at: time, mayRepeat: false)
            }
            facts.accountAgeDays = 60
            memory.addActivity(of: account, at: start + 600_000_000, to: &facts)
            return facts.unseenSurpriseTenths
        }
        let there = new.account(hash, name: name.span)
        let onNew = surprise(&new, of: there)
        #expect(onNew == surprise(&old, of: account))
        var blank = memory(limits: MemoryLimits())
        let stranger = blank.account(hash, name: name.span)
        #expect(surprise(&blank, of: stranger) > onNew)
    }

    /// What is merged is what comes back from the disk.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func whatWasMergedIsStored(seed: UInt64) throws {
        var both = merged(random(seed, MemoryLimits()), with: random(seed + 9, MemoryLimits()))
        var restored = memory(limits: MemoryLimits())
        for piece in both.takeChanges() { try restored.restore(piece) }
        #expect(contents(restored) == contents(both))
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func aForgottenAccountLeavesTheDiskAndMayComeAgain(seed: UInt64) throws {
        var memory = random(seed, MemoryLimits())
        var stored: [[UInt8]: AccountMemory.Piece] = [:]
        func store() {
            for key in memory.takeForgotten() { stored[key] = nil }
            for piece in memory.takeChanges() where piece.kind == .account {
                stored[piece.key] = piece
            }
        }
        store()
        let before = contents(memory)
        let name = Array(Self.accountNames[1].utf8)
        let hash = memory.hash(name.span)
        let known = memory.known(hash)
        let forgotten = memory.forget(hash)
        #expect(forgotten == known)
        let again = memory.forget(hash)
        #expect(again == nil)
        #expect(memory.known(hash) == nil)
        store()
        var restored = self.memory(limits: MemoryLimits())
        for piece in stored.values { try restored.restore(piece) }
        #expect(restored.known(hash) == nil)
        #expect(contents(memory) == before.filter { !$0.contains("\(name)") })
        // It comes again, as one that nobody knew.
        let account = memory.account(hash, name: name.span)
        let contact = memory.wrote(account, to: 7, day: 20_200, isReceipt: false)
        #expect(!contact.isRepeated)
        #expect(memory.known(hash)?.wroteTo.map(\.hash) == [7])
        store()
        #expect(stored.values.contains { $0.body.contains(name) })
    }

    @Test func aNameIsNotedOnceWhileItIsFresh() {
        var memory = memory(limits: MemoryLimits())
        memory.names = DomainNames()
        for name in ["a.example", "b.example", "a.example"] {
            let bytes = Array(name.utf8)
            let hash = memory.hash(bytes.span)
            memory.names?.note(hash, bytes.span)
        }
        let changes = memory.takeChanges()
        let names = changes.filter { $0.kind == .name }
        #expect(
            names.map { String(decoding: $0.body, as: UTF8.self) } == [
                "a.example", "b.example",
            ]
        )
    }
}

extension Array where Element == UInt8 {
    fileprivate func contains(_ other: [UInt8]) -> Bool {
        indices.contains { self[$0...].starts(with: other) }
    }
}
