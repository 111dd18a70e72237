import Crypto
import Findings
import SafeText
import State

/// One message in place of many that were held back.
enum AlertDigest {
    /// What the IDs of digests begin with.
    static let prefix = "digest-"
    /// `rule.name` of a digest.
    static let ruleName = "postern_digest"
    /// Alerts that are told of one by one.
    static let entriesMax = 100
    /// Bytes of one alert's sentence.
    private static let messageBytesMax = 400

    /// The dispatch of a digest: its bytes, once committed, are those of every attempt.
    ///
    /// - Parameter rows: at least one, in the order in which they would have been sent.
    static func dispatch(
        of rows: [Dispatch],
        sink: String,
        nowMicroseconds: Int64
    ) -> NewDispatch {
        let id = id(of: rows, sink: sink)
        return NewDispatch(
            alert: id,
            sequence: 0,
            sink: sink,
            severity: rows.map(\.severity).max() ?? 1,
            isNotice: rows.allSatisfy(\.isNotice),
            body: body(id, rows, nowMicroseconds),
            createdMicroseconds: nowMicroseconds,
            dueMicroseconds: 0
        )
    }

    /// The same for the same alerts, so that one that a crash left uncommitted is not another one.
    private static func id(of rows: [Dispatch], sink: String) -> String {
        var hash = SHA256()
        hash.update(data: Array(sink.utf8))
        for row in rows { hash.update(data: Array("\n\(row.alert).\(row.sequence)".utf8)) }
        return prefix + base32(Array(hash.finalize().prefix(16)))
    }

    private static func body(_ id: String, _ rows: [Dispatch], _ now: Int64) -> [UInt8] {
        var rules: [(name: String, count: Int)] = []
        var actions: [(name: String, count: Int)] = []
        var entries: [UInt8] = [UInt8(ascii: "[")]
        var times: [String] = []
        for (index, row) in rows.enumerated() {
            guard let facts = try? AlertFacts(json: row.body) else { continue }
            count(facts.rule, in: &rules)
            count(facts.action, in: &actions)
            times.append(facts.time)
            guard index < entriesMax else { continue }
            if entries.count > 1 { entries.append(UInt8(ascii: ",")) }
            entries += entry(facts)
        }
        entries.append(UInt8(ascii: "]"))
        let severity = rows.map(\.severity).max() ?? 1
        let level = Severity.allCases.last { $0.rawValue <= severity } ?? .informational
        var object = JSONObjectWriter()
        object.member("@timestamp", rfc3339(microseconds: now))
        object.member("event.kind", "event")
        object.member("event.action", "digest")
        object.member("event.id", id)
        object.member("event.sequence", 0)
        object.member("event.start", times.min())
        object.member("event.end", times.max())
        object.member("event.severity", severity)
        object.member("rule.name", ruleName)
        object.member(
            "message",
            "\(rows.count) alerts came together: \(words(rules)) (\(words(actions))). "
                + "The highest level is \(level.name)."
        )
        object.member("postern.count", rows.count)
        object.member("postern.digest_rules", counts: rules)
        object.member("postern.digest", rows.map { "\($0.alert).\($0.sequence)" })
        object.member("postern.digest_alerts", json: entries)
        return object.finished()
    }

    private static func entry(_ facts: AlertFacts) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("@timestamp", facts.time)
        object.member("event.action", facts.action)
        object.member("event.id", facts.id)
        object.member("event.sequence", facts.sequence)
        object.member("event.severity", facts.severity)
        object.member("rule.name", facts.rule)
        object.member("user.name", facts.account)
        object.member("message", facts.message.cut(toBytes: messageBytesMax))
        return object.finished()
    }

    private static func count(_ name: String, in counts: inout [(name: String, count: Int)]) {
        if let index = counts.firstIndex(where: { $0.name == name }) {
            counts[index].count += 1
        } else {
            counts.append((name, 1))
        }
    }

    /// `30 receipt_burst, 7 account_fan_out`, the most first.
    private static func words(_ counts: [(name: String, count: Int)]) -> String {
        counts.enumerated()
            .sorted { ($1.element.count, $0.offset) < ($0.element.count, $1.offset) }
            .map { "\($0.element.count) \($0.element.name)" }
            .joined(separator: ", ")
    }
}

extension String {
    /// The text, cut between characters so that its UTF-8 is not longer than `bytes`.
    fileprivate func cut(toBytes bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        var cut = String.UnicodeScalarView()
        var count = 0
        for scalar in unicodeScalars {
            count += UTF8.width(scalar)
            if count > bytes { break }
            cut.append(scalar)
        }
        return String(cut)
    }
}
