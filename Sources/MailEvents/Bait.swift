public import Records

/// What shows that a message is the bait of a receipt (`postern.bait_evidence`).
@frozen
public enum BaitEvidence: UInt8, Sendable, CaseIterable {
    /// It asked for a receipt to the address that the receipt went to.
    case request
    /// Its subject is the receipt's payload.
    case subject

    public var name: String {
        switch self {
        case .request: "request"
        case .subject: "subject"
        }
    }

    public init?(name: String) {
        guard let named = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = named
    }
}

/// The inbound message that a receipt answers (`postern.bait`).
public struct Bait: Sendable, Hashable {
    public var queueID: [UInt8]
    /// Envelope sender; empty for the null sender, or if it was too long to be kept.
    public var sender: [UInt8]
    public var evidence: BaitEvidence
    /// When it came to the mailbox: microseconds since 1970, UTC.
    public var microseconds: Int64
    /// Whether it asked for the receipt at another domain than its sender's; nil if no request of it
    /// was logged.
    public var isThirdParty: Bool?

    public init(
        queueID: [UInt8],
        sender: [UInt8],
        evidence: BaitEvidence,
        microseconds: Int64,
        isThirdParty: Bool?
    ) {
        self.queueID = queueID
        self.sender = sender
        self.evidence = evidence
        self.microseconds = microseconds
        self.isThirdParty = isThirdParty
    }

    /// Whole seconds from the bait to its receipt (`postern.bait_age_seconds`).
    public func ageSeconds(at microseconds: Int64) -> Int64 {
        max(0, microseconds - self.microseconds) / 1_000_000
    }
}

extension Bait {
    /// Appends the stored form of a bait, or that there is none.
    public static func write(_ bait: Bait?, to writer: inout BinaryWriter) {
        writer.write(bait != nil)
        guard let bait else { return }
        writer.write(bait.queueID)
        writer.write(bait.sender)
        writer.write(bait.evidence.rawValue)
        writer.write(bait.microseconds)
        writer.write(bait.isThirdParty.map { $0 ? UInt8(2) : 1 } ?? 0)
    }

    /// Reads what ``write(_:to:)`` wrote.
    public static func read(_ reader: inout BinaryReader) throws(BinaryReadError) -> Bait? {
        guard try reader.readBool() else { return nil }
        let queueID = try reader.readBytes()
        let sender = try reader.readBytes()
        guard let evidence = BaitEvidence(rawValue: try reader.read(UInt8.self)) else {
            throw BinaryReadError(offset: 0, expected: "evidence of a bait")
        }
        let microseconds = try reader.read(Int64.self)
        let third = try reader.read(UInt8.self)
        return Bait(
            queueID: queueID,
            sender: sender,
            evidence: evidence,
            microseconds: microseconds,
            isThirdParty: third == 0 ? nil : third == 2
        )
    }
}
