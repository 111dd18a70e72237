public import Findings

/// A member of an evidence bundle, by the only names that one may hold (architecture §9).
public enum BundleMember: String, Sendable, Hashable, CaseIterable {
    /// The alert, without what only the sealed bundle tells of itself.
    case alert = "alert.json"
    /// The raw lines, escaped, one record a line.
    case lines = "lines.log"
    /// Where each of the lines was read, and its digest.
    case provenance = "provenance.jsonl"
    /// The events that the alert counts.
    case events = "events.jsonl"
    /// The rule with the rules and filters that it refers to.
    case rule = "rule.yml"
    case settings = "settings.json"
    /// What was known before these events.
    case state = "state.json"
    /// Digests of all members above.
    case manifest = "MANIFEST.json"
    /// The manifest's signature, 64 bytes as RFC 8032 has them; a bundle may be without.
    case signature = "MANIFEST.sig"

    /// The members that a manifest lists, in the order of the archive and of the manifest.
    public static let listed: [BundleMember] = [
        .alert, .lines, .provenance, .events, .rule, .settings, .state,
    ]
}

/// The file name of a bundle: `ALERTID.SEQUENCE.tar.zst`.
public struct BundleName: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var alert: AlertID
    /// `event.sequence` of the transition that it proves; never negative.
    public var sequence: Int

    public static let suffix = ".tar.zst"

    public init(alert: AlertID, sequence: Int) {
        precondition(sequence >= 0)
        self.alert = alert
        self.sequence = sequence
    }

    /// Reads a file name; nil if it is not that of a bundle, letter by letter.
    public init?(_ fileName: String) {
        let bytes = Array(fileName.utf8)
        let idCount = 26
        guard bytes.count > idCount + 1 + Self.suffix.utf8.count, bytes.count < 64,
            let alert = AlertID(String(decoding: bytes[..<idCount], as: UTF8.self)),
            let sequence = Int(
                String(
                    decoding: bytes[(idCount + 1)...].dropLast(Self.suffix.utf8.count),
                    as: UTF8.self
                )
            ),
            sequence >= 0
        else { return nil }
        self.init(alert: alert, sequence: sequence)
        // One form only: no leading zeros, no sign, no other separator.
        guard description.utf8.elementsEqual(bytes) else { return nil }
    }

    public var description: String { "\(alert).\(sequence)\(Self.suffix)" }

    /// By alert, and within it by sequence as a number.
    public static func < (left: Self, right: Self) -> Bool {
        (left.alert.description, left.sequence) < (right.alert.description, right.sequence)
    }
}
