import Records

/// One journal entry: the values of those of its fields that are looked at.
///
/// It is filled again and again, so reading a journal allocates nothing. What fills it knows where
/// the entry comes from; in here there is no libsystemd.
struct JournalEntry: Sendable {
    /// The fields that are kept, as systemd.journal-fields(7) names them. Those with a leading
    /// underscore are *trusted*: journald sets them, and takes them from no client.
    enum Field: Int, CaseIterable, Sendable {
        case message, identifier, syslogPID, priorUnit, messageID, droppedCount
        case pid, command, hostName, unit, userID, sourceTime, transport, objectUnit

        /// As it stands in the journal.
        var name: StaticString {
            switch self {
            case .message: "MESSAGE"
            case .identifier: "SYSLOG_IDENTIFIER"
            case .syslogPID: "SYSLOG_PID"
            case .priorUnit: "UNIT"
            case .messageID: "MESSAGE_ID"
            case .droppedCount: "N_DROPPED"
            case .pid: "_PID"
            case .command: "_COMM"
            case .hostName: "_HOSTNAME"
            case .unit: "_SYSTEMD_UNIT"
            case .userID: "_UID"
            case .sourceTime: "_SOURCE_REALTIME_TIMESTAMP"
            case .transport: "_TRANSPORT"
            case .objectUnit: "OBJECT_SYSTEMD_UNIT"
            }
        }

        /// Bytes of its value that are kept: of the message one more than a line can have, so that
        /// it is seen when there were more; of the others one more than a unit's name can have
        /// (`UNIT_NAME_MAX` of systemd is 256).
        var bytesMax: Int { self == .message ? SourceLimits.lineBytesMax + 1 : 257 }

        /// The kept fields by the length of their names.
        fileprivate static let byLength: [[(field: Field, name: [UInt8])]] = {
            var table: [[(field: Field, name: [UInt8])]] = []
            for field in allCases {
                let name = Array(String(describing: field.name).utf8)
                while table.count <= name.count { table.append([]) }
                table[name.count].append((field, name))
            }
            return table
        }()
    }

    /// The values, one behind the other.
    private(set) var storage: [UInt8] = []
    /// Where in ``storage`` each value is; a start of −1 is none.
    private var values: InlineArray<14, (start: Int32, count: Int32)> = InlineArray(
        repeating: (-1, 0)
    )
    /// `__REALTIME_TIMESTAMP`: microseconds since 1970, UTC.
    var realtimeMicroseconds: Int64 = 0
    /// Which of the selection's field matches were met; bit for bit.
    private(set) var metMatches: UInt64 = 0

    /// Forgets the fields.
    mutating func removeAll() {
        storage.removeAll(keepingCapacity: true)
        for index in values.indices { values[index] = (-1, 0) }
        realtimeMicroseconds = 0
        metMatches = 0
    }

    /// Takes a field in, if it is one that counts. Of a field that comes twice, the first counts.
    mutating func add(
        name: Span<UInt8>,
        value: Span<UInt8>,
        matches: borrowing FieldMatches
    ) {
        if !matches.isEmpty { metMatches |= matches.met(name, value) }
        guard name.count < Field.byLength.count else { return }
        for (field, bytes) in Field.byLength[name.count] where name.hasBytes(bytes) {
            guard values[field.rawValue].start < 0 else { return }
            let count = min(value.count, field.bytesMax)
            values[field.rawValue] = (Int32(storage.count), Int32(count))
            storage.append(copying: value.extracting(0..<count))
            return
        }
    }

    /// Where in ``storage`` a field's value is.
    func range(of field: Field) -> Range<Int>? {
        let (start, count) = values[field.rawValue]
        return start < 0 ? nil : Int(start)..<(Int(start) + Int(count))
    }

    /// A field's value. Costs a copy.
    func bytes(_ field: Field) -> [UInt8]? { range(of: field).map { Array(storage[$0]) } }

    /// Whether a field has exactly this value.
    func has(_ field: Field, _ value: [UInt8]) -> Bool {
        guard let range = range(of: field) else { return false }
        return storage.span.extracting(range).hasBytes(value)
    }

    /// A field's value as a decimal number; nil if it is absent or anything else.
    func number(_ field: Field) -> UInt64? {
        guard let range = range(of: field), (1...19).contains(range.count) else { return nil }
        var value: UInt64 = 0
        for index in range {
            let byte = storage[index]
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// When it happened, as its sender's system call was stamped, else as journald took it in.
    var eventMicroseconds: Int64 {
        // A wild value is a damaged one; RFC 3339 has no years above 9999.
        guard let time = number(.sourceTime), time > 0, time <= 253_402_300_799_999_999 else {
            return realtimeMicroseconds
        }
        return Int64(time)
    }
}

extension Span<UInt8> {
    /// Whether it has exactly these bytes.
    func hasBytes(_ bytes: [UInt8]) -> Bool {
        guard count == bytes.count else { return false }
        for index in indices where self[index] != bytes[index] { return false }
        return true
    }
}

extension [UInt8] {
    /// Appends a copy of what `span` shows.
    mutating func append(copying span: Span<UInt8>) {
        unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}
