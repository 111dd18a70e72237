import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct DaemonTests {
    @Test func aGrowingLogRaisesTheAlertAndTheBundleVerifies() throws {
        let daemon = try Daemon()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.alerts.first?.action == "opened")
        #expect(daemon.alerts.first?.count == 3)
        #expect(daemon.stop() == 0)
        let folder = daemon.scratch.path("state/evidence")
        let bundles = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(bundles.count == 1)
        let result = try Program().run(["evidence", "verify", folder + "/" + (bundles.first ?? "")])
        #expect(result.status == 0, "\(result.error)")
    }

    /// Killed and restarted at any moment, the alerts are those of one uninterrupted replay: none is
    /// lost, none comes under two IDs.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func killedAtAnyMomentNothingIsLostOrRaisedTwice(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let daemon = try Daemon()
        try daemon.start()
        var whole = ""
        for number in 0..<9 {
            let text = receipt(number, second: 60)
            whole += text
            // In pieces that end anywhere, also within a line.
            var rest = Substring(text)
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...700, using: &random))
                try daemon.append(String(piece))
                rest = rest.dropFirst(piece.count)
                if Int.random(in: 0..<9, using: &random) == 0 {
                    usleep(UInt32.random(in: 0..<30_000, using: &random))
                    daemon.kill()
                    try daemon.start()
                }
            }
        }
        // A line an hour later resolves the alert; a jump of a day would wait for others.
        let later = "2026-03-01T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n"
        try daemon.append(later)
        whole += later
        let path = try daemon.scratch.write("whole.log", whole)
        let replay = try Program().run(["replay", "--json", "--timezone", "UTC", path])
        let expected = try replay.objects.map { object in
            "\(object["event.id"] ?? "").\(object["event.sequence"] ?? "") \(object["event.action"] ?? "")"
        }
        #expect(expected.count == 2)
        #expect(eventually { daemon.alerts.count >= expected.count }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        #expect(daemon.alerts.map { "\($0.id).\($0.sequence) \($0.action)" } == expected)
    }

    @Test func aRotatedLogIsReadToItsEndAndThenTheNewOne() throws {
        let daemon = try Daemon()
        try daemon.start()
        try daemon.append(receipt(0, second: 0))
        try daemon.append(receipt(1, second: 0))
        try FileManager.default.moveItem(atPath: daemon.log, toPath: daemon.log + ".1")
        _ = try daemon.scratch.write("mail.log", receipt(2, second: 0))
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
    }

    @Test func aSecondDaemonOnTheSameStateIsRefused() throws {
        let daemon = try Daemon()
        try daemon.start()
        let second = try Program().run(["run", "--config", daemon.scratch.path("postern.yml")])
        #expect(second.status == 1)
        #expect(second.error.contains("state"))
        #expect(daemon.stop() == 0)
    }
}
