import Foundation
import MailEvents
import TestSupport
import Testing

@testable import MailLog

/// A run of lines in which a stranger's text tries to be more than text, and what it must come to.
struct Attack: CustomTestStringConvertible, Sendable {
    var name: String
    var lines: [[UInt8]] = []
    /// The events, each as a line of the file.
    var expected: [String] = []

    var testDescription: String { name }

    /// The attacks of a file of `Tests/Hostile`; its head says how it is written.
    static func read(_ file: String) throws -> [Attack] {
        let url = sourceTree.appendingPathComponent("Tests/Hostile/\(file).txt")
        var attacks: [Attack] = []
        for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("== ") {
                attacks.append(Attack(name: String(line.dropFirst(3))))
            } else if line.hasPrefix("-> ") {
                if line != "-> nothing" {
                    attacks[attacks.count - 1].expected.append(
                        String(decoding: bytes(line.dropFirst(3)), as: UTF8.self)
                    )
                }
            } else if !line.hasPrefix("#") {
                attacks[attacks.count - 1].lines.append(bytes(line))
            }
        }
        return attacks
    }

    /// Replaces `\x{HH}` and `\x{HH*N}`.
    private static func bytes(_ text: Substring) -> [UInt8] {
        var result: [UInt8] = []
        var rest = text
        while let mark = rest.range(of: "\\x{") {
            result += Array(rest[..<mark.lowerBound].utf8)
            let code = rest[mark.upperBound...].prefix { $0 != "}" }
            let parts = code.split(separator: "*")
            let count = parts.count > 1 ? Int(parts[1]) ?? 0 : 1
            result += [UInt8](repeating: UInt8(parts[0], radix: 16) ?? 0, count: count)
            rest = rest[code.endIndex...].dropFirst()
        }
        return result + Array(rest.utf8)
    }
}

extension SeenEvent {
    /// As the files of attacks have it.
    fileprivate var row: String {
        let outcome = "\(delivery)" + (isAmbiguous ? " ambiguous" : "")
        return [account, sender ?? "–", recipient, outcome, subject ?? "–"]
            .joined(separator: " | ")
    }
}

/// The truth, or not parsed: text that a stranger wrote never becomes an account, an address or an
/// outcome.
@Suite struct HostileTests {
    @Test(arguments: ["postfix", "exim"], [1, 3])
    func everyAttackComesToTheTruth(_ file: String, restoreEvery: Int) throws {
        for attack in try Attack.read(file) {
            var run = try LogRun()
            for (index, line) in attack.lines.enumerated() {
                run.read(line)
                if index % restoreEvery == 1 { try run.restore() }
            }
            run.finish()
            #expect(run.events.map(\.row) == attack.expected, "\(file): \(attack.name)")
            #expect(run.violations.isEmpty, "\(file): \(attack.name)")
        }
    }
}
