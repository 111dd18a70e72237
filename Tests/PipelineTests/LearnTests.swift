import Evidence
import Findings
import Foundation
import LogSources
import MailEvents
import Memory
import Records
import State
import SystemPackage
import TestSupport
import Testing

@testable import Pipeline

/// What a state remembers, asked as an engine asks it.
private func remembered(_ store: StateStore) throws -> AccountMemory {
    var memory = AccountMemory(seed: try HashSeed(bytes: store.origin.hashSeed))
    for (kind, stored) in [
        (PieceKind.memoryHorizon, AccountMemory.Piece.Kind.horizon),
        (.memoryAccount, .account), (.memoryActivity, .activity),
        (.memoryDomain, .domain), (.memoryClock, .clock),
    ] {
        for piece in try pieces(kind, store) {
            try memory.restore(.init(kind: stored, key: piece.key, body: piece.body))
        }
    }
    return memory
}

private func pieces(
    _ kind: PieceKind,
    _ store: StateStore
) throws -> [(key: [UInt8], body: [UInt8])] {
    var found: [(key: [UInt8], body: [UInt8])] = []
    try store.forEachPiece(kind) { key, body in
        found.append((key.copied, body.copied))
        return true
    }
    return found
}

private let memoryKinds = [
    PieceKind.memoryHorizon, .memoryAccount, .memoryActivity, .memoryDomain, .memoryClock,
]

private func image(_ store: StateStore) throws -> [[UInt8]] {
    try memoryKinds.flatMap { kind in try pieces(kind, store).map { $0.key + $0.body } }
}

/// One message of an account to one recipient, with a stamp on that day of March.
private func message(_ id: String, day: Int, to recipient: String, subject: String) -> String {
    let stamp = "2026-03-0\(day)T10:00:00+00:00 mx1 postfix/"
    let receipt = subject.hasPrefix("Not read:")
    let sender = receipt ? "" : "alice@hosted.example"
    return stamp
        + "submission/smtpd[7]: \(id): client=pc[192.0.2.7], sasl_method=LOGIN, "
        + "sasl_username=alice@hosted.example\n"
        + stamp
        + "cleanup[8]: \(id): info: header Subject: \(subject) from pc[192.0.2.7]; "
        + "from=<\(sender)> to=<\(recipient)> proto=ESMTP helo=<pc>\n"
        + stamp + "qmgr[9]: \(id): from=<\(sender)>, size=700, nrcpt=1 (queue active)\n"
        + stamp + "smtp[10]: \(id): to=<\(recipient)>, relay=mx.far.test[203.0.113.9]:25, "
        + "delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)\n"
        + stamp + "qmgr[9]: \(id): removed\n"
}

/// Mail from outside that is delivered to Alice.
private func inbound(_ id: String, day: Int, from sender: String) -> String {
    let stamp = "2026-03-0\(day)T11:00:00+00:00 mx1 postfix/"
    return stamp + "smtpd[7]: \(id): client=mx.far.test[203.0.113.9]\n"
        + stamp + "qmgr[9]: \(id): from=<\(sender)>, size=700, nrcpt=1 (queue active)\n"
        + stamp + "lmtp[10]: \(id): to=<alice@hosted.example>, relay=mx1[private/lmtp], "
        + "delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)\n"
        + stamp + "qmgr[9]: \(id): removed\n"
}

private let log =
    message("4XyZbbcdzN9QB1", day: 1, to: "bob@friend.test", subject: "Lunch")
    + message("4XyZbbcdzN9QC1", day: 2, to: "x@junk.test", subject: "Not read: Cheap meds")
    + inbound("4XyZbbcdzN9QD1", day: 2, from: "news@shop.test")
    + inbound("4XyZbbcdzN9QF1", day: 3, from: "news@shop.test")

private final class Learner {
    let scratch: Scratch
    let store: StateStore

    init() throws {
        scratch = try Scratch()
        store = try StateStore(
            folder: FilePath(scratch.path("state")),
            create: .init(nowMicroseconds: 0, host: "mx1")
        )
    }

    func learn(_ text: String, _ change: (inout Learn) -> Void = { _ in }) throws -> LearnSummary {
        let path = try scratch.write("mail.log", text)
        var learn = Learn()
        change(&learn)
        var output = Recording()
        let summary = try learn.run(
            [InputChain(inputs: try openInputs([FilePath(path)]).inputs)],
            settings: testSettings(),
            store: store,
            output: &output
        )
        #expect(output.alerts.isEmpty)
        return summary
    }

    /// What is known of Alice and a domain on 10 March.
    func facts(_ domain: String) throws -> DerivedFacts {
        var memory = try remembered(store)
        let name = Array("alice@hosted.example".utf8)
        let found = memory.number(memory.hash(name.span))
        let number = try #require(found)
        return memory.facts(number, domain: memory.hash(Array(domain.utf8).span), day: 20_522)
    }
}

@Suite struct LearnTests {
    @Test func knownDomainsAreNotUnseenAfterLearning() throws {
        let learner = try Learner()
        let summary = try learner.learn(log)
        #expect(summary.read.submitted == 2)
        #expect(summary.receipts == 1)
        #expect(summary.accountsBefore == 0)
        #expect(summary.accounts == 1)
        #expect(summary.pairs == 2)
        #expect(try !learner.facts("friend.test").isDomainUnseen)
        #expect(try learner.facts("other.test").isDomainUnseen)
        #expect(try learner.facts("shop.test").domainHeardDays == 2)
        #expect(try learner.facts("friend.test").accountAgeDays == 9)
        #expect(try learner.facts("friend.test").memoryDays == 9)
    }

    @Test func receiptsTeachNothing() throws {
        let learner = try Learner()
        _ = try learner.learn(log)
        #expect(try learner.facts("junk.test").isDomainUnseen)
    }

    @Test func learningTheSameLogAgainChangesNoByte() throws {
        let learner = try Learner()
        _ = try learner.learn(log)
        let once = try image(learner.store)
        for _ in 0..<3 {
            let summary = try learner.learn(log)
            #expect(summary.accounts == summary.accountsBefore)
            #expect(summary.pairs == summary.pairsBefore)
            #expect(try image(learner.store) == once)
        }
    }

    /// However often it commits, what is learnt is the same; and nothing but memory is written.
    @Test(arguments: [1, 100_000, 1 << 30])
    func theCorpusTeachesTheSameInPiecesOfAnySize(commitBytes: Int) throws {
        func images(_ commitBytes: Int) throws -> (AccountMemory, [PieceKind: Int]) {
            let learner = try Learner()
            _ = try learner.learn(
                String(decoding: try Data(contentsOf: corpus("postfix.log")), as: UTF8.self)
            ) {
                $0.commitBytes = commitBytes
                $0.tuning.batchLines = 64
            }
            var counts: [PieceKind: Int] = [:]
            for kind in 1...20 {
                let kind = PieceKind(rawValue: UInt16(kind))
                counts[kind] = try learner.store.pieceCount(kind)
            }
            #expect(try learner.store.cursors().isEmpty)
            return (try remembered(learner.store), counts)
        }
        let (memory, counts) = try images(commitBytes)
        let (whole, wholeCounts) = try images(1 << 30)
        #expect(counts == wholeCounts)
        #expect(counts.filter { !memoryKinds.contains($0.key) }.values.allSatisfy { $0 == 0 })
        #expect(memory.knownPairCount == whole.knownPairCount)
        #expect(memory.pairCount == whole.pairCount)
        #expect(memory.firstDay == whole.firstDay)
        #expect(memory.accountCount > 10)
    }

    @Test func anOlderLogMovesTheFirstDayBackAndANewerOneDoesNot() throws {
        let learner = try Learner()
        let days = { (day: Int) in
            message("4XyZbbcdzN9QB1", day: day, to: "bob@friend.test", subject: "Lunch")
        }
        for (day, age) in [(5, 5), (7, 5), (2, 8)] {
            _ = try learner.learn(days(day))
            #expect(try learner.facts("friend.test").memoryDays == UInt32(age))
        }
    }

    @Test func aDomainDeliveredHereOnceIsNotHostedAfterLearningThrice() throws {
        let learner = try Learner()
        for _ in 0..<4 {
            _ = try learner.learn(inbound("4XyZbbcdzN9QF1", day: 3, from: "a@b.test"))
        }
        let once = try remembered(learner.store)
        #expect(!once.isInternal(once.hash(Array("hosted.example".utf8).span)))
        let ids = ["4XyZbbcdzN9QF1", "4XyZbbcdzN9QG1", "4XyZbbcdzN9QH1"]
        _ = try learner.learn(ids.map { inbound($0, day: 3, from: "a@b.test") }.joined())
        let thrice = try remembered(learner.store)
        #expect(thrice.isInternal(thrice.hash(Array("hosted.example".utf8).span)))
    }

    @Test func linesOutsideTheWindowTeachNothing() throws {
        let learner = try Learner()
        let summary = try learner.learn(log) { $0.window = TimeWindow(end: 0) }
        #expect(summary.accounts == 0)
        #expect(try pieces(.memoryAccount, learner.store).isEmpty)
    }
}
