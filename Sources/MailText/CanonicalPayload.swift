extension Canonical {
    /// Longest payload, in bytes.
    public static let payloadBytesMax = 1024

    /// Replaces `out` by the payload: what a receipt's subject says behind its prefix, in the form in
    /// which receipts for one spam message are alike whatever the victim's language, mail program and
    /// server.
    ///
    /// It is the decoded subject from `payloadStart` (0 for a subject that
    /// is no receipt's): caseless, composed (NFC), white space as single blanks and none at the
    /// ends, invisible characters left out, each run of digits as one `0`.
    ///
    /// A `?` before white space, and a run of them, is white space: so Postfix logs folds. Of the
    /// receipt prefixes only the first is gone: a receipt for a receipt has the inner one as payload.
    /// The result has at most `payloadBytesMax` bytes. Bytes that are no UTF-8 stay; a decoded subject has
    /// none.
    public static func payload(
        _ subject: Span<UInt8>,
        from payloadStart: Int,
        into out: inout [UInt8]
    ) {
        out.removeAll(keepingCapacity: true)
        let start = min(max(0, payloadStart), subject.count)
        // White space and invisible characters may go, so more is read than can come out.
        let end = min(subject.count, start + 4 * payloadBytesMax)
        CaselessText.append(subject.extracting(start..<end), to: &out)
        CaselessText.tidy(&out, from: 0, digits: true, folds: true)
        if out.shorten(toAtMost: payloadBytesMax), out.last == 0x20 { out.removeLast() }
    }
}
