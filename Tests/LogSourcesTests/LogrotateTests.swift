import Foundation
import LinuxIO
@testable import LogSources
import Records
import Synchronization
import SystemPackage
import Testing

/// Writes numbered lines as fast as it can, and opens its log anew when it is told to, as rsyslog
/// does at SIGHUP.
private final class FastWriter: Sendable {
    let path: FilePath
    /// The script of logrotate makes this file; it stands for the signal.
    let signal: FilePath
    let count: Int
    private let written = Atomic(0)

    init(path: FilePath, signal: FilePath, count: Int) {
        self.path = path
        self.signal = signal
        self.count = count
    }

    var writtenCount: Int { written.load(ordering: .acquiring) }

    func run() throws {
        let calls = SystemCalls()
        var number = 0
        while number < count {
            let file = try calls.open(path, [.write, .create, .append], mode: 0o644)
            while number < count, (try? calls.status(of: signal)) == nil {
                var text = ""
                for _ in 0..<20 where number < count {
                    text += "\(number) mx1 postfix/qmgr[9]: 4WxYz12BbCzNk: removed and more of it\n"
                    number += 1
                }
                try file.writeAll(Array(text.utf8))
                written.store(number, ordering: .releasing)
            }
            try? calls.remove(signal)
        }
    }
}

/// The real logrotate, as it is told to rotate mail logs, while lines are written at full speed.
@Suite(.serialized) struct LogrotateTests {
    static let styles = [
        "create\n sharedscripts\n postrotate\n SIGNAL_AND_WAIT\n endscript",
        "create\n compress\n postrotate\n SIGNAL_AND_WAIT\n endscript",
        "create\n compress\n delaycompress\n postrotate\n SIGNAL_AND_WAIT\n endscript",
        "create\n dateext\n dateformat -%Y%m%d-%s\n compress\n postrotate\n SIGNAL_AND_WAIT\n endscript",
        "create\n compress\n compresscmd /usr/bin/zstd\n compressoptions --rm -q\n compressext .zst\n"
            + " delaycompress\n postrotate\n SIGNAL_AND_WAIT\n endscript",
        "copytruncate",
        "copytruncate\n compress\n delaycompress",
    ]

    /// Tells the writer, and waits until it has left its file: compressing what is still written
    /// would lose lines before anybody could read them.
    private static func script(_ signal: FilePath) -> String {
        "touch \(signal)\n i=0\n while [ -e \(signal) ] && [ $i -lt 200 ]; do sleep 0.005; i=$((i+1)); done"
    }

    @Test(arguments: styles)
    func noLineIsLostOrGivenTwice(style: String) throws {
        let folder = try ScratchFolder()
        let path = folder.path.appending("mail.log")
        let signal = folder.path.appending("hup")
        let config = try folder.file(
            "logrotate.conf",
            Array(
                "\(path) {\n rotate 100\n missingok\n \(style)\n}\n"
                    .replacingOccurrences(of: "SIGNAL_AND_WAIT", with: Self.script(signal)).utf8
            )
        )
        let writer = FastWriter(path: path, signal: signal, count: 40_000)
        let rotations = Mutex(0)
        let state = folder.path.appending("state").string
        // (A class, as the folder must live until both threads have ended.)
        let writing = Thread { try? writer.run() }
        let rotating = Thread {
            while writer.writtenCount < writer.count {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/usr/sbin/logrotate")
                process.arguments = ["--force", "--state", state, config.string]
                process.standardError = FileHandle.nullDevice
                try? process.run()
                process.waitUntilExit()
                rotations.withLock { $0 += 1 }
            }
        }
        var follower = try Follower(path, readBytes: 131_072, lineCapacity: 5_000)
        try follower.fill()
        writing.start()
        rotating.start()
        var idleCount = 0
        while idleCount < 20 || !writing.isFinished || !rotating.isFinished {
            let count = follower.given.lines.count
            _ = try follower.source.wait(stop: follower.stop, atMost: 20_000_000)
            try follower.fill()
            idleCount = follower.given.lines.count == count ? idleCount + 1 : 0
        }
        #expect(rotations.withLock { $0 } > 0)
        let given = follower.given.texts.compactMap { Int($0.prefix { $0 != " " }) }
        #expect(given.count == follower.given.lines.count)
        let wrong = zip(given, given.dropFirst()).first { $0 >= $1 }
        #expect(wrong == nil, "\(follower.given.notes)")
        if style.hasPrefix("copytruncate") {
            // What is written between the copy and the truncation is in neither (logrotate(8)).
            let missing = try Set(numbersOnDisk(folder.path)).subtracting(given)
            #expect(missing.count == 0, "\(follower.given.notes)")
        } else {
            #expect(given.count == writer.count, "\(follower.given.notes)")
            let losses = follower.given.notes.filter { if case .lost = $0 { true } else { false } }
            #expect(losses.isEmpty)
        }
    }

    private func numbersOnDisk(_ folder: FilePath) throws -> [Int] {
        let names = try SystemCalls().names(inFolder: folder)
            .filter { $0.string.hasPrefix("mail.log") }
        return try replay(names.map { folder.appending($0) }).texts
            .compactMap { Int($0.prefix { $0 != " " }) }
    }
}
