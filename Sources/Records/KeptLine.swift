/// A raw line that is kept as proof of a submission.
public struct KeptLine: Sendable, Equatable {
    /// Where it was read.
    public var record: RecordID
    /// The number of the line in the whole run of the engine: tells the order among several
    /// sources and files.
    public var sequence: UInt64
    /// The line's bytes; shortened to what the assembler keeps.
    public var bytes: [UInt8]
    /// The line was longer.
    public var isShortened: Bool

    public init(record: RecordID, sequence: UInt64, bytes: [UInt8], isShortened: Bool) {
        self.record = record
        self.sequence = sequence
        self.bytes = bytes
        self.isShortened = isShortened
    }
}
