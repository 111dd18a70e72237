import MailEvents
import Records
import TestSupport
import Testing

@testable import Memory

@Suite struct PairsMaxTests {
    private func name(_ index: Int) -> [UInt8] { Array("a\(index)@x.example".utf8) }

    private func account(_ index: Int, _ memory: inout AccountMemory) -> AccountNumber {
        let name = name(index)
        return memory.account(memory.hash(name.span), name: name.span)
    }

    /// The pairs that were used longest ago leave, whoever's they are; who lost some is forgetful, and
    /// a memory that is restored from what was stored before and after remembers the same.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func theLeastRecentlyUsedPairsLeave(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = MemoryLimits()
        limits.pairsMax = 200
        var memory = AccountMemory(seed: .constant, limits: limits)
        var stored: [[UInt8]: AccountMemory.Piece] = [:]
        var lastUse: [Int: [UInt64: Int]] = [:]
        for day in 20_000..<20_060 {
            memory.sawDay(day)
            for _ in 0..<12 {
                let who = Int.random(in: 0..<10, using: &random)
                let domain = UInt64.random(in: 1...60, using: &random) << 32
                let number = account(who, &memory)
                memory.wrote(number, to: domain, day: day, isReceipt: false)
                lastUse[who, default: [:]][domain] = day
                #expect(memory.pairCount <= 200)
            }
            guard Int.random(in: 0..<6, using: &random) == 0 else { continue }
            for piece in memory.takeChanges() { stored[[piece.kind.rawValue] + piece.key] = piece }
            var restored = AccountMemory(seed: .constant, limits: limits)
            for piece in stored.values { try restored.restore(piece) }
            #expect(restored.pairCount == memory.pairCount)
            for who in 0..<10 {
                let (old, new) = (account(who, &memory), account(who, &restored))
                #expect(memory.isForgetful(old) == restored.isForgetful(new))
                for domain in 1...60 as ClosedRange<UInt64> {
                    #expect(
                        memory.facts(old, domain: domain << 32, day: day)
                            == restored.facts(new, domain: domain << 32, day: day)
                    )
                }
            }
        }
        // What stayed was used no earlier than what left.
        var oldestLeft = Int.max
        var newestGone = 0
        var isSomebodyForgetful = false
        for (who, domains) in lastUse {
            let number = account(who, &memory)
            for (domain, day) in domains {
                let facts = memory.facts(number, domain: domain, day: 20_060)
                if facts.isDomainUnseen {
                    newestGone = max(newestGone, day)
                    #expect(memory.isForgetful(number))
                    isSomebodyForgetful = true
                } else {
                    oldestLeft = min(oldestLeft, day)
                }
            }
        }
        #expect(isSomebodyForgetful)
        #expect(newestGone <= oldestLeft)
        #expect(memory.pairCount > 150)
    }

    /// forall histories: the number of accounts that know a domain is what counting says, when days
    /// pass and pairs leave.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func accountsOfADomainAreThoseThatWroteToItWithinTheMemory(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var limits = MemoryLimits()
        limits.daysMax = 20
        var memory = AccountMemory(seed: .constant, limits: limits)
        var wrote: [UInt64: [Int: Int]] = [:]
        for day in 20_000..<20_100 {
            memory.sawDay(day)
            for _ in 0..<6 {
                let who = Int.random(in: 0..<12, using: &random)
                let domain = UInt64.random(in: 1...8, using: &random) << 32
                let isReceipt = Int.random(in: 0..<4, using: &random) == 0
                memory.wrote(account(who, &memory), to: domain, day: day, isReceipt: isReceipt)
                if !isReceipt { wrote[domain, default: [:]][who] = day }
            }
            for domain in 1...8 as ClosedRange<UInt64> {
                let expected = (wrote[domain << 32] ?? [:]).values.count { day - $0 <= 20 }
                let facts = memory.facts(account(0, &memory), domain: domain << 32, day: day)
                #expect(Int(facts.domainAccounts) == expected)
                #expect(facts.isDomainUnseenByServer == (expected == 0))
            }
        }
    }

    /// Domains may be as many as one likes: the table that counts them finds each.
    @Test func domainCountsFindEachDomain() {
        var counts = DomainCounts()
        var random = SeededGenerator(seed: 5)
        var model: [UInt64: UInt32] = [:]
        var added: [UInt64] = []
        for _ in 0..<20_000 {
            let domain = UInt64.random(in: .min ... .max, using: &random) | 1
            counts.add(domain)
            model[domain] = 1
            added.append(domain)
            guard Bool.random(using: &random) else { continue }
            let known = added.remove(at: Int.random(in: added.indices, using: &random))
            counts.remove(known)
            model[known] = 0
        }
        for (domain, count) in model { #expect(counts[domain] == count) }
        #expect(counts[2] == 0)
    }
}
