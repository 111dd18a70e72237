import Foundation
import TestSupport
import Testing

/// Evidence that the daemon seals, signs and keeps.
@Suite(.serialized) struct EvidenceDaemonTests {
    private func path(_ daemon: Daemon, _ bundle: Any?) -> String {
        daemon.scratch.path("state/evidence/\(bundle as? String ?? "")")
    }

    @Test func anAlertCarriesTheDigestTheChainAndTheKeyOfItsBundle() throws {
        let daemon = try Daemon()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        try daemon.append("2026-03-01T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n")
        #expect(eventually { daemon.alerts.count == 2 }, "\(daemon.messages)")
        guard daemon.sent.count == 2 else { return }
        let (opened, resolved) = (daemon.sent[0], daemon.sent[1])
        let key = try daemon.command("evidence", "key", "--fingerprint")
        let fingerprint = key.output.trimmingCharacters(in: .newlines)
        #expect(fingerprint.count == 64)
        #expect(opened["postern.evidence_key"] as? String == fingerprint)
        #expect(opened["postern.evidence_chain"] == nil)
        let digest = try #require(opened["postern.evidence_sha256"] as? String)
        #expect(resolved["postern.evidence_chain"] as? String == digest)
        #expect(
            daemon.messages.contains(
                "a new key signs it, with the fingerprint SHA-256 \(fingerprint)"
            )
        )
        let id = try #require(daemon.alerts.first?.id)
        let page = try daemon.command("report", String(id.prefix(8)))
        #expect(page.output.contains("alice@hosted.example"), "\(page.error)")
        #expect(page.output.contains("key SHA-256 \(fingerprint)"))
        let week = try daemon.command("report", "--since", "2026-03-01", "--format", "markdown")
        #expect(week.output.contains("1 alert, 0 of them open."), "\(week.error)")
        #expect(daemon.stop() == 0)

        // On another machine: with the key, its digits, its fingerprint, another key, and none.
        let file = try daemon.scratch.write("mx1.pub", daemon.command("evidence", "key").output)
        let bundles = [opened, resolved].map { path(daemon, $0["postern.evidence"]) }
        for value in [file, fingerprint] {
            let result = try Program().run(["evidence", "verify", "--key", value] + bundles)
            #expect(result.status == 0, "\(result.error)")
            #expect(result.output.contains("self-consistent, signed by \(fingerprint)"))
        }
        let other = String(repeating: "0", count: 64)
        let refused = try Program().run(["evidence", "verify", "--key", other] + bundles)
        #expect(refused.status == 1)
        #expect(refused.error.contains("which is none of the given keys"))
        let alone = try Program().run(["evidence", "verify"] + bundles)
        #expect(alone.status == 0)
        #expect(alone.output.contains("signed by a key that nobody vouches for"))

        // The whole folder with its chain, then with a bundle changed, then without it.
        let whole = try daemon.command("evidence", "verify", "--key", file)
        #expect(whole.status == 0, "\(whole.error)")
        #expect(whole.output.contains("the chain holds: 2 links, 0 of them tombstones"))
        try FileManager.default.copyItem(atPath: bundles[1], toPath: bundles[0] + ".x")
        #expect(unsafe rename(bundles[0] + ".x", bundles[0]) == 0)
        #expect(try daemon.command("evidence", "verify").status == 1)
        try FileManager.default.removeItem(atPath: bundles[0])
        let missing = try daemon.command("evidence", "verify")
        #expect(missing.status == 1)
        #expect(missing.error.contains("no such file"))
    }

    @Test func aBundleOfAReplayIsUnsigned() throws {
        let scratch = try Scratch()
        let log = try scratch.write("mail.log", (0..<3).map { receipt($0, second: 0) }.joined())
        let replay = try Program().run(
            ["replay", "--json", "--timezone", "UTC", "--evidence", scratch.path("b"), log]
        )
        let bundle = scratch.path("b/\(try replay.objects[0]["postern.evidence"] ?? "")")
        let result = try Program().run(["evidence", "verify", bundle])
        #expect(result.status == 0)
        #expect(result.output.contains("self-consistent, unsigned"))
        let key = String(repeating: "1", count: 64)
        let demanded = try Program().run(["evidence", "verify", "--key", key, bundle])
        #expect(demanded.status == 1)
        #expect(demanded.error.contains("nobody signed it"))
    }

    @Test(arguments: [true, false])
    func aNewKeyIsVouchedForByTheOld(isRunning: Bool) throws {
        let daemon = try Daemon()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        let old = try daemon.scratch.write("old.pub", daemon.command("evidence", "key").output)
        if !isRunning { #expect(daemon.stop() == 0) }
        let rotated = try daemon.command("evidence", "rotate-key")
        #expect(rotated.status == 0, "\(rotated.error)")
        if !isRunning { try daemon.start() }
        let new = try daemon.scratch.write("new.pub", daemon.command("evidence", "key").output)
        let rotations = try daemon.scratch.write(
            "rotations",
            daemon.command("evidence", "key", "--rotations").output
        )
        try daemon.append("2026-03-01T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n")
        #expect(eventually { daemon.alerts.count == 2 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let bundles = daemon.sent.map { path(daemon, $0["postern.evidence"]) }
        func status(_ bundle: String, _ keys: [String]) throws -> Int32 {
            try Program().run(["evidence", "verify"] + keys.flatMap { ["--key", $0] } + [bundle])
                .status
        }
        #expect(try status(bundles[0], [old]) == 0)
        #expect(try status(bundles[0], [new]) == 1)
        #expect(try status(bundles[1], [new]) == 0)
        #expect(try status(bundles[1], [old]) == 1)
        #expect(try status(bundles[1], [old, rotations]) == 0)
        let whole = try daemon.command("evidence", "verify", "--key", old, "--key", rotations)
        #expect(whole.status == 0, "\(whole.error)")
        #expect(whole.output.contains("3 links"))
    }

    /// Something that is no folder stands where the bundles go, or the disk there is full: the alert
    /// goes out, marked, and its bundle is made when there is room, also by the next run.
    @Test(arguments: ["no folder", "full disk", "full disk, restart"])
    func anAlertGoesOutThoughItsBundleCannotBeSealed(how: String) throws {
        let daemon = try Daemon()
        let folder = daemon.scratch.path("state/evidence")
        try daemon.start()
        var isMounted = false
        if how == "no folder" {
            _ = try daemon.scratch.write("state/evidence", "")
        } else {
            // Only root may mount; elsewhere the first case stands for this one.
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true
            )
            do {
                try shell(
                    "mount -t tmpfs -o size=16k tmpfs \(folder) && dd if=/dev/zero of=\(folder)/x "
                        + "bs=4k count=4 2>/dev/null",
                    in: daemon.scratch.url.path
                )
                isMounted = true
            } catch { return }
        }
        defer { if isMounted { try? shell("umount -l \(folder)", in: "/") } }
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.sent.first?["postern.degraded"] as? [String] == ["unsealed"])
        #expect(daemon.sent.first?["postern.evidence"] == nil)
        #expect(daemon.messages.contains("which is tried again"))
        if how.hasSuffix("restart") { daemon.kill() }
        try FileManager.default.removeItem(atPath: isMounted ? folder + "/x" : folder)
        if how.hasSuffix("restart") { try daemon.start() }
        let alert = try #require(daemon.alerts.first?.id)
        let bundle = folder + "/\(alert).0.tar.zst"
        let isSealed = eventually { daemon.messages.contains("\(alert).0.tar.zst is there now") }
        #expect(isSealed, "\(daemon.messages)")
        #expect(try Program().run(["evidence", "verify", bundle]).status == 0)
        let named = try eventually {
            try daemon.command("alerts", "show", alert).output.contains("\(alert).0.tar.zst")
        }
        #expect(named)
        #expect(daemon.stop() == 0)
        let whole = try daemon.command("evidence", "verify")
        #expect(whole.status == 0, "\(whole.error)")
    }

    /// Also an alert that ends because its rule does leaves a proof, which verifies by the old rule.
    @Test func anAlertThatEndsWithItsRuleSealsABundle() throws {
        let daemon = try Daemon(settings: "rules: [rules]")
        let rule = """
            title: Own Burst
            id: 5b0e6c80-2f43-4f5e-9a6c-0d6f2d1c7a11
            name: own_burst
            correlation:
                type: value_count
                rules:
                    - receipt_unseen_domain
                group-by:
                    - user.name
                timespan: 1h
                condition:
                    field: destination.domain
                    gte: 2
            level: medium

            """
        let file = try daemon.scratch.write("rules/own.yml", rule)
        let settings = try String(contentsOfFile: daemon.config, encoding: .utf8)
        _ = try daemon.scratch.write(
            "postern.yml",
            settings.replacingOccurrences(of: "[rules]", with: "[\(daemon.scratch.path("rules"))]")
        )
        try daemon.start()
        for number in 0..<2 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        try FileManager.default.removeItem(atPath: file)
        let reloaded = try daemon.command("reload")
        #expect(reloaded.status == 0, "\(reloaded.error)")
        #expect(eventually { daemon.alerts.count == 2 }, "\(daemon.messages)")
        guard daemon.sent.count == 2 else { return }
        let resolved = daemon.sent[1]
        #expect(resolved["postern.reason"] as? String == "rule-changed")
        let alert = try #require(daemon.alerts.first?.id)
        #expect(resolved["postern.evidence"] as? String == "\(alert).1.tar.zst")
        #expect(daemon.stop() == 0)
        let whole = try daemon.command("evidence", "verify")
        #expect(whole.status == 0, "\(whole.error)")
        #expect(whole.output.contains("2 links"))
    }

    /// Killed at any moment of sealing and committing, the chain holds, each bundle verifies, and
    /// each alert that went out names the bundle that is there.
    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func killedAtAnyMomentTheChainHolds(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let daemon = try Daemon()
        for number in 0..<9 {
            try daemon.spawn()
            try daemon.append(receipt(number, second: 60))
            usleep(UInt32.random(in: 20_000..<160_000, using: &random))
            daemon.kill()
        }
        try daemon.start()
        try daemon.append("2026-03-01T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n")
        #expect(eventually { daemon.alerts.count >= 2 }, "\(daemon.messages.suffix(600))")
        #expect(daemon.stop() == 0)
        let whole = try daemon.command("evidence", "verify")
        #expect(whole.status == 0, "\(whole.error)")
        for alert in daemon.sent where alert["event.kind"] as? String == "alert" {
            let bundle = try #require(alert["postern.evidence"] as? String)
            let digest = try #require(alert["postern.evidence_sha256"] as? String)
            let shown = try Program().run(["evidence", "show", path(daemon, bundle)])
            #expect(shown.output.contains("manifest sha256 \(digest)"))
        }
    }

    @Test func aRebuiltStateKeepsBundlesAndChain() throws {
        let daemon = try Daemon()
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        let before = try daemon.command("evidence", "verify").output
        let rebuilt = try daemon.command("state", "rebuild")
        #expect(rebuilt.status == 0, "\(rebuilt.error)")
        let after = try daemon.command("evidence", "verify")
        #expect(after.status == 0, "\(after.error)")
        #expect(after.output == before)
        #expect(before.contains("1 links"))
    }

    @Test(arguments: ["keep", "hide"])
    func aSinkThatMayNotKnowNamesGetsNone(domains: String) throws {
        let daemon = try Daemon(settings: "pseudonyms: { sinks: [stdout], domains: \(domains) }")
        try daemon.start()
        for number in 0..<3 { try daemon.append(receipt(number, second: 0)) }
        #expect(eventually { daemon.alerts.count == 1 }, "\(daemon.messages)")
        let sent = try #require(daemon.sent.first)
        let name = try #require(sent["user.name"] as? String)
        #expect(name.hasPrefix("p-"))
        #expect(name.hasSuffix("@hosted.example") == (domains == "keep"))
        let text = try String(contentsOfFile: daemon.scratch.path("out"), encoding: .utf8)
        #expect(!text.contains("alice"))
        #expect(text.contains("d0.test") == (domains == "keep"))
        // The state keeps the name, and the digest is that of the bundle.
        let id = try #require(daemon.alerts.first?.id)
        #expect(try daemon.command("alerts", "show", id).output.contains("alice@hosted.example"))
        let shown = try Program().run(["evidence", "show", path(daemon, sent["postern.evidence"])])
        #expect(shown.output.contains(sent["postern.evidence_sha256"] as? String ?? "?"))
        let revealed = try daemon.command("evidence", "reveal", name)
        #expect(revealed.output.contains("alice@hosted.example"), "\(revealed.error)")
        #expect(daemon.stop() == 0)
    }
}
