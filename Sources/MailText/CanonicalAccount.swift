/// The forms in which accounts, domains and payloads compare: for grouping, counting and AlertIDs,
/// never for showing.
public enum Canonical {
    /// Longest canonical account, in bytes; what is longer loses its end.
    public static let accountBytesMax = 1024

    /// Replaces `out` by the caseless form of a login; one without an `@` gets `domain` behind it,
    /// if that is given and not empty. An empty login stays empty.
    ///
    /// Nothing else changes: a comma or blank at the end is part of the login, and bytes that are
    /// no UTF-8 stay what they are, so that different logins stay different.
    public static func account(
        _ login: Span<UInt8>,
        domain: [UInt8] = [],
        into out: inout [UInt8]
    ) {
        out.removeAll(keepingCapacity: true)
        let read = min(login.count, accountBytesMax)
        CaselessText.append(login.extracting(0..<read), to: &out)
        if !out.isEmpty, !domain.isEmpty, !out.contains(UInt8(ascii: "@")) {
            out.append(UInt8(ascii: "@"))
            CaselessText.append(domain.span, to: &out)
        }
        out.shorten(toAtMost: accountBytesMax)
    }
}
