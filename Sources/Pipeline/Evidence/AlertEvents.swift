import Findings
import SafeText
public import State

/// The events of an open alert that has grown since its last bundle: what the page shows until the
/// next bundle has them too. They are in the state, not in the evidence.
public enum AlertEvents {
    /// The latest of them that are kept, and their bytes.
    static let countMax = 2_000
    static let bytesMax = 1 << 20

    /// One JSON object a line, as in `events.jsonl` of a bundle; none: it has not grown.
    public static func read(_ alert: String, in store: StateReader) throws(StateError) -> [UInt8] {
        try store.piece(.alertEvents, key: Array(alert.utf8).span) ?? []
    }

    /// - Parameter events: the latest last; the earliest leave when there are too many bytes.
    static func set(_ events: [[UInt8]], of alert: AlertID, in changes: inout Changes) {
        var count = 0
        var bytes = 0
        for event in events.reversed() {
            bytes += event.count + 1
            guard bytes <= bytesMax else { break }
            count += 1
        }
        let lines = events.suffix(count).flatMap { $0 + [UInt8(ascii: "\n")] }
        changes.setPiece(.alertEvents, key: Array(alert.description.utf8).span, body: lines.span)
    }

    static func remove(_ alert: String, in changes: inout Changes) {
        changes.removePiece(.alertEvents, key: Array(alert.utf8).span)
    }

    /// Takes those of an account out, which is forgotten.
    static func forget(
        _ account: String,
        accountDomain: String?,
        of alert: String,
        in store: StateReader,
        _ changes: inout Changes
    ) throws(StateError) {
        let lines = try read(alert, in: store).split(separator: UInt8(ascii: "\n"))
        let kept = lines.filter { line in
            guard let user = try? JSONObjectReader.read(Array(line))["user.name"]?.string else {
                return false
            }
            return canonicalAccount(user, domain: accountDomain) != account
        }
        guard kept.count < lines.count else { return }
        let bytes = kept.flatMap { Array($0) + [UInt8(ascii: "\n")] }
        changes.setPiece(.alertEvents, key: Array(alert.utf8).span, body: bytes.span)
    }
}
