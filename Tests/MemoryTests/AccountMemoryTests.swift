import MailEvents
import Memory
import Records
import TestSupport
import Testing

/// What ``AccountMemory`` promises, in the plainest form: lists and loops.
private struct Model {
    struct Entry { var day = 0; var heardDays = 0; var heardLast = 0 }
    var wrote: [String: [(domain: String, day: Int)]] = [:]
    var heard: [String: [(domain: String, day: Int, count: Int)]] = [:]
    let domainsMax: Int
    let heardMax: Int
    let daysMax: Int

    mutating func write(_ account: String, _ domain: String, _ day: Int, isReceipt: Bool) {
        var list = wrote[account] ?? []
        if let index = list.firstIndex(where: { $0.domain == domain }) {
            if !isReceipt { list[index].day = max(list[index].day, day) }
        } else {
            list.append((domain, isReceipt ? 0 : day))
            if list.count > domainsMax {
                // Which of several equally old ones leaves is not promised; the test avoids ties.
                let others = list.dropLast()
                if let oldest = others.min(by: { $0.day < $1.day }),
                    let index = list.firstIndex(where: { $0.domain == oldest.domain })
                {
                    list.remove(at: index)
                }
            }
        }
        wrote[account] = list
    }

    mutating func hear(_ account: String, _ domain: String, _ day: Int) {
        var list = heard[account] ?? []
        if let index = list.firstIndex(where: { $0.domain == domain }) {
            if list[index].day < day { list[index] = (domain, day, list[index].count + 1) }
        } else {
            list.append((domain, day, 1))
        }
        heard[account] = list
    }

    func isUnseen(_ account: String, _ domain: String, _ day: Int) -> Bool {
        guard let known = wrote[account]?.first(where: { $0.domain == domain }), known.day > 0
        else {
            return true
        }
        return day - known.day > daysMax
    }

    func heardDays(_ account: String, _ domain: String) -> Int {
        heard[account]?.first { $0.domain == domain }?.count ?? 0
    }
}

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension AccountMemory {
    fileprivate mutating func account(_ name: [UInt8]) -> AccountNumber {
        account(hash(name.span), name: name.span)
    }
}

@Suite struct AccountMemoryTests {
    /// forall histories: what it says equals the model, also when it was stored and restored on the
    /// way, in pieces of any order.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func whatItSaysEqualsTheModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = MemoryLimits()
        limits.domainsPerAccountMax = 6
        limits.daysMax = 40
        var memory = AccountMemory(seed: .constant, limits: limits)
        var model = Model(domainsMax: 6, heardMax: 256, daysMax: 40)
        var stored: [[UInt8]: AccountMemory.Piece] = [:]
        for day in 20_000..<20_160 {
            let account = "a\(Int.random(in: 0..<3, using: &random))"
            let domain = "d\(Int.random(in: 0..<9, using: &random)).example"
            memory.sawDay(day)
            var number = memory.account(bytes(account))
            let hash = memory.hash(bytes(domain).span)
            let facts = memory.facts(number, domain: hash, day: day)
            #expect(facts.isDomainUnseen == model.isUnseen(account, domain, day))
            #expect(Int(facts.domainHeardDays ?? 99) == model.heardDays(account, domain))
            #expect(facts.memoryDays == UInt32(day - 20_000))
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                memory.heard(number, from: hash, day: day)
                model.hear(account, domain, day)
            case 1:
                memory.wrote(number, to: hash, day: day, isReceipt: true)
                model.write(account, domain, day, isReceipt: true)
            default:
                memory.wrote(number, to: hash, day: day, isReceipt: false)
                model.write(account, domain, day, isReceipt: false)
            }
            guard Int.random(in: 0..<5, using: &random) == 0 else { continue }
            for piece in memory.takeChanges() { stored[[piece.kind.rawValue] + piece.key] = piece }
            var restored = AccountMemory(seed: .constant, limits: limits)
            for piece in stored.values { try restored.restore(piece) }
            memory = restored
            number = memory.account(bytes(account))
        }
    }

    @Test func receiptsDoNotTeach() {
        var memory = AccountMemory(seed: .constant)
        let account = memory.account(bytes("a"))
        let domain = memory.hash(bytes("d.example").span)
        memory.wrote(account, to: domain, day: 20_000, isReceipt: true)
        let facts1 = memory.facts(account, domain: domain, day: 20_000)
        #expect(facts1.isDomainUnseen)
        memory.wrote(account, to: domain, day: 20_000, isReceipt: false)
        let facts2 = memory.facts(account, domain: domain, day: 20_400)
        #expect(!facts2.isDomainUnseen)
        let facts3 = memory.facts(account, domain: domain, day: 20_401)
        #expect(facts3.isDomainUnseen)
    }

    @Test func aDomainIsInternalAfterThreeLocalDeliveriesAndNoRemoteOne() {
        var memory = AccountMemory(seed: .constant)
        let domain = memory.hash(bytes("hosted.example").span)
        for count in 1...4 {
            memory.delivered(to: domain, isLocal: true)
            #expect(memory.isInternal(domain) == (count >= 3))
        }
        memory.delivered(to: domain, isLocal: false)
        #expect(!memory.isInternal(domain))
        memory.delivered(to: domain, isLocal: true)
        #expect(!memory.isInternal(domain))
    }

    /// An account that writes to ever new domains forgets its own oldest, and nobody else's.
    @Test func oneAccountCannotMakeAnotherForget() {
        var limits = MemoryLimits()
        limits.domainsPerAccountMax = 100
        var memory = AccountMemory(seed: .constant, limits: limits)
        let quiet = memory.account(bytes("quiet"))
        let loud = memory.account(bytes("loud"))
        let home = memory.hash(bytes("home.example").span)
        memory.wrote(quiet, to: home, day: 20_000, isReceipt: false)
        for index in 0..<1_000 {
            let domain = memory.hash(bytes("x\(index).example").span)
            memory.wrote(loud, to: domain, day: 20_000 + index / 100, isReceipt: false)
        }
        let facts4 = memory.facts(quiet, domain: home, day: 20_010)
        #expect(!facts4.isDomainUnseen)
        #expect(!memory.isForgetful(quiet))
        #expect(memory.isForgetful(loud))
        #expect(memory.counters.domainsForgotten == 900)
        #expect(memory.pairCount == 101)
    }

    /// Who reads the same lines twice and joins what came of it knows no more than after the first
    /// time; a copy that went to another server is never forgotten.
    @Test func joiningDomainsKeepsTheHigherCountAndAnyRemoteDelivery() throws {
        func piece(local: Int, isRemote: Bool) -> AccountMemory.Piece {
            var memory = AccountMemory(seed: .constant)
            let domain = memory.hash(bytes("hosted.example").span)
            for _ in 0..<local { memory.delivered(to: domain, isLocal: true) }
            if isRemote { memory.delivered(to: domain, isLocal: false) }
            return memory.takeChanges()[0]
        }
        for left in 1...3 {
            for right in 1...3 {
                for (isLeftRemote, isRightRemote) in [(false, false), (true, false), (false, true)]
                {
                    let one = piece(local: left, isRemote: isLeftRemote)
                    let other = piece(local: right, isRemote: isRightRemote)
                    let expected = piece(
                        local: max(left, right),
                        isRemote: isLeftRemote || isRightRemote
                    )
                    #expect(try AccountMemory.joined(domain: one, with: other.body) == expected)
                }
            }
        }
        #expect(throws: BinaryReadError.self) {
            try AccountMemory.joined(domain: piece(local: 1, isRemote: false), with: [1, 2])
        }
    }

    @Test func domainsCanBeRestoredWithTheirCountsToBeMadeAnew() throws {
        var memory = AccountMemory(seed: .constant)
        let domain = memory.hash(bytes("hosted.example").span)
        for _ in 0..<3 { memory.delivered(to: domain, isLocal: true) }
        var again = AccountMemory(seed: .constant)
        for piece in memory.takeChanges() { try again.restore(piece, countsAnew: true) }
        #expect(!again.isInternal(domain))
        for _ in 0..<3 { again.delivered(to: domain, isLocal: true) }
        #expect(again.isInternal(domain))
    }

    @Test func pairsOfReceiptsAloneAreNotKnown() {
        var memory = AccountMemory(seed: .constant)
        let account = memory.account(bytes("a"))
        memory.wrote(account, to: 1, day: 20_000, isReceipt: true)
        memory.wrote(account, to: 2, day: 20_000, isReceipt: false)
        memory.heard(account, from: 3, day: 20_000)
        #expect(memory.pairCount == 3)
        #expect(memory.knownPairCount == 2)
    }

    /// forall changed bytes of a stored piece: an error or a piece, never a trap.
    @Test func damagedPiecesDoNotTrap() throws {
        var memory = AccountMemory(seed: .constant)
        let account = memory.account(bytes("a@hosted.example"))
        for index in 0..<5 {
            let domain = memory.hash(bytes("d\(index)").span)
            memory.wrote(account, to: domain, day: 20_000, isReceipt: false)
            memory.heard(account, from: domain, day: 20_000)
        }
        for piece in memory.takeChanges() {
            for index in piece.body.indices {
                for byte in [0, 1, 0x7f, 0xff] as [UInt8] {
                    var changed = piece
                    changed.body[index] = byte
                    var other = AccountMemory(seed: .constant)
                    _ = try? other.restore(changed)
                }
                var short = piece
                short.body.removeSubrange(index...)
                var other = AccountMemory(seed: .constant)
                #expect(throws: BinaryReadError.self) { try other.restore(short) }
            }
        }
    }
}
