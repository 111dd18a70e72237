import Foundation
import TestSupport
import Testing

/// An environment of Python with the STIX library and validator, kept from one run to the next.
private let oasis = PythonEnvironment(
    "stix",
    ["stix2==3.0.2", "stix2-validator==3.3.2", "stix2-patterns==2.1.2"]
)

/// Bundles of a replay of a log.
private struct Bundles {
    let scratch: Scratch
    let paths: [String]
    let alerts: [[String: Any]]

    init(_ log: String) throws {
        scratch = try Scratch()
        let folder = scratch.path("b")
        let replay = try Program().run(
            ["replay", "--json", "--timezone", "UTC", "--year", "2026", "--evidence", folder, log]
        )
        alerts = try replay.objects
        paths = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            .map { folder + "/" + $0 }
    }

    static let sample = sourceTree.appendingPathComponent("deploy/sample/mail.log").path
    static let campaign = sourceTree.appendingPathComponent("rules/receipt_campaign/fires.log").path
}

@Suite struct EvidenceExportTests {
    @Test func theLinesOfABundleComeOutAsTheyWereLogged() throws {
        let bundles = try Bundles(Bundles.sample)
        let path = try #require(bundles.paths.first)
        let lines = try Program().run(["evidence", "extract", path])
        #expect(lines.status == 0)
        let log = try String(contentsOfFile: Bundles.sample, encoding: .utf8)
        let logged = Set(log.split(separator: "\n"))
        let extracted = lines.output.split(separator: "\n")
        #expect(!extracted.isEmpty)
        for line in extracted { #expect(logged.contains(line)) }
        let rule = try Program().run(["evidence", "extract", "--member", "rule.yml", path])
        #expect(rule.output.contains("correlation:"))
        let none = try Program().run(["evidence", "extract", "--member", "../x", path])
        #expect(none.status == 66)
        let folder = bundles.scratch.path("out")
        #expect(try Program().run(["evidence", "extract", "--to", folder, path]).status == 0)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
                "MANIFEST.json", "alert.json", "events.jsonl", "lines.log", "provenance.jsonl",
                "rule.yml", "settings.json", "state.json",
            ]
        )
        // What is there is not written over.
        #expect(try Program().run(["evidence", "extract", "--to", folder, path]).status == 1)
    }

    @Test func aReportOfABundleIsOnePage() throws {
        let bundles = try Bundles(Bundles.sample)
        let path = try #require(bundles.paths.first)
        let file = bundles.scratch.path("r.html")
        let made = try Program().run(["report", "--output", file, path])
        #expect(made.status == 0, "\(made.error)")
        let page = try String(contentsOfFile: file, encoding: .utf8)
        #expect(page.hasPrefix("<!doctype html>"))
        #expect(page.contains("Your Outlook answers junk mail by itself"))
        #expect(page.contains("Ihr Outlook antwortet"))
        #expect(page.contains("<svg"))
        let again = try Program().run(["report", path])
        #expect(again.output == page)
        let german = try Program().run(["report", "--language", "de", "--format", "markdown", path])
        #expect(german.output.contains("Ihr Outlook antwortet"))
        #expect(!german.output.contains("Your Outlook answers"))
        #expect(german.output.hasPrefix("# "))
        #expect(try Program().run(["report"] + bundles.paths).status == 64)
        #expect(try Program().run(["report"]).status == 64)
    }

    @Test func aBundleThatDoesNotHoldGivesNoReport() throws {
        let bundles = try Bundles(Bundles.sample)
        let paths = bundles.paths
        try #require(paths.count > 1)
        let other = bundles.scratch.path("b/" + (URL(fileURLWithPath: paths[0]).lastPathComponent))
        try FileManager.default.removeItem(atPath: other)
        try FileManager.default.copyItem(atPath: paths[1], toPath: other)
        let made = try Program().run(["report", other])
        #expect(made.status == 1)
        #expect(made.error.contains("file name"))
    }

    @Test func anAbuseReportNamesTheirAddressesAndNoneOfOurs() throws {
        let bundles = try Bundles(Bundles.sample)
        let alert = try #require(
            bundles.alerts.first { $0["rule.name"] as? String == "receipt_burst" }
        )
        let id = try #require(alert["event.id"] as? String)
        let own = bundles.paths.filter { $0.contains(id) }
        let text = try Program().run(["evidence", "export", "--format", "abuse"] + own).output
        let domain = try #require((alert["related.hosts"] as? [String])?.first)
        #expect(text.contains("To: abuse@\(domain)\n"))
        #expect(!text.contains(alert["user.name"] as? String ?? "?"))
    }

    /// By the schemas of OASIS, python-stix2's IDs, and the grammar of patterns.
    @Test(
        .enabled("PyPI can be reached, or stix2 was installed before") {
            if let trouble = oasis.trouble { print("stix2 is not there: \(trouble)") }
            return oasis.trouble == nil
        },
        arguments: [Bundles.sample, Bundles.campaign]
    )
    func stixHoldsToItsStandard(log: String) throws {
        let bundles = try Bundles(log)
        var files: [String] = []
        for (index, path) in bundles.paths.enumerated() {
            for names in [
                [], ["--pseudonyms", "--hide-domains", "--state", bundles.scratch.url.path],
            ] {
                let export = try Program().run(
                    ["evidence", "export", "--format", "stix"] + names + [path]
                )
                #expect(export.status == 0, "\(export.error)")
                files.append(
                    try bundles.scratch.write("\(index)-\(names.count).json", export.output)
                )
            }
        }
        #expect(!files.isEmpty)
        let said = try oasis.rig("stix-check", files)
        #expect(said.status == 0, "\(said.said)")
    }

    @Test(arguments: [true, false])
    func aReportWithPseudonymsNamesNobodyAndTheKeyHolderFindsThem(hidesDomains: Bool) throws {
        let bundles = try Bundles(Bundles.sample)
        let alert = try #require(bundles.alerts.first)
        let id = try #require(alert["event.id"] as? String)
        let account = try #require(alert["user.name"] as? String)
        let own = bundles.paths.filter { $0.contains(id) }
        let state = bundles.scratch.url.path
        let names = ["--pseudonyms", "--state", state] + (hidesDomains ? ["--hide-domains"] : [])
        for command in [
            ["report"], ["report", "--format", "markdown"], ["evidence", "export"],
            ["evidence", "export", "--format", "stix"],
        ] {
            let text = try Program().run(command + names + own).output
            #expect(!text.isEmpty)
            #expect(!text.contains(account), "\(command)")
            #expect(!text.contains(String(account.prefix { $0 != "@" }) + "@"), "\(command)")
            for host in alert["related.hosts"] as? [String] ?? [] {
                // Markdown has dots behind backslashes.
                #expect(
                    text.replacingOccurrences(of: "\\", with: "").contains(host) != hidesDomains,
                    "\(command)"
                )
            }
            let digest = try #require(alert["postern.evidence_sha256"] as? String)
            if command[0] == "report" { #expect(text.contains(digest)) }
        }
        let timeline = try Program().run(["evidence", "export"] + names + own).output
        let word = try #require(
            timeline.split(separator: " ").first { $0.hasPrefix("p-") }.map { String($0) }
        )
        #expect(
            (try FileManager.default.attributesOfItem(atPath: state + "/pseudonym.key"))[
                .posixPermissions
            ] as? Int
                == 0o600
        )
        let revealed = try Program().run(
            ["evidence", "reveal", "--state", state] + own.flatMap { ["--bundle", $0] } + [word]
        )
        #expect(revealed.status == 0, "\(revealed.error)")
        #expect(revealed.output.contains(account))
        let unknown = try Program().run(
            ["evidence", "reveal", "--state", state, "--bundle", own[0], "p-aaaaaaaaaaaaaaaa"]
        )
        #expect(unknown.status == 66)
    }
}
