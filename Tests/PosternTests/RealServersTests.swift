import Foundation
import TestSupport
import Testing

/// What a rig needs: to be root, apt-get and its mirror, some tools, and namespaces.
private let needs = """
    for name in apt-get unshare python3 openssl perl saslpasswd2; do
        command -v "$name" || exit
    done
    unshare --mount --uts --pid --net --fork --mount-proc mount -t tmpfs rig /mnt
    """

/// A rig and its options.
struct Rig: CustomTestStringConvertible, Sendable {
    var name: String
    var seed: Int
    var options: [String] = []

    var testDescription: String { ([name] + options).joined(separator: " ") }
}

/// Debian's servers run on loopback, and labelled mail goes through them: each message that a login
/// was accepted for is an event with its account, recipient, subject, receipt and outcome, and
/// nothing else is one.
///
/// A run takes most of a minute, in which the server waits to try deferred mail again.
@Suite(
    .enabled("as root of a Debian that may ask its mirror and make namespaces") {
        let isOffline = ProcessInfo.processInfo.environment["POSTERN_OFFLINE"] != nil
        guard geteuid() == 0, !isOffline else { return false }
        return try await runToEnd("/bin/sh", ["-c", needs]).status == 0
    }
)
struct RealServersTests {
    private static let rigs = sourceTree.appendingPathComponent("Tests/Rigs").path
    /// Unpacked packages, kept from one run of the tests to the next.
    private static let cache =
        FileManager.default.temporaryDirectory.appendingPathComponent("postern-rigs").path

    @Test(
        .timeLimit(.minutes(10)),
        arguments: [
            Rig(name: "real-sendmail", seed: 1),
            Rig(name: "real-sendmail", seed: 2, options: ["--filter"]),
            Rig(name: "real-opensmtpd", seed: 3, options: ["--release", "bullseye"]),
            Rig(name: "real-opensmtpd", seed: 4, options: ["--release", "trixie", "--filter"]),
        ]
    )
    func everyMessageOfALoginIsAnEventAndNothingElseIs(_ rig: Rig) async throws {
        let scratch = try Scratch()
        let common = ["--cache", Self.cache, "--messages", "60", "--seed", "\(rig.seed)"]
        let made = try await runToEnd(
            Self.rigs + "/" + rig.name,
            common + rig.options + [scratch.path("out")]
        )
        try #require(made.status == 0, "\(made.said)")
        #expect(!made.said.contains("left in the queue"), "\(made.said)")
        let result = try Program().run([
            "events", "--json", "--timezone", "UTC", scratch.path("out/mail.log"),
        ])
        #expect(result.status == 0, "\(result.error)")
        let events = try scratch.write("events.jsonl", result.output)
        let scored = try await runToEnd(
            Self.rigs + "/score",
            [scratch.path("out/truth.jsonl"), events]
        )
        #expect(scored.status == 0, "\(scored.said)")
    }

    /// What strangers may choose, in every place where a real server takes it: an event is true, or is
    /// not there.
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            Rig(name: "real-hostile", seed: 5, options: ["--server", "postfix"]),
            Rig(
                name: "real-hostile",
                seed: 6,
                options: ["--server", "postfix", "--internal", "--short-ids"]
            ),
            Rig(name: "real-hostile", seed: 7, options: ["--server", "exim"]),
        ]
    )
    func hostileTextIsNeverAnAccountARecipientOrAnOutcome(_ rig: Rig) async throws {
        let scratch = try Scratch()
        // Exim starts a process for each connection and each delivery.
        let count = rig.options.contains("exim") ? "80" : "900"
        let common = ["--cache", Self.cache, "--messages", count, "--seed", "\(rig.seed)"]
        let made = try await runToEnd(
            Self.rigs + "/" + rig.name,
            common + rig.options + [scratch.path("out")]
        )
        try #require(made.status == 0, "\(made.said)")
        #expect(!made.said.contains("left in the queue"), "\(made.said)")
        let result = try Program().run([
            "events", "--json", "--timezone", "UTC", scratch.path("out/mail.log"),
        ])
        #expect(result.status == 0, "\(result.error)")
        let events = try scratch.write("events.jsonl", result.output)
        let scored = try await runToEnd(
            Self.rigs + "/score",
            ["--hostile", scratch.path("out/truth.jsonl"), events]
        )
        #expect(scored.status == 0, "\(scored.said)")
    }

    /// A Postfix without header_checks is not ready; with the lines that the doctor prints, and that
    /// are those of the snippet, it is.
    @Test(.timeLimit(.minutes(2)))
    func theDoctorsLinesMakeAPostfixReady() async throws {
        let scratch = try Scratch()
        let made = try await runToEnd(
            Self.rigs + "/live-doctor",
            [
                "--cache", Self.cache, "--messages", "20", "--program", try Program().path,
                scratch.path("out"),
            ]
        )
        try #require(made.status == 0, "\(made.said)")
        func said(_ name: String) throws -> String {
            try String(contentsOfFile: scratch.path("out/" + name), encoding: .utf8)
        }
        let before = try said("before.txt")
        #expect(before.contains("Not ready: subject missing."), "\(before)")
        #expect(before.hasSuffix("exit status 1\n"), "\(before)")
        let snippet = sourceTree.appendingPathComponent("deploy/snippets/postfix-header-checks")
        for rule in try String(contentsOf: snippet, encoding: .utf8).split(separator: "\n")
        where rule.hasPrefix("/") {
            #expect(before.contains("\n    \(rule)\n"), "\(before)")
        }
        let after = try said("after.txt")
        #expect(after.contains("subject        20 of 20 (100 %)"), "\(after)")
        #expect(after.contains("\nReady"), "\(after)")
        #expect(after.hasSuffix("exit status 0\n"), "\(after)")
    }
}
