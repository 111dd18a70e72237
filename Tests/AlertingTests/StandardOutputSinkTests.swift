import Findings
import Glibc
import Testing

@testable import Alerting

@Suite struct StandardOutputSinkTests {
    /// Both ends of a pipe; reading never waits.
    final class Pipe {
        let readEnd: CInt
        let writeEnd: CInt

        init() {
            var ends: [CInt] = [0, 0]
            let result = unsafe Glibc.pipe(&ends)
            precondition(result == 0)
            readEnd = ends[0]
            writeEnd = ends[1]
            _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
        }

        deinit {
            close(readEnd)
            close(writeEnd)
        }

        func read(_ countMax: Int = 1 << 20) -> [UInt8] {
            var all: [UInt8] = []
            var part = [UInt8](repeating: 0, count: 65_536)
            while all.count < countMax {
                let count = unsafe Glibc.read(readEnd, &part, min(part.count, countMax - all.count))
                if count <= 0 { break }
                all += part.prefix(count)
            }
            return all
        }
    }

    func alert(_ number: Int, bytes: Int = 10) -> OutgoingAlert {
        OutgoingAlert(
            id: "a\(number)",
            sequence: 0,
            body: Array(repeating: UInt8(ascii: "a") + UInt8(number), count: bytes),
            attempt: 1
        )
    }

    @Test func jsonIsTheBytesOfTheOutboxOneAlertALine() {
        let pipe = Pipe()
        var sink = StandardOutputSink(format: .json, descriptor: pipe.writeEnd)
        #expect(sink.send(alert(0)) == .accepted)
        #expect(sink.send(alert(1)) == .accepted)
        #expect(String(decoding: pipe.read(), as: UTF8.self) == "aaaaaaaaaa\nbbbbbbbbbb\n")
    }

    @Test func textIsForPeopleWithAnEmptyLineBetween() {
        let pipe = Pipe()
        let text = AlertText(isColoured: false, width: nil, evidenceFolder: nil)
        var sink = StandardOutputSink(format: .text(text), descriptor: pipe.writeEnd)
        let outgoing = OutgoingAlert(
            id: "x",
            sequence: 0,
            body: exampleAlert().json(),
            attempt: 1
        )
        #expect(sink.send(outgoing) == .accepted)
        let written = String(decoding: pipe.read(), as: UTF8.self)
        #expect(written == text.render(exampleAlert()) + "\n")
        guard case .refused = sink.send(alert(0)) else {
            Issue.record("no alert, yet written")
            return
        }
    }

    /// A pipe takes 64 KiB. What was begun is gone on with, by its own next attempt or by that of
    /// another alert, and no line is broken or written twice.
    @Test func aReaderThatStopsHoldsNothingUpAndBreaksNoLine() {
        let pipe = Pipe()
        var sink = StandardOutputSink(
            format: .json,
            descriptor: pipe.writeEnd,
            waitMilliseconds: 0
        )
        let big = alert(0, bytes: 200_000)
        let other = alert(1, bytes: 100_000)
        var written: [UInt8] = []
        #expect(sink.send(big) == .failed("stdout: nobody reads it"))
        written += pipe.read()
        #expect(sink.send(big) == .failed("stdout: nobody reads it"))
        written += pipe.read()
        // Another one comes between: the first is finished before it.
        var answers: [SinkAnswer] = []
        while answers.last != .accepted, answers.count < 20 {
            answers.append(sink.send(other))
            written += pipe.read()
        }
        #expect(answers.last == .accepted)
        #expect(sink.send(big) == .accepted, "it is there already")
        written += pipe.read()
        // Compared outside, so that a failure does not print it all.
        let isWhole = written == big.body + [0x0a] + other.body + [0x0a]
        #expect(isWhole)
        #expect(sink.send(big) == .failed("stdout: nobody reads it"), "asked for again, sent again")
    }

    @Test func aPipeWithoutAReaderIsAFailure() {
        // As the sink's own thread does.
        _ = signal(SIGPIPE, SIG_IGN)
        var ends: [CInt] = [0, 0]
        #expect(unsafe Glibc.pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        var sink = StandardOutputSink(format: .json, descriptor: ends[1])
        #expect(sink.send(alert(0)) == .failed("stdout: write: Broken pipe"))
    }
}
