/// What tells that a message is a receipt.
public enum ReceiptEvidence: Sendable, Hashable {
    case subject, contentType, both
}

/// Whether a message is a receipt, from the first subject and the first content type of its log
/// lines.
public struct ReceiptVerdict: Sendable, Equatable {
    public let kind: ReceiptKind
    public let evidence: ReceiptEvidence
    /// Where the payload begins in the decoded subject; 0 when no prefix is known.
    public let payloadStart: Int

    /// Nil when the message is no receipt.
    ///
    /// The content type adds evidence and never takes away: a subject with a prefix of the table is
    /// a receipt's whatever the type. With the type alone the kind is `unknown`, unless the type
    /// tells: then it is that, whatever the subject says.
    public init?(subject: ReceiptSubject?, reportType: ReportType?) {
        let isReport = reportType?.isReceipt ?? false
        let told: ReceiptKind? =
            switch reportType {
            case .readNotification: .read
            case .notReadNotification: .notRead
            case .dispositionNotification, .other, nil: nil
            }
        if let subject, isReport || !subject.needsContentType {
            kind = told ?? subject.kind
            evidence = isReport ? .both : .subject
            payloadStart = subject.payloadStart
        } else if isReport {
            kind = told ?? .unknown
            evidence = .contentType
            payloadStart = 0
        } else {
            return nil
        }
    }
}
