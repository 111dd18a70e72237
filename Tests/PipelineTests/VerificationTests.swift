import Evidence
import Findings
import Foundation
import Pipeline
import SystemPackage
import TestSupport
import Testing

@Suite struct VerificationTests {
    /// Every bundle of every corpus comes to its own alert again on the engine.
    @Test(arguments: ["postfix", "postfix-short-ids", "postfix-content-filter"])
    func everyBundleProvesItsAlert(_ name: String) throws {
        let scratch = try Scratch()
        let store = BundleStore(folder: FilePath(scratch.path("bundles")))
        let found = try record([corpus(name + ".log").path])
        #expect(!found.bundles.isEmpty)
        for contents in found.bundles {
            _ = try store.seal(contents, host: "mx1", posternVersion: "test", previous: nil)
            let bundle = try BundleReader().open(store.path(of: contents.name))
            let result = verify(bundle)
            #expect(result.findings == [])
            #expect(result.alertID == contents.name.alert.description)
            #expect(result.lineCount > 0)
        }
    }

    /// Seals a changed copy of a bundle's contents: the digests hold, the story does not.
    @Test func aBundleWhoseLinesTellSomethingElseDoesNotVerify() throws {
        let scratch = try Scratch()
        let store = BundleStore(folder: FilePath(scratch.path("bundles")))
        // Two victims: the alert of one, the lines of the other.
        let found = try record([corpus("postfix.log").path])
        try #require(found.sealed.count >= 2)
        let other = found.sealed[1].contents
        _ = try store.seal(other, host: "mx1", posternVersion: "test", previous: nil)
        let lines = try BundleReader().open(store.path(of: other.name)).lines()
        let mixed = BundleContents(
            alert: found.sealed[0].alert,
            lines: lines,
            events: [],
            rule: other[.rule],
            settings: other[.settings],
            state: other[.state]
        )
        _ = try store.seal(mixed, host: "mx1", posternVersion: "test", previous: nil)
        let bundle = try BundleReader().open(store.path(of: mixed.name))
        #expect(!verify(bundle).holds)
    }

    /// Digests can be made anew by anybody; what the lines say cannot.
    @Test(arguments: [
        ("email.subject", "events.jsonl:1 says email.subject Other"),
        ("user.name", "events.jsonl:1 says user.name Other"),
        ("email.local_id", "events.jsonl:1 is of a message Other"),
        ("related.user", "alert.json names the account Other"),
        ("rule.name", "alert.json says rule.name Other"),
    ])
    func whatTheLinesDoNotSayIsTold(field: String, finding: String) throws {
        let scratch = try Scratch()
        let store = BundleStore(folder: FilePath(scratch.path("bundles")))
        let sealed = try #require(record([corpus("postfix.log").path]).sealed.first)
        func changed(_ bytes: some Collection<UInt8>) throws -> [UInt8] {
            var object = try #require(
                JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
            )
            guard let old = object[field] else { return Array(bytes) }
            object[field] = old is [String] ? ["Other"] : "Other"
            return Array(try JSONSerialization.data(withJSONObject: object))
        }
        var events = sealed.contents[.events].split(separator: UInt8(ascii: "\n")).map { Array($0) }
        events[0] = try changed(events[0])
        var alert = sealed.alert
        if field == "related.user" { alert.accounts = ["Other"] }
        if field == "rule.name" { alert.ruleName = "Other" }
        _ = try store.seal(sealed.contents, host: "mx1", posternVersion: "test", previous: nil)
        let contents = BundleContents(
            alert: alert,
            lines: try BundleReader().open(store.path(of: sealed.contents.name)).lines(),
            events: events,
            rule: sealed.contents[.rule],
            settings: sealed.contents[.settings],
            state: sealed.contents[.state]
        )
        _ = try store.seal(contents, host: "mx1", posternVersion: "test", previous: nil)
        let findings = verify(try BundleReader().open(store.path(of: contents.name))).findings
        #expect(findings.count == 1, "\(findings)")
        #expect(findings.first?.hasPrefix(finding) ?? false, "\(findings)")
    }

    /// What a bundle has no room for is counted, in the alert that goes out too.
    @Test func linesThatAreLeftOutAreCounted() throws {
        var settings = try testSettings()
        let whole = try record([corpus("postfix.log").path])
        settings.evidenceLinesMax = 5
        let found = try record([corpus("postfix.log").path], settings: settings)
        #expect(whole.sealed.count == found.sealed.count)
        for (all, few) in zip(whole.sealed, found.sealed) {
            let count = { (contents: BundleContents) in
                contents[.lines].count { $0 == UInt8(ascii: "\n") }
            }
            #expect(count(few.contents) == 5)
            #expect(few.alert.linesLeftOut == count(all.contents) - 5)
            #expect(few.alert.degraded.contains("lines-left-out"))
            #expect(few.contents[.alert] == few.alert.json(withEvidence: false) + [0x0a])
        }
    }
}
