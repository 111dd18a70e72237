import Memory
@testable import Pipeline
import SafeText
import TestSupport
import Testing

/// What strangers may send to the control socket or give to `state import`, and silences.
struct ControlFormTests {
    private func record(_ random: inout SeededGenerator) -> MemoryRecord {
        let names = ["a.example", "xn--bcher-kva.example", "[192.0.2.1]", "b\u{202e}.example"]
        func domains(
            _ notes: ClosedRange<UInt16>,
            _ random: inout SeededGenerator
        )
            -> [MemoryRecord.Named]
        {
            names.filter { _ in Bool.random(using: &random) }.map { name in
                MemoryRecord.Named(
                    domain: canonicalDomain(name),
                    lastDay: UInt16.random(in: 1 ... .max, using: &random),
                    note: UInt16.random(in: notes, using: &random)
                )
            }
        }
        func usual(_ random: inout SeededGenerator) -> KnownBaseline? {
            guard Bool.random(using: &random) else { return nil }
            return KnownBaseline(
                mean: UInt32.random(in: 0...KnownBaseline.meanMax, using: &random),
                weight: UInt64.random(in: 1...KnownBaseline.weightMax, using: &random),
                hour: UInt32.random(in: 0..<65_536 * 24, using: &random)
            )
        }
        guard Bool.random(using: &random) else {
            return .domain(
                "hosted.example",
                localDeliveries: UInt8.random(in: 0...255, using: &random),
                isRemote: Bool.random(using: &random)
            )
        }
        return .account(
            MemoryRecord.Account(
                name: ["a@x.example", "o'brien \"q\"\\", "ü\u{1b}[31m"][
                    Int.random(in: 0..<3, using: &random)
                ],
                firstDay: UInt16.random(in: 0 ... .max, using: &random),
                isForgetful: Bool.random(using: &random),
                wroteTo: domains(0...65_535, &random),
                heardFrom: domains(1...255, &random),
                unseenBaseline: usual(&random),
                receiptBaseline: usual(&random)
            )
        )
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>)
    func aRecordComesBackAsItWas(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let record = record(&random)
        #expect(try MemoryRecord(json: record.json()) == record)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func mutatedRecordsAndRequestsAreReadOrRefusedNeverACrash(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var lines = (0..<10).map { _ in record(&random).json() }
        let silence = ControlRequest.NewSilence(
            account: "a",
            rule: nil,
            domain: "b",
            untilMicroseconds: 1_000_000,
            reason: "c"
        )
        for request: ControlRequest in [
            .acknowledge(alert: "a", note: "b"), .silence(silence), .unsilence(id: "x"),
            .forget(account: "a"), .reload, .remember([record(&random)]),
        ] {
            lines.append(ControlCall(request, author: "me").json())
        }
        var mutator = Mutator(
            seed: seed,
            lines: lines,
            tokens: ["{", "}", "[", "]", "null", "1e99", "-1", "\"", "\\u0000"].map {
                Array($0.utf8)
            }
        )
        for _ in 0..<2_000 {
            let line = mutator.next()
            if let read = try? MemoryRecord(json: line) {
                #expect((try? MemoryRecord(json: read.json())) == read)
            }
            if let call = try? ControlCall(json: line) {
                #expect((try? ControlCall(json: call.json()))?.author == call.author)
            }
        }
    }

    @Test func requestsComeBackAsTheyWere() throws {
        let calls = [
            ControlCall(.acknowledge(alert: "a", note: nil), author: "me"),
            ControlCall(.unsilence(id: "\u{202e}x"), author: "me\n"),
            ControlCall(.forget(account: "a b@c"), author: "me"),
            ControlCall(.reload, author: "me"),
        ]
        for call in calls {
            #expect(try ControlCall(json: call.json()).json() == call.json())
        }
        let other = #"{"postern.control":2,"request":"reload","author":"x"}"#
        #expect(throws: ControlCallError.self) { try ControlCall(json: Array(other.utf8)) }
    }

    /// A silence covers an alert when the alert is about nothing else, and only before its end.
    @Test func aSilenceCoversWhatItNamesAndNothingMore() {
        func silence(
            _ account: String?,
            _ rule: String? = nil,
            _ domain: String? = nil
        ) -> Silence {
            Silence(
                id: "x",
                account: account,
                rule: rule,
                domain: domain,
                createdMicroseconds: 0,
                untilMicroseconds: 100,
                author: "me",
                reason: "y"
            )
        }
        func subject(_ accounts: [String], _ hosts: [String], leftOut: Int = 0) -> AlertSubject {
            var alert = AlertSubject(JSONObject.empty)
            alert.ruleID = "id"
            alert.ruleName = "burst"
            alert.accounts = accounts
            alert.hosts = hosts
            alert.hostsLeftOut = leftOut
            return alert
        }
        let alert = subject(["Alice"], ["D.example"])
        func covers(_ silence: Silence, _ alert: AlertSubject, at now: Int64 = 50) -> Bool {
            silence.covers(alert, nowMicroseconds: now, accountDomain: "hosted.example")
        }
        #expect(covers(silence("alice@hosted.example"), alert))
        #expect(covers(silence("ALICE"), alert))
        #expect(covers(silence("@hosted.example"), alert))
        #expect(covers(silence(nil, "burst"), alert))
        #expect(covers(silence(nil, "id"), alert))
        #expect(covers(silence(nil, nil, "d.EXAMPLE."), alert))
        #expect(covers(silence("alice", "burst", "d.example"), alert))
        #expect(!covers(silence("alice"), alert, at: 100))
        #expect(!covers(silence("alice", "drip"), alert))
        #expect(!covers(silence("@example"), alert))
        #expect(!covers(silence("bob"), alert))
        #expect(!covers(silence("alice"), subject(["alice", "bob"], ["d.example"])))
        #expect(!covers(silence("alice"), subject([], ["d.example"])))
        #expect(
            !covers(silence(nil, nil, "d.example"), subject(["a"], ["d.example", "e.example"]))
        )
        #expect(!covers(silence(nil, nil, "d.example"), subject(["a"], ["d.example"], leftOut: 1)))
    }

    @Test func aSilenceComesBackAsItWas() throws {
        let silence = Silence(
            id: "abc",
            account: "a\u{1b}@x",
            rule: nil,
            domain: "d.example",
            createdMicroseconds: 1_700_000_000_000_000,
            untilMicroseconds: 1_800_000_000_000_000,
            author: "me",
            reason: "\"quoted\""
        )
        #expect(Silence(json: silence.json()) == silence)
        #expect(Silence(json: Array("{}".utf8)) == nil)
    }
}

extension JSONObject {
    fileprivate static var empty: JSONObject {
        guard let object = try? JSONObjectReader.read(Array("{}".utf8)) else {
            preconditionFailure("an empty object is an object")
        }
        return object
    }
}
