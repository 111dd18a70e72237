import Foundation
import TestSupport
import Testing

/// `postern events --follow` in a scratch folder.
private final class Following {
    let scratch: Scratch
    private let process: Process

    /// - Parameters:
    ///   - arguments: in which `FOLDER` is the scratch folder.
    ///   - files: what is there before it begins, by name; also with `FOLDER`.
    init(_ arguments: [String], files: [String: String] = [:]) throws {
        scratch = try Scratch()
        let folder = scratch.url.path
        for (name, text) in files {
            _ = try scratch.write(name, text.replacing("FOLDER", with: folder))
        }
        process = try Program().start(
            ["events", "--follow", "--timezone", "UTC"]
                + arguments.map { $0.replacing("FOLDER", with: folder) },
            output: scratch.path("out"),
            error: scratch.path("err")
        )
        let isReady = eventually { messages.contains("following ") }
        #expect(isReady, "\(messages)")
    }

    deinit { process.terminate() }

    func append(_ text: String, to name: String = "mail.log") throws {
        let path = scratch.path(name)
        if !FileManager.default.fileExists(atPath: path) {
            _ = try scratch.write(name, text)
            return
        }
        let handle = try #require(FileHandle(forWritingAtPath: path))
        handle.seekToEndOfFile()
        handle.write(Data(text.utf8))
        handle.closeFile()
    }

    func rename(_ name: String, _ other: String) throws {
        try FileManager.default.moveItem(atPath: scratch.path(name), toPath: scratch.path(other))
    }

    /// Ends it; gives the exit status.
    func stop(_ signal: Int32 = SIGTERM) -> Int32 {
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -1
    }

    var output: String {
        (try? String(contentsOfFile: scratch.path("out"), encoding: .utf8)) ?? ""
    }

    var messages: String {
        (try? String(contentsOfFile: scratch.path("err"), encoding: .utf8)) ?? ""
    }

    /// The recipients' domains of the events so far.
    var domains: [String] {
        output.split(separator: "\n").compactMap { line in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
            return (object as? [String: Any])?["destination.domain"] as? String
        }
    }
}

private func firstLines(_ text: String, _ count: Int) -> String {
    text.split(separator: "\n").prefix(count).joined(separator: "\n") + "\n"
}

@Suite(.serialized) struct FollowEventsTests {
    /// What was there before is not shown; what comes is, each event once, through a rotation.
    @Test(arguments: [SIGTERM, SIGINT])
    func eventsAreGivenOnceThroughARotation(_ signal: Int32) throws {
        let following = try Following(
            ["--json", "FOLDER/mail.log"],
            files: ["mail.log": receipt(0, second: 0) + "half a line that is "]
        )
        try following.append("finished later\n" + receipt(1, second: 0))
        #expect(eventually { following.domains == ["d1.test"] }, "\(following.output)")
        try following.rename("mail.log", "mail.log.1")
        try following.append(receipt(2, second: 0), to: "mail.log.1")
        try following.append(receipt(3, second: 0))
        #expect(eventually { following.domains.count == 3 }, "\(following.output)")
        try following.append(receipt(4, second: 0))
        #expect(eventually { following.domains.count == 4 }, "\(following.output)")
        #expect(following.stop(signal) == 0)
        #expect(following.domains == ["d1.test", "d2.test", "d3.test", "d4.test"])
        #expect(!following.messages.contains("reading goes on"))
    }

    /// An event waits for its outcome, and is not shown without one when the command ends.
    @Test func anEventIsGivenWhenItHasItsOutcome() throws {
        let following = try Following(["--json", "FOLDER/mail.log"], files: ["mail.log": ""])
        let slow = receipt(5, second: 0)
        try following.append(firstLines(slow, 4) + receipt(6, second: 0))
        #expect(eventually { following.domains == ["d6.test"] }, "\(following.output)")
        let rest = slow.split(separator: "\n").suffix(2).joined(separator: "\n") + "\n"
        try following.append(rest)
        #expect(eventually { following.domains == ["d6.test", "d5.test"] })
        try following.append(firstLines(receipt(7, second: 0), 4))
        try following.append(receipt(8, second: 0))
        #expect(eventually { following.domains.last == "d8.test" })
        #expect(following.stop() == 0)
        #expect(following.domains == ["d6.test", "d5.test", "d8.test"])
    }

    @Test func sinceReadsWhatWasWrittenAlsoInRotatedFiles() throws {
        let following = try Following(
            ["--json", "--since", "2026-03-01T10:00:02Z", "FOLDER/mail.log"],
            files: [
                "mail.log.1": receipt(1, second: 0) + receipt(2, second: 0),
                "mail.log": receipt(3, second: 0),
            ]
        )
        try following.append(receipt(4, second: 0))
        #expect(eventually { following.domains.count == 3 }, "\(following.output)")
        #expect(following.stop() == 0)
        #expect(following.domains == ["d2.test", "d3.test", "d4.test"])
    }

    /// A file that comes later is new from its beginning.
    @Test func aPatternFindsFilesThatComeLater() throws {
        let following = try Following(
            ["--json", "FOLDER/mx*.log"],
            files: ["mx1.log": receipt(0, second: 0)]
        )
        try following.append(receipt(1, second: 0), to: "mx1.log")
        #expect(eventually { following.domains == ["d1.test"] }, "\(following.output)")
        try following.append(receipt(2, second: 0), to: "mx2.log")
        #expect(eventually { following.domains == ["d1.test", "d2.test"] }, "\(following.output)")
        #expect(following.stop() == 0)
    }

    @Test func aFileNeedNotBeThereYet() throws {
        let following = try Following(["--json", "FOLDER/mail.log"])
        try following.append(receipt(1, second: 0))
        #expect(eventually { following.domains == ["d1.test"] }, "\(following.messages)")
        #expect(following.stop() == 0)
    }

    /// Without INPUT, the sources of the settings are followed; no state is written.
    @Test func theSourcesOfTheSettingsAreFollowed() throws {
        let following = try Following(
            ["--json", "--config", "FOLDER/postern.yml"],
            files: [
                "mail.log": receipt(0, second: 0), "mail.log.1": receipt(9, second: 0),
                "postern.yml": "sources: [{file: FOLDER/mail.log}]\nstate: FOLDER/state\n",
            ]
        )
        try following.append(receipt(1, second: 0))
        #expect(eventually { following.domains == ["d1.test"] }, "\(following.messages)")
        #expect(following.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: following.scratch.path("state")))
    }

    /// Who reads may go away; then the command ends by itself, although nothing is written.
    @Test func theCommandEndsWhenNobodyReads() throws {
        let scratch = try Scratch()
        let log = try scratch.write("mail.log", "")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "{ \"$0\" events --follow \"$1\" 2>\"$2\"; echo $? >\"$3\"; } | true",
            try Program().path, log, scratch.path("err"), scratch.path("status"),
        ]
        try process.run()
        func status() -> String? {
            try? String(contentsOfFile: scratch.path("status"), encoding: .utf8)
        }
        #expect(eventually { status() == "0\n" })
        process.waitUntilExit()
    }

    @Test(arguments: [
        ["--follow", "--until", "2026-03-01", "mail.log"], ["--follow", "-"], ["--follow", "/tmp"],
        [],
    ])
    func whatCannotBeFollowedIsWrongUsage(_ arguments: [String]) throws {
        #expect(try Program().run(["events"] + arguments).status == 64)
    }
}
