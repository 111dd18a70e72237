import MailEvents

extension EventField {
    /// Every text that the field can have; nil where there is no such list.
    var values: [String]? {
        switch self {
        case .outcome: ["success", "failure", "unknown"]
        case .delivery: Delivery.allCases.map(\.name)
        case .dialect: Dialect.allCases.map(\.name)
        case .phase: [Phase.submitted.name, Phase.settled.name]
        case .receipt: Receipt.allCases.compactMap(\.name)
        case .receiptEvidence: ReceiptEvidence.allCases.compactMap(\.name)
        case .baitEvidence: BaitEvidence.allCases.map(\.name)
        default: nil
        }
    }
}
