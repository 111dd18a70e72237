import Foundation
import LogSources
import Pipeline
import Records
import TestSupport
import Testing

@Suite struct DeterminismTests {
    /// forall ring sizes, batch sizes and read sizes: the same events, alerts and bundles.
    @Test(arguments: [(1, 1), (2, 7), (4, 4_096), (1_024, 131_072), (8, 4 << 20)])
    func answersDoNotDependOnHowTheBytesTravel(_ ringBatches: Int, _ readBytes: Int) throws {
        // One byte a read is slow, so that case has a shorter log.
        let scratch = try Scratch()
        let whole = try String(contentsOf: corpus("postfix.log"), encoding: .utf8)
        let lines = whole.split(separator: "\n", omittingEmptySubsequences: false)
        let text = lines.prefix(readBytes == 1 ? 900 : lines.count).joined(separator: "\n") + "\n"
        let log = try scratch.write("mail.log", text)
        let expected = try record([log])
        let found = try record([log]) { replay in
            replay.tuning.ringBatches = ringBatches
            replay.tuning.batchBytes = LineSplitter.batchBytesMin
            replay.tuning.batchLines = ringBatches == 1 ? 1 : 100
            replay.readBytes = readBytes
        }
        #expect(!expected.events.isEmpty)
        #expect(found.events == expected.events)
        #expect(found.alerts == expected.alerts)
        #expect(found.bundles == expected.bundles)
    }

    /// Cut into files at any line, the log gives the same, but for the places of the records.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func cutsBetweenFilesChangeNothing(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let scratch = try Scratch()
        let text = try String(contentsOf: corpus("postfix-short-ids.log"), encoding: .utf8)
        let lines = text.split(separator: "\n")
        var paths: [String] = []
        var start = 0
        while start < lines.count {
            let end = min(lines.count, start + Int.random(in: 1..<900, using: &random))
            let part = lines[start..<end].joined(separator: "\n") + "\n"
            paths.append(try scratch.write("part\(paths.count)", part))
            start = end
        }
        let whole = try record([corpus("postfix-short-ids.log").path])
        let parts = try record(paths)
        func withoutRecord(_ events: [String]) -> [Substring] {
            events.map {
                $0.prefix(upTo: $0.range(of: "\"postern.record\"")?.lowerBound ?? $0.endIndex)
            }
        }
        #expect(withoutRecord(parts.events) == withoutRecord(whole.events))
        #expect(parts.alerts == whole.alerts)
    }

    /// forall mutations of a corpus: no trap, and no account moves from one message to another.
    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func mutatedLogsNeverMoveAnAccount(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let scratch = try Scratch()
        let name =
            ["postfix.log", "postfix-short-ids.log", "postfix-content-filter.log"]
            .randomElement(using: &random) ?? "postfix.log"
        let text = try Data(contentsOf: corpus(name))
        var lines = text.split(separator: 0x0a).map { Array($0) }
        // What each login submitted: a queue ID may only come out with a login of its own lines.
        var logins: [String: Set<String>] = [:]
        func note(_ line: [UInt8]) {
            let text = String(decoding: line, as: UTF8.self)
            guard let client = text.range(of: ": client="),
                let login = text.range(
                    of: "sasl_username=",
                    range: client.upperBound..<text.endIndex
                )
            else { return }
            let id = text[..<client.lowerBound].split(separator: " ").last.map(String.init) ?? ""
            let rest = text[login.upperBound...]
            // A mutation can cut the suffix off or make one.
            logins[id, default: []].insert(String(rest))
        }
        for _ in 0..<400 {
            let index = Int.random(in: lines.indices, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: lines.remove(at: index)
            case 1: lines.insert(lines[index], at: Int.random(in: lines.indices, using: &random))
            case 2: lines.swapAt(index, Int.random(in: lines.indices, using: &random))
            case 3 where !lines[index].isEmpty:
                let at = Int.random(in: lines[index].indices, using: &random)
                // Not in a queue ID: that would make another message.
                if at > 60 { lines[index][at] = UInt8.random(in: 0...255, using: &random) }
            case 4:
                let count = Int.random(in: 0...lines[index].count, using: &random)
                lines[index].removeSubrange(count...)
            default:
                let other = Int.random(in: lines.indices, using: &random)
                let cut = Int.random(in: 0...lines[index].count, using: &random)
                lines[index] = Array(lines[index].prefix(cut)) + lines[other].suffix(80)
            }
        }
        for line in lines { note(line) }
        let log = try scratch.write("mail.log", Data(lines.joined(separator: [0x0a])))
        let found = try record([log])
        for event in found.events {
            let object = try JSONSerialization.jsonObject(with: Data(event.utf8)) as? [String: Any]
            let id = object?["email.local_id"] as? String ?? ""
            let user = object?["user.name"] as? String ?? ""
            let known = logins[id] ?? []
            #expect(
                known.contains { $0.hasPrefix(user) } || user.contains("\u{fffd}"),
                "\(id) has \(user), its lines have \(known)"
            )
        }
    }
}

/// A jump forward of more than a day counts only when the next three records agree.
@Suite struct ClockJumpTests {
    private func receipt(_ number: Int, day: Int) -> String {
        let id = "4XyZbbcdz" + ["B", "C", "D", "F", "G"][number] + "BN"
        let head = "2026-03-0\(day)T10:00:0\(number)+00:00 mx1 postfix/"
        return head + "smtpd[7]: \(id): client=pc[192.0.2.7], sasl_method=LOGIN, "
            + "sasl_username=alice@hosted.example\n" + head
            + "cleanup[8]: \(id): info: header Subject: Not read: x from pc[192.0.2.7]; from=<> "
            + "to=<x@d\(number).test> proto=ESMTP helo=<pc>\n" + head
            + "qmgr[9]: \(id): from=<>, size=7, nrcpt=1 (queue active)\n"
    }

    private let odd = "2037-01-01T00:00:00+00:00 mx1 postfix/smtpd[7]: connect from x[192.0.2.1]\n"

    private func actions(_ text: String) throws -> [String] {
        let scratch = try Scratch()
        let found = try record([try scratch.write("mail.log", text)])
        return try found.alerts.map { alert in
            let object = try JSONSerialization.jsonObject(with: Data(alert.utf8))
            return (object as? [String: Any])?["event.action"] as? String ?? ""
        }
    }

    @Test func oneLineOfTheFutureExpiresNothing() throws {
        let (a, b, c) = (receipt(0, day: 1), receipt(1, day: 1), receipt(2, day: 1))
        #expect(try actions(a + b + odd + c) == ["opened"])
        #expect(try actions(a + odd + odd + b + odd + c) == ["opened"])
        #expect(try actions(a + b + c + odd) == ["opened"])
    }

    @Test func aQuietWeekIsBelievedOnceMoreLinesAgree() throws {
        let text = receipt(0, day: 1) + receipt(1, day: 8) + receipt(2, day: 8) + receipt(3, day: 8)
        #expect(try actions(text) == ["opened"])
    }
}
