import Foundation
import MailLog
import Records
import TestSupport
import Testing

/// The lines of real logs.
@Suite struct CorpusLineTests {
    private static let logs = [
        "postfix", "postfix-short-ids", "postfix-content-filter", "postfix-before-queue",
        "postfix-before-queue-mute", "postfix-operator", "postfix-internal-addresses",
    ]

    /// Every line of Postfix is understood, or said to be of no interest.
    @Test(arguments: logs) func noLineIsNotUnderstood(_ name: String) throws {
        let log = [UInt8](try Data(contentsOf: corpus(name + ".log")))
        var scanner = LogScanner(seed: .constant)
        var facts: [LineFact] = []
        var start = 0
        for (index, byte) in log.enumerated() where byte == UInt8(ascii: "\n") {
            scanner.scanLine(log.span.extracting(start..<index), line: 0, into: &facts)
            start = index + 1
        }
        #expect(scanner.counters.lines > 100)
        #expect(scanner.counters.unparsed == 0)
        #expect(scanner.counters.foreign == 0)
        #expect(scanner.counters.read > scanner.counters.lines / 2)
    }

    /// The same log under any other head says the same.
    @Test(arguments: [
        "<22>1 2026-03-01T10:00:00.003Z mx1 postfix/smtpd 1 - - ",
        "<22>Mar  1 10:00:00 relay Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
        "2026 Mar  1 10:00:00.123 mx1 mail.info postfix/smtpd[1]: [ID 197553 mail.info] ",
        "2026-03-01T10:00:00.123456789Z stdout F Mar  1 10:00:00 mx1 postfix/smtpd[1]: ",
    ]) func theHeadChangesNothingOfWhatIsSaid(_ head: String) throws {
        let log = try String(contentsOf: corpus("postfix-operator.log"), encoding: .utf8)
        for line in log.split(separator: "\n") {
            // `Nov 25 18:00:00 mx1 TAG[PID]: TEXT`
            let rest = line.dropFirst(15 + 5)
            guard let colon = rest.range(of: "]: ") else { continue }
            let tag = rest[..<colon.lowerBound].split(separator: "[")
            let place =
                head.contains("postfix/smtpd[1]") ? "\(tag[0])[\(tag[1])]" : "\(tag[0]) \(tag[1])"
            let other =
                head.replacing("postfix/smtpd[1]", with: place)
                .replacing("postfix/smtpd 1", with: place) + rest[colon.upperBound...]
            let (plain, changed) = (facts(String(line)), facts(other))
            #expect(plain.map(\.kind) == changed.map(\.kind), "\(other)")
            for (left, right) in zip(plain, changed) {
                #expect(left.key == right.key)
                #expect(left.instance == right.instance)
                #expect(text(left.a, String(line)) == text(right.a, other))
                #expect(text(left.b, String(line)) == text(right.b, other))
                #expect(text(left.c, String(line)) == text(right.c, other))
                #expect(text(left.d, String(line)) == text(right.d, other))
            }
        }
    }

    private func facts(_ line: String) -> [LineFact] {
        var scanner = LogScanner(seed: .constant)
        var facts: [LineFact] = []
        scanner.scanLine(Array(line.utf8).span, line: 0, into: &facts)
        return facts
    }

    private func text(_ piece: LineFact.Piece, _ line: String) -> String? {
        piece.isPresent ? String(decoding: Array(line.utf8)[piece.indices], as: UTF8.self) : nil
    }
}
