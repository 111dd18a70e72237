import SafeText

/// Events as people read them, one line each.
///
/// Whatever came from a log is escaped; the text never moves a terminal's cursor.
public struct EventText: Sendable {
    /// Colour of the outcome, and of receipts (ECMA-48 SGR).
    public var isColoured: Bool
    /// Columns of a terminal, where fields stand below each other and the subject is cut; nil: two
    /// blanks between the fields, for pipes.
    public var width: Int?

    public init(isColoured: Bool, width: Int?) {
        self.isColoured = isColoured
        self.width = width
    }

    /// Columns of account, recipient, and outcome; longer ones push the rest to the right.
    private static let accountColumns = 28
    private static let recipientColumns = 32
    private static let outcomeColumns = 10
    private static let receiptColumns = 8
    private static let timeColumns = 24

    /// The names of the columns, with a newline; empty for pipes.
    public var head: String {
        guard width != nil else { return "" }
        let names = [
            padded("TIME", Self.timeColumns), padded("ACCOUNT", Self.accountColumns),
            padded("RECIPIENT", Self.recipientColumns), padded("OUTCOME", Self.outcomeColumns),
            padded("RECEIPT", Self.receiptColumns), "SUBJECT",
        ]
        let line = names.joined(separator: "  ")
        return isColoured ? "\u{1b}[2m\(line)\u{1b}[0m\n" : line + "\n"
    }

    /// One event, with a newline.
    public func line(_ event: SendEvent) -> String {
        let time = rfc3339(microseconds: event.submittedMicroseconds)
        let account = shown(event.string(event.user) ?? "?")
        let recipient = shown(event.string(event.recipient) ?? "?")
        let outcome = event.delivery.name
        let receipt = event.receipt.name
        let subject = shown(event.string(event.subject) ?? "")
        guard let width else {
            let mark = receipt.map { " [\($0)]" } ?? ""
            return "\(time)  \(account)  \(recipient)  \(outcome)\(mark)  \(subject)\n"
        }
        let start =
            "\(time)  \(padded(account, Self.accountColumns))  "
            + "\(padded(recipient, Self.recipientColumns))  "
        let room = max(
            20,
            width - start.count - Self.outcomeColumns - Self.receiptColumns - 4
        )
        return start + styled(padded(outcome, Self.outcomeColumns), style(of: event.delivery))
            + "  " + styled(padded(receipt ?? "", Self.receiptColumns), receipt.map { _ in "1;33" })
            + "  "
            + cut(subject, room) + "\n"
    }

    private func style(of delivery: Delivery) -> String? {
        switch delivery {
        case .sent: "32"
        case .bounced, .expired: "31"
        case .deferred, .held, .discarded, .filtered: "33"
        case .unknown: nil
        }
    }

    private func styled(_ text: String, _ style: String?) -> String {
        guard isColoured, let style else { return text }
        return "\u{1b}[\(style)m\(text)\u{1b}[0m"
    }

    private func padded(_ text: String, _ columns: Int) -> String {
        text + String(repeating: " ", count: max(0, columns - text.count))
    }

    private func cut(_ text: String, _ columns: Int) -> String {
        text.count <= columns ? text : text.prefix(columns - 1) + "…"
    }
}
