import Findings
import Glibc
import SafeText
import TestSupport
import Testing

@testable import Alerting

/// A syslog daemon's end of a Unix datagram socket.
final class Receiver {
    private let number: CInt
    let path: String

    init(_ path: String) {
        self.path = path
        number = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)
        precondition(number >= 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(number, address, size)
            }
        }
        precondition(result == 0)
    }

    deinit { close(number) }

    /// The next datagram; nil when there is none.
    func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(number, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    func receiveText() -> String? { receive().map { String(decoding: $0, as: UTF8.self) } }
}

@Suite struct SyslogSinkTests {
    let alert = OutgoingAlert(
        id: exampleAlert().id.description,
        sequence: 0,
        body: exampleAlert().json(),
        attempt: 1
    )

    func sink(_ path: String, facility: Int = 3) -> SyslogSink {
        SyslogSink(name: "syslog", address: .unix(path), facility: facility) {
            1_772_359_451_000_000
        }
    }

    func isFailure(_ answer: SinkAnswer, _ text: String) -> Bool {
        guard case .failed(let error, _) = answer else { return false }
        return error.contains(text)
    }

    @Test func anAlertIsOneLineAsSyslogWritesIt() throws {
        let scratch = try Scratch()
        let receiver = Receiver(scratch.socketPath)
        var sink = sink(scratch.socketPath)
        #expect(sink.send(alert) == .accepted)
        let text = try #require(receiver.receiveText())
        let east = localSecondsEast(at: 1_772_359_451)
        let stamp = SyslogLine.stamp(nowMicroseconds: 1_772_359_451_000_000, secondsEast: east)
        #expect(
            text == "<27>\(stamp) postern[\(getpid())]: opened outlook_not_read: "
                + "Outlook of alice@example.com is tricked: it sends read receipts to spammers. "
                + "event.id=haaaaaaaaaaaaaaaaaaaaaaaaa event.sequence=0 event.severity=73 "
                + "@timestamp=2026-03-01T10:04:10.250Z user.name=alice@example.com "
                + "postern.diagnosis=outlook-receipts postern.count=15 "
                + "postern.evidence=haaaaaaaaaaaaaaaaaaaaaaaaa.0.tar.zst"
        )
        #expect(receiver.receive() == nil)
    }

    @Test func aNoticeIsALineToo() throws {
        let scratch = try Scratch()
        let receiver = Receiver(scratch.socketPath)
        var sink = sink(scratch.socketPath, facility: 16)
        let notice = Notice(
            name: "postern_limit",
            id: "limit-open-messages",
            microseconds: 1_772_359_450_250_000,
            severity: .medium,
            message: "Too many open messages."
        )
        let outgoing = OutgoingAlert(id: notice.id, sequence: 0, body: notice.json(), attempt: 1)
        #expect(sink.send(outgoing) == .accepted)
        let text = try #require(receiver.receiveText())
        #expect(text.hasPrefix("<132>"))
        #expect(
            text.hasSuffix(
                ": notice postern_limit: Too many open messages. event.id=limit-open-messages "
                    + "event.sequence=0 event.severity=47 @timestamp=2026-03-01T10:04:10.250Z"
            )
        )
    }

    @Test func aMissingSocketIsAFailureUntilItIsThere() throws {
        let scratch = try Scratch()
        var sink = sink(scratch.socketPath)
        #expect(isFailure(sink.send(alert), "No such file"))
        let receiver = Receiver(scratch.socketPath)
        #expect(sink.send(alert) == .accepted)
        #expect(receiver.receive() != nil)
    }

    /// As when rsyslog is started again: nobody at the old socket, no socket, another socket.
    @Test func aSocketThatWasMadeAnewIsFound() throws {
        let scratch = try Scratch()
        var sink = sink(scratch.socketPath)
        var receiver: Receiver? = Receiver(scratch.socketPath)
        #expect(sink.send(alert) == .accepted)
        #expect(receiver?.receive() != nil)
        receiver = nil
        #expect(isFailure(sink.send(alert), "refused"))
        #expect(unsafe unlink(scratch.socketPath) == 0)
        #expect(isFailure(sink.send(alert), "No such file"))
        let next = Receiver(scratch.socketPath)
        #expect(sink.send(alert) == .accepted)
        #expect(next.receive() != nil)
    }

    @Test func aFullSocketIsAFailureAndNothingWaits() throws {
        let scratch = try Scratch()
        let receiver = Receiver(scratch.socketPath)
        var sink = sink(scratch.socketPath)
        var accepted = 0
        var answer = sink.send(alert)
        while answer == .accepted, accepted < 100_000 {
            accepted += 1
            answer = sink.send(alert)
        }
        #expect(isFailure(answer, "temporarily unavailable"))
        #expect(receiver.receive() != nil)
        #expect(sink.send(alert) == .accepted)
        var received = 1
        while receiver.receive() != nil { received += 1 }
        #expect(received == accepted + 1)
    }

    @Test func aFileThatIsNoSocketIsAFailure() throws {
        var sink = sink("/dev/null")
        guard case .failed = sink.send(alert) else {
            Issue.record("accepted by /dev/null")
            return
        }
    }

    @Test(arguments: ["", "{}", "{\"event.action\":\"opened\"}", "[]", "\u{0}"])
    func bytesThatAreNoAlertAreRefused(body: String) throws {
        let scratch = try Scratch()
        let receiver = Receiver(scratch.socketPath)
        var sink = sink(scratch.socketPath)
        let bad = OutgoingAlert(id: "x", sequence: 0, body: Array(body.utf8), attempt: 1)
        guard case .refused = sink.send(bad) else {
            Issue.record("not refused")
            return
        }
        #expect(receiver.receive() == nil)
    }

    /// The fields of a line as a log collector splits them: `name=word` or `name="…"` with `\"` for a
    /// quote; a backslash before anything else stands for itself.
    func fields(_ text: String) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        var rest = Substring(text)
        while rest.first == " ", let equals = rest.firstIndex(of: "=") {
            let name = String(rest[rest.index(after: rest.startIndex)..<equals])
            rest = rest[rest.index(after: equals)...]
            var value = ""
            if rest.first == "\"" {
                rest.removeFirst()
                while let next = rest.first, next != "\"" {
                    rest.removeFirst()
                    value.append(next)
                    guard next == "\\", let escaped = rest.first else { continue }
                    rest.removeFirst()
                    if escaped == "\"" { value.removeLast() }
                    value.append(escaped)
                }
                rest = rest.dropFirst()
            } else {
                value = String(rest.prefix { $0 != " " })
                rest = rest.dropFirst(value.count)
            }
            fields.append((name, value))
        }
        #expect(rest.isEmpty)
        return fields
    }

    /// `text` from the last place where `words` stand; nil when they do not.
    func tail(of text: String, from words: String) -> String? {
        var index = text.endIndex
        while index > text.startIndex {
            index = text.index(before: index)
            if text[index...].hasPrefix(words) { return String(text[index...]) }
        }
        return nil
    }

    /// forall text of strangers: one line without a character that is not visible, within the
    /// limit, that names the bundle, and whose fields cannot be forged by a value.
    @Test(arguments: 1...160 as ClosedRange<UInt64>)
    func hostileTextStaysText(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var alert = hostileAlert(&random)
        if seed % 4 == 0 {
            alert.message += String(repeating: hostileText(&random) + "\u{202e}x", count: 200)
            alert.account = String(repeating: "\"\\\u{1b}", count: 2_000)
            alert.degraded = [String(repeating: "\"", count: 2_000)]
            alert.ruleName = String(repeating: "r", count: 2_000)
        }
        let line = SyslogLine(facility: 23, processID: .max)
        let facts = try AlertFacts(json: alert.json())
        for bytesMax in [SyslogLine.bytesMax, SyslogLine.bytesMin] {
            let bytes = line.datagram(
                facts,
                nowMicroseconds: 0,
                secondsEast: 0,
                bytesMax: bytesMax
            )
            #expect(bytes.count <= bytesMax)
            let text = try #require(String(validating: bytes, as: UTF8.self))
            #expect(!text.unicodeScalars.contains(where: isUnsafeToShow))
            let head = try #require(text.firstIndex(of: ":"))
            #expect(text[..<head].hasPrefix("<"))
            if let bundle = alert.evidence?.bundle {
                let isShortened = text.hasSuffix(" postern.shortened=true")
                let end = isShortened ? " postern.shortened=true" : ""
                #expect(text.hasSuffix(" postern.evidence=" + bundle + end))
            }
            #expect(text.contains(" event.id=\(alert.id) event.sequence=\(alert.sequence) "))
            // A value cannot end its quotes: the fields read back as they were.
            let fields = fields(try #require(tail(of: text, from: " event.id=\(alert.id) ")))
            let names = [
                "event.id", "event.sequence", "event.severity", "@timestamp", "user.name",
                "postern.diagnosis", "postern.count", "postern.degraded", "postern.evidence",
                "postern.shortened",
            ]
            #expect(names.filter(fields.map(\.name).contains) == fields.map(\.name))
            if let account = alert.account, account.utf8.count < 5 {
                #expect(fields.contains { $0.name == "user.name" && $0.value == shown(account) })
            }
        }
    }

    @Test func theEndOfAnAlertIsNoLouderThanANotice() throws {
        var alert = exampleAlert()
        alert.severity = .critical
        func priority() throws -> String {
            let line = SyslogLine(facility: 3, processID: 1)
            let bytes = line.datagram(
                AlertFacts(alert),
                nowMicroseconds: 0,
                secondsEast: 0,
                bytesMax: 8_192
            )
            return String(decoding: bytes.prefix(4), as: UTF8.self)
        }
        #expect(try priority() == "<26>")
        alert.action = .resolved
        #expect(try priority() == "<29>")
    }

    /// glibc pads the day with a blank (`%e`) and uses the local time.
    @Test(
        arguments: [
            (0, 0, "Jan  1 00:00:00"), (1_772_359_451_999_999, 0, "Mar  1 10:04:11"),
            (1_772_359_451_000_000, 3_600, "Mar  1 11:04:11"), (-1, -18_000, "Dec 31 18:59:59"),
            (1_798_761_599_000_000, 0, "Dec 31 23:59:59"),
        ] as [(Int64, Int, String)]
    )
    func stampsAreThoseOfSyslog(now: Int64, east: Int, expected: String) {
        #expect(SyslogLine.stamp(nowMicroseconds: now, secondsEast: east) == expected)
    }
}
