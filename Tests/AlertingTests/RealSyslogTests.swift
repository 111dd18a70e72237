import Findings
import Foundation
import TestSupport
import Testing

@testable import Alerting

/// rsyslog of Debian in a folder of its own, and what it made of what it got.
private final class Rsyslog {
    let scratch: TestSupport.Scratch
    let udp: Int
    let tcp: Int
    private var process: Process?

    /// - Parameter tls: with `ca.pem`, `server.pem` and `server.key` in the folder; a client has to show
    ///   a certificate of that authority.
    init(tls: Bool = false) throws {
        scratch = try TestSupport.Scratch()
        (udp, tcp) = (try freePort(), try freePort())
        let folder = scratch.url.path
        if tls {
            try shell(
                """
                k='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
                openssl req -x509 $k -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
                openssl req -x509 $k -days 2 -subj /CN=ca -keyout x -out other.pem
                for n in server client; do
                    openssl req $k -subj /CN=$n -keyout $n.key -out $n.csr
                    echo "subjectAltName=DNS:localhost,IP:127.0.0.1" >ext
                    openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -days 2 -extfile ext -out $n.pem
                done
                """,
                in: folder
            )
        }
        let driver = """
            defaultNetstreamDriverCAFile="\(folder)/ca.pem"
            defaultNetstreamDriverCertFile="\(folder)/server.pem"
            defaultNetstreamDriverKeyFile="\(folder)/server.key"
            """
        let mode = """
            streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid"
            """
        _ = try scratch.write(
            "rsyslog.conf",
            """
            global(workDirectory="\(folder)" \(tls ? driver : ""))
            module(load="imudp")
            module(load="imtcp" \(tls ? mode : ""))
            module(load="mmpstrucdata")
            template(name="all" type="string" string="%jsonmesg%\\n")
            ruleset(name="r") {
                action(type="mmpstrucdata")
                action(type="omfile" file="\(folder)/out" template="all")
            }
            input(type="imudp" address="127.0.0.1" port="\(udp)" ruleset="r")
            input(type="imtcp" address="127.0.0.1" port="\(tcp)" ruleset="r")

            """
        )
        try start()
    }

    func start() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/rsyslogd")
        process.arguments = ["-n", "-f", scratch.path("rsyslog.conf"), "-i", scratch.path("pid")]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle(forWritingAtPath: try scratch.write("err", ""))
        try process.run()
        self.process = process
        // It listens when somebody can connect.
        #expect(
            eventually {
                (try? Connection(quick, host: "127.0.0.1", port: tcp, isSecure: false)) != nil
            }
        )
    }

    private var quick: TransferSettings {
        var settings = TransferSettings()
        settings.connectMilliseconds = 500
        return settings
    }

    func stop() {
        guard let process else { return }
        // Test runners block signals, and who they start inherits it.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }

    deinit { stop() }

    /// The messages, as rsyslog read them.
    var got: [[String: Any]] {
        let text = (try? String(contentsOfFile: scratch.path("out"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
            return (object as? [String: Any]).flatMap {
                // Its own words have no structured data and another tag.
                ($0["programname"] as? String) == "postern" ? $0 : nil
            }
        }
    }
}

/// A port that nobody has just now.
private func freePort() throws -> Int {
    let number = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(number) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    return unsafe withUnsafeMutablePointer(to: &address) { address in
        unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            guard unsafe bind(number, address, size) == 0 else { return }
            _ = unsafe getsockname(number, address, &size)
        }
        return Int(UInt16(bigEndian: unsafe address.pointee.sin_port))
    }
}

private func outgoing(_ number: Int, _ change: (inout Alert) -> Void = { _ in }) -> OutgoingAlert {
    var alert = exampleAlert()
    alert.sequence = number
    change(&alert)
    return OutgoingAlert(
        id: alert.id.description,
        sequence: Int64(number),
        body: alert.json(),
        attempt: 1
    )
}

@Suite(.serialized) struct RealSyslogTests {
    private func sink(
        _ address: SyslogAddress,
        _ settings: TransferSettings = TransferSettings(),
        format: SyslogFormat? = nil,
        bytesMax: Int? = nil
    ) -> SyslogSink {
        SyslogSink(
            name: "syslog",
            address: address,
            facility: 17,
            format: format,
            host: "mx1.example",
            bytesMax: bytesMax,
            settings: settings
        ) { 1_772_359_451_250_000 }
    }

    private func parameters(_ message: [String: Any]) throws -> [String: String] {
        let all = try #require(message["$!"] as? [String: Any])
        let data = try #require(all["rfc5424-sd"] as? [String: Any])
        return try #require(data["postern@32473"] as? [String: String])
    }

    /// Text of strangers that would end structured data, a message or a frame.
    private let hostile =
        "a\"] [x@1 y=\"z\"] \\ \\] \n<3>1 - - - - - - forged\r\n\u{1b}[31m\u{0}12 <3>x \u{202e}é"

    @Test(arguments: ["udp", "tcp"])
    func whatIsSentIsWhatRsyslogReads(_ scheme: String) throws {
        let rsyslog = try Rsyslog()
        var sink = sink(
            scheme == "udp"
                ? .udp(host: "127.0.0.1", port: rsyslog.udp)
                : .tcp(host: "127.0.0.1", port: rsyslog.tcp)
        )
        #expect(sink.send(outgoing(0)) == .accepted)
        let strange = outgoing(1) {
            $0.message = "It said " + hostile
            $0.account = hostile
        }
        #expect(sink.send(strange) == .accepted)
        #expect(eventually { rsyslog.got.count == 2 })
        let first = try #require(rsyslog.got.first)
        #expect(first["pri"] as? String == "139")
        #expect(first["timereported"] as? String == "2026-03-01T10:04:11.250Z")
        #expect(first["hostname"] as? String == "mx1.example")
        #expect(first["app-name"] as? String == "postern")
        #expect(first["procid"] as? String == "\(getpid())")
        #expect(first["msgid"] as? String == "opened")
        #expect(first["protocol-version"] as? String == "1")
        let text = "opened outlook_not_read: \(exampleAlert().message)"
        #expect(first["msg"] as? String == text)
        // Foundation leaves the BOM out of a text that begins with it.
        let raw = try #require(first["rawmsg"] as? String)
        #expect(raw.unicodeScalars.filter { $0 == "\u{FEFF}" }.count == 1)
        #expect(Array(raw.utf8).suffix(text.utf8.count + 3).starts(with: [0xef, 0xbb, 0xbf]))
        let parameters = try parameters(first)
        #expect(parameters["event.id"] == exampleAlert().id.description)
        #expect(parameters["event.sequence"] == "0")
        #expect(parameters["user.name"] == "alice@example.com")
        #expect(parameters["postern.evidence"] == "\(exampleAlert().id).0.tar.zst")
        // Nothing of strangers became a message, an element or a parameter.
        let second = rsyslog.got[1]
        let data = try #require((second["$!"] as? [String: Any])?["rfc5424-sd"] as? [String: Any])
        #expect(Array(data.keys) == ["postern@32473"])
        #expect(try self.parameters(second).keys.sorted() == parameters.keys.sorted())
        let message = try #require(second["msg"] as? String)
        #expect(message.contains("\\u{a}<3>1 - - - - - - forged\\u{d}\\u{a}\\u{1b}[31m\\u{0}12"))
    }

    @Test func theOldFormIsReadToo() throws {
        let rsyslog = try Rsyslog()
        var sink = sink(.tcp(host: "127.0.0.1", port: rsyslog.tcp), format: .rfc3164)
        #expect(sink.send(outgoing(0)) == .accepted)
        #expect(eventually { rsyslog.got.count == 1 })
        let first = try #require(rsyslog.got.first)
        #expect(first["hostname"] as? String == "mx1.example")
        #expect(first["syslogtag"] as? String == "postern[\(getpid())]:")
        #expect((first["msg"] as? String)?.hasPrefix(" opened outlook_not_read: ") == true)
    }

    @Test(arguments: ["udp", "tcp"], [1_024, 2_048, 8_000])
    func whatIsTooLongIsShortenedAndNamesItsBundle(_ scheme: String, _ bytesMax: Int) throws {
        let rsyslog = try Rsyslog()
        var sink = sink(
            scheme == "udp"
                ? .udp(host: "127.0.0.1", port: rsyslog.udp)
                : .tcp(host: "127.0.0.1", port: rsyslog.tcp),
            bytesMax: bytesMax
        )
        let long = outgoing(0) {
            $0.message = String(repeating: "wörds\n ", count: 3_000)
            $0.account = String(repeating: "\"]", count: 3_000)
        }
        #expect(sink.send(long) == .accepted)
        #expect(eventually { rsyslog.got.count == 1 })
        let first = try #require(rsyslog.got.first)
        let raw = try #require(first["rawmsg"] as? String)
        #expect(raw.utf8.count <= bytesMax)
        #expect(raw.utf8.count > bytesMax - 32)
        let parameters = try parameters(first)
        #expect(parameters["postern.shortened"] == "true")
        #expect(parameters["postern.evidence"] == "\(exampleAlert().id).0.tar.zst")
        #expect((first["msg"] as? String)?.hasSuffix("…") == true)
    }

    /// A daemon that is killed and started again: no alert that was taken after its start is lost.
    @Test func aConnectionThatBrokeIsMadeAnew() throws {
        let rsyslog = try Rsyslog()
        var sink = sink(.tcp(host: "127.0.0.1", port: rsyslog.tcp))
        #expect(sink.send(outgoing(0)) == .accepted)
        #expect(eventually { rsyslog.got.count == 1 })
        rsyslog.stop()
        guard case .failed = sink.send(outgoing(1)) else {
            Issue.record("taken by nobody")
            return
        }
        try rsyslog.start()
        #expect(eventually { sink.send(outgoing(1)) == .accepted })
        #expect(eventually { rsyslog.got.count == 2 })
    }

    @Test func byTLSOnlyWithTheRightCertificates() throws {
        let rsyslog = try Rsyslog(tls: true)
        var settings = TransferSettings()
        settings.certificateFile = rsyslog.scratch.path("client.pem")
        settings.keyFile = rsyslog.scratch.path("client.key")
        settings.authorityFile = rsyslog.scratch.path("other.pem")
        let address = SyslogAddress.tls(host: "127.0.0.1", port: rsyslog.tcp)
        var distrusting = sink(address, settings)
        guard case .failed(let error, _) = distrusting.send(outgoing(0)) else {
            Issue.record("sent to somebody unknown")
            return
        }
        #expect(error.contains("certificate"))
        settings.authorityFile = rsyslog.scratch.path("ca.pem")
        var trusting = sink(address, settings)
        for number in 0..<20 { #expect(trusting.send(outgoing(number)) == .accepted) }
        #expect(eventually { rsyslog.got.count == 20 }, "\(rsyslog.got.count)")
        #expect(try parameters(rsyslog.got[19])["event.sequence"] == "19")
        // Another name than the certificate's.
        var misled = sink(.tls(host: "127.0.0.2", port: rsyslog.tcp), settings)
        guard case .failed = misled.send(outgoing(0)) else {
            Issue.record("sent to another name")
            return
        }
        // Without our certificate the daemon ends the connection, at the first message at the latest.
        settings.certificateFile = nil
        settings.keyFile = nil
        var nameless = sink(address, settings)
        for number in 0..<3 { _ = nameless.send(outgoing(number)) }
        usleep(200_000)
        #expect(rsyslog.got.count == 20)
    }

    @Test func aPortWithoutADaemonIsAFailureInTime() throws {
        var settings = TransferSettings()
        settings.connectMilliseconds = 1_000
        settings.wholeMilliseconds = 1_000
        let port = try freePort()
        for address in [
            SyslogAddress.tcp(host: "127.0.0.1", port: port), .tls(host: "::1", port: port),
        ] {
            var sink = sink(address, settings)
            guard case .failed = sink.send(outgoing(0)) else {
                Issue.record("taken by nobody")
                return
            }
        }
        var sink = sink(.udp(host: "127.0.0.1", port: port), settings)
        // The first datagram is gone; that nobody is there is heard with the next.
        _ = sink.send(outgoing(0))
        #expect(eventually { sink.send(outgoing(1)) != .accepted })
    }

    /// A listener that takes connections and reads nothing.
    @Test func aDaemonThatReadsNothingIsAFailureInTime() throws {
        let port = try freePort()
        let number = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(number) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(number, address, size)
            }
        }
        #expect(bound == 0)
        #expect(listen(number, 1) == 0)
        var settings = TransferSettings()
        settings.wholeMilliseconds = 500
        var sink = sink(.tcp(host: "127.0.0.1", port: port), settings, bytesMax: 65_000)
        let long = outgoing(0) { $0.message = String(repeating: "x", count: 64_000) }
        var answer = SinkAnswer.accepted
        for _ in 0..<2_000 where answer == .accepted { answer = sink.send(long) }
        #expect(answer != .accepted)
    }

    /// A Unix stream socket, read by socat: messages end with a NUL.
    @Test func aUnixStreamSocketTakesMessagesThatEndWithNUL() throws {
        let scratch = try TestSupport.Scratch()
        let (path, out) = ("/tmp/pa-\(getpid()).sock", try scratch.write("out", ""))
        defer { _ = try? FileManager.default.removeItem(atPath: path) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/socat")
        process.arguments = ["-u", "UNIX-LISTEN:\(path),fork", "OPEN:\(out),append"]
        try process.run()
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        #expect(eventually { FileManager.default.fileExists(atPath: path) })
        var sink = sink(.unix(path))
        #expect(eventually { sink.send(outgoing(0)) == .accepted })
        #expect(sink.send(outgoing(1)) == .accepted)
        var messages: [String] = []
        #expect(
            eventually {
                let bytes = (try? Data(contentsOf: URL(fileURLWithPath: out))) ?? Data()
                messages = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
                return messages.count == 2
            }
        )
        #expect(messages.allSatisfy { $0.hasPrefix("<139>Mar  1 ") })
        #expect(messages.last?.contains(" event.sequence=1 ") == true)
    }
}
