import Foundation
import TestSupport
import Testing

/// A syslog daemon of its own (Debian's rsyslog) that writes what comes in by its socket, of facility
/// `mail`, into a daemon's log.
private final class LocalRsyslog {
    let socket: String
    private let process = Process()

    init(_ daemon: Daemon) throws {
        let folder = daemon.scratch.url.path
        socket = folder + "/log"
        let settings = try daemon.scratch.write(
            "rsyslog.conf",
            """
            global(workDirectory="\(folder)")
            module(load="imuxsock" sysSock.use="off")
            input(type="imuxsock" socket="\(socket)")
            mail.* action(type="omfile" file="\(daemon.log)" asyncWriting="off" flushOnTXEnd="on")

            """
        )
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/rsyslogd")
        process.arguments = ["-n", "-f", settings, "-i", folder + "/rsyslog.pid"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let path = socket
        #expect(eventually { FileManager.default.fileExists(atPath: path) })
    }

    deinit {
        // Test runners block signals, and who they start inherits it.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

@Suite(.serialized) struct CanaryTests {
    private func canaries(_ daemon: Daemon) -> [String] {
        ((try? String(contentsOfFile: daemon.log, encoding: .utf8)) ?? "")
            .split(separator: "\n").map(String.init).filter { $0.contains("postern-canary[") }
    }

    private func notices(_ daemon: Daemon) -> [String] {
        daemon.sent.filter { $0["rule.name"] as? String == "postern_canary" }
            .compactMap { $0["message"] as? String }
    }

    /// From the log to a receiver, which is connected to and gets nothing; and the state and the sinks
    /// know nothing of it.
    @Test func aCanaryThatComesThroughDisturbsNobody() throws {
        let receiver = try Receiver()
        let daemon = try daemon(
            sinks: [
                "webhook: {url: \"http://127.0.0.1:\(receiver.port)/hook\"}\n"
                    + "levels: informational..critical",
                "stdout: {format: json}\nlevels: informational..critical",
            ],
            settings: "canary: {every: 10s, socket: SOCKET}"
        )
        let rsyslog = try LocalRsyslog(daemon)
        let settings = try String(contentsOfFile: daemon.config, encoding: .utf8)
        try settings.replacingOccurrences(of: "SOCKET", with: rsyslog.socket)
            .write(toFile: daemon.config, atomically: true, encoding: .utf8)
        try daemon.start()
        #expect(eventually { canaries(daemon).count == 1 }, "\(daemon.messages)")
        let line = try #require(canaries(daemon).first)
        #expect(line.contains("]: canary 1 of 20"), "\(line)")
        // The next is written: the first has come to its end.
        #expect(eventually { canaries(daemon).count == 2 }, "\(daemon.messages)")
        #expect(receiver.got.isEmpty)
        #expect(daemon.sent.isEmpty, "\(daemon.sent)")
        #expect(try daemon.command("alerts", "list").output == "no alerts\n")
        // Lines of facility mail make an alert as ever, and a copy of a canary makes nothing.
        try daemon.append((0..<3).map { receipt($0, second: 0) }.joined() + line + "\n")
        #expect(eventually { receiver.got.count == 1 }, "\(daemon.messages)")
        #expect(daemon.stop() == 0)
        #expect(try daemon.command("alerts", "undelivered").output == "everything was taken\n")
        let replayed = try Program().run(["replay", "--json", "--timezone", "UTC", daemon.log])
        #expect(try replayed.objects.count == 1)
    }

    /// Nobody reads what the syslog daemon gets; then somebody does.
    @Test func aCanaryThatIsNotReadIsTold() throws {
        let daemon = try Daemon(settings: "canary: {every: 10s, socket: SOCKET}")
        let settings = try String(contentsOfFile: daemon.config, encoding: .utf8)
        let socket = daemon.scratch.path("log")
        try settings.replacingOccurrences(of: "SOCKET", with: socket)
            .write(toFile: daemon.config, atomically: true, encoding: .utf8)
        try daemon.start()
        // No syslog daemon at all.
        #expect(eventually { notices(daemon).count == 1 }, "\(daemon.messages)")
        #expect(notices(daemon).first?.contains("could not be logged") == true)
        let rsyslog = try LocalRsyslog(daemon)
        #expect(eventually { daemon.messages.contains("canary: it comes through again") })
        withExtendedLifetime(rsyslog) {}
        #expect(notices(daemon).count == 1)
        #expect(daemon.stop() == 0)
    }

    /// The line is read, and a sink is not there.
    @Test func aSinkThatACanaryDoesNotReachIsNamed() throws {
        let daemon = try daemon(
            sinks: [
                "webhook: {url: \"http://127.0.0.1:1/hook\"}\nname: ops",
                "stdout: {format: json}\nlevels: informational..critical",
            ],
            settings: "canary: {every: 10s, socket: SOCKET}"
        )
        let rsyslog = try LocalRsyslog(daemon)
        let settings = try String(contentsOfFile: daemon.config, encoding: .utf8)
        try settings.replacingOccurrences(of: "SOCKET", with: rsyslog.socket)
            .write(toFile: daemon.config, atomically: true, encoding: .utf8)
        try daemon.start()
        #expect(eventually { notices(daemon).count == 1 }, "\(daemon.messages)")
        #expect(notices(daemon).first?.contains("ops (") == true, "\(notices(daemon))")
        #expect(notices(daemon).first?.contains("stdout") == false)
        #expect(daemon.stop() == 0)
    }
}
