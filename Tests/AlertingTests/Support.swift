import Findings
import Glibc
import State
import Synchronization
import SystemPackage
import TestSupport

@testable import Alerting

/// A folder of its own for one test, gone with it. Short, since a socket's path must be.
final class Scratch: Sendable {
    let path: FilePath

    init() throws {
        var template = Array("/tmp/pa-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = FilePath(String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self))
    }

    deinit {
        for name in ["postern.sqlite", "postern.sqlite-wal", "postern.sqlite-shm", "lock"] {
            _ = unsafe unlink(state.appending(name).string)
        }
        _ = unsafe rmdir(state.string)
        _ = unsafe unlink(path.appending("log").string)
        _ = unsafe rmdir(path.string)
    }

    func store() throws(StateError) -> StateStore {
        try StateStore(
            folder: state,
            create: .init(nowMicroseconds: 1, host: "mx.example")
        )
    }

    var state: FilePath { path.appending("state") }

    var socketPath: String { path.appending("log").string }
}

/// Text as strangers type it, and as only an attacker would.
func hostileText(_ random: inout SeededGenerator, pieces count: Int = 12) -> String {
    let pieces = [
        "a", "alice@example.com", "é", "e\u{301}", "\"", "\\", "\n", "\r", "\u{1b}[31m", "\u{9b}2J",
        "\u{202e}", "\u{2066}", "\u{0}", "漢", "🦊", "\u{2028}", "\u{7f}", "\u{fffd}", " ", "=",
        "event.id=forged", "<0>", "%s%n", "\u{e0041}", "\u{200b}", "'", "`", "$(reboot)", "\t",
    ]
    return (0..<Int.random(in: 0...count, using: &random))
        .map { _ in pieces.randomElement(using: &random) ?? "" }
        .joined()
}

func alertID(_ number: Int) -> AlertID {
    let digits = Array("abcdefghijklmnopqrstuvwxyz234567")
    var text = ""
    var rest = number
    for _ in 0..<26 {
        text.append(digits[rest % 32])
        rest /= 32
    }
    guard let id = AlertID(text) else { preconditionFailure("26 letters are an ID") }
    return id
}

/// An alert with strangers' text in every field that can hold any.
func hostileAlert(_ random: inout SeededGenerator) -> Alert {
    var alert = Alert(
        id: alertID(Int.random(in: 0..<1_000_000, using: &random)),
        sequence: Int.random(in: 0..<1_000, using: &random),
        action: AlertAction.allCases.randomElement(using: &random) ?? .opened,
        microseconds: Int64.random(in: 0..<4_000_000_000_000_000, using: &random),
        severity: Severity.allCases.randomElement(using: &random) ?? .high,
        ruleID: hostileText(&random),
        ruleName: hostileText(&random)
    )
    alert.endMicroseconds += Int64.random(in: 0..<100_000_000_000, using: &random)
    alert.message = hostileText(&random, pieces: 40)
    alert.account = Bool.random(using: &random) ? hostileText(&random) : nil
    alert.accounts = (0..<3).map { _ in hostileText(&random) }
    alert.hosts = (0..<Int.random(in: 0..<14, using: &random)).map { _ in hostileText(&random) }
    alert.hostsLeftOut = Int.random(in: 0..<3, using: &random)
    alert.diagnosis = hostileText(&random)
    alert.diagnosisFacts = (0..<2).map { _ in hostileText(&random) }
    alert.count = Int.random(in: 0..<100, using: &random)
    alert.threshold = 10
    alert.outcomes.sent = Int.random(in: 0..<9, using: &random)
    alert.remediation = Bool.random(using: &random) ? hostileText(&random) : nil
    alert.degraded = (0..<Int.random(in: 0..<3, using: &random)).map { _ in hostileText(&random) }
    alert.reason = Bool.random(using: &random) ? hostileText(&random) : nil
    if Bool.random(using: &random) {
        alert.evidence = SealedEvidence(
            bundle: alert.bundleStem + ".tar.zst",
            digest: "00",
            chain: nil
        )
    }
    return alert
}

/// The alert of the golden texts.
func exampleAlert() -> Alert {
    var alert = Alert(
        id: alertID(7),
        sequence: 0,
        action: .opened,
        microseconds: 1_772_359_450_250_000,
        severity: .high,
        ruleID: "6f0e9a52-0c9e-4a0e-9f43-6f6f3f8b7a10",
        ruleName: "outlook_not_read"
    )
    alert.startMicroseconds = 1_772_359_200_000_000
    alert.endMicroseconds = 1_772_359_450_250_000
    alert.message = "Outlook of alice@example.com is tricked: it sends read receipts to spammers."
    alert.account = "alice@example.com"
    alert.accounts = ["alice@example.com"]
    alert.hosts = (1...12).map { "spam\($0).example" }
    alert.hostsLeftOut = 3
    alert.diagnosis = "outlook-receipts"
    alert.diagnosisFacts = ["15 of 15 are receipts", "no domain was seen before"]
    alert.group = ["alice@example.com"]
    alert.count = 15
    alert.threshold = 10
    alert.outcomes.sent = 13
    alert.outcomes.bounced = 2
    alert.remediation = "Turn off automatic read receipts in this user's Outlook."
    alert.evidence = SealedEvidence(bundle: alert.bundleStem + ".tar.zst", digest: "00", chain: nil)
    return alert
}

/// A time that only tests move.
final class ManualClock: Sendable {
    private let microseconds: Mutex<Int64>

    init(_ microseconds: Int64 = 1_000_000_000) { self.microseconds = Mutex(microseconds) }

    var now: Int64 { microseconds.withLock { $0 } }

    func advance(_ by: Int64) { microseconds.withLock { $0 += by } }
}

/// A list that threads add to.
final class Shared<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    func append(_ element: Element) { elements.withLock { $0.append(element) } }

    func removeAll() { elements.withLock { $0 = [] } }

    var all: [Element] { elements.withLock { $0 } }
}

func newDispatch(_ alert: String, _ sequence: Int64, sink: String) -> NewDispatch {
    NewDispatch(
        alert: alert,
        sequence: sequence,
        sink: sink,
        severity: 47,
        body: Array("\(alert).\(sequence)".utf8),
        // Later than all: it never is too old.
        createdMicroseconds: 4_000_000_000_000_000,
        dueMicroseconds: 0
    )
}
