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
}
