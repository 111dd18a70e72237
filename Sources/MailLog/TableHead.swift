import MailEvents

/// The columns that are read, by what they hold.
enum TableColumn: Int, CaseIterable, Sendable {
    case time
    case clientIP
    case serverHostname
    case sourceContext
    case connector
    case source
    case event
    case internalID
    case messageID
    case networkID
    case recipients
    case recipientStatus
    case recipientCount
    case relatedRecipient
    case subject
    case sender
    case returnPath
    case messageInfo
    case directionality
    case originalClientIP
    case status
    case fromIP
}

/// What a table's head says: where its columns are.
///
/// Names are compared without regard to case, hyphens, underscores and blanks, since Exchange writes
/// `message-subject`, Microsoft 365's reports `message_subject`, and its cmdlets `MessageSubject`.
struct TableHead: Sendable {
    /// What a row is.
    enum Style: Sendable {
        /// One event in a message's life: Exchange's message tracking log, and Microsoft 365's extended
        /// report, which has the same columns.
        case tracking
        /// A message with the state of all its recipients: Microsoft 365's enhanced summary report.
        case summary
        /// A message and one recipient: the output of `Get-MessageTraceV2`, or of `Get-MessageTrace`.
        case trace
    }

    let dialect: Dialect
    let style: Style
    /// Fields of each row.
    let count: Int
    private let places: InlineArray<22, Int8>

    /// The place of a column among the fields; nil if the table has none.
    subscript(column: TableColumn) -> Int? {
        let place = places[column.rawValue]
        return place < 0 ? nil : Int(place)
    }

    /// Reads the names of the columns; nil if they are of no table that is known.
    init?(_ text: Span<UInt8>, _ fields: [TableField]) {
        guard fields.count <= TableRow.fieldsMax else { return nil }
        var places = InlineArray<22, Int8>(repeating: -1)
        for (index, field) in fields.enumerated() {
            guard let column = Self.column(text, field.range) else { continue }
            if places[column.rawValue] < 0 { places[column.rawValue] = Int8(index) }
        }
        func has(_ columns: TableColumn...) -> Bool {
            columns.allSatisfy { places[$0.rawValue] >= 0 }
        }
        if has(.time, .source, .event, .recipients, .sender, .messageID) {
            style = .tracking
        } else if has(.time, .sender, .recipientStatus, .directionality, .messageID) {
            style = .summary
        } else if has(.time, .sender, .recipients, .status, .fromIP, .messageID) {
            style = .trace
        } else {
            return nil
        }
        let first = places[TableColumn.time.rawValue]
        let isExchange = text.first(
            UInt8(ascii: "-"),
            from: fields[Int(first)].range.lowerBound,
            to: fields[Int(first)].range.upperBound
        )
        dialect = style == .tracking && isExchange != nil ? .exchange : .microsoft365
        count = fields.count
        self.places = places
    }

    /// The columns of Exchange's message tracking log in their order, told by how many there are, for
    /// rows whose head was not seen: 26 of Exchange 2010, 27 of 2013, 30 of 2016 and 2019.
    static let exchange2010 = ofExchange(hasNetworkID: false, count: 26)
    static let exchange2013 = ofExchange(hasNetworkID: true, count: 27)
    static let exchange2016 = ofExchange(hasNetworkID: true, count: 30)

    private static func ofExchange(hasNetworkID: Bool, count: Int) -> TableHead {
        var columns: [TableColumn?] = [
            .time, .clientIP, nil, nil, .serverHostname, .sourceContext, .connector, .source,
            .event, .internalID, .messageID,
        ]
        if hasNetworkID { columns.append(.networkID) }
        columns += [
            .recipients, .recipientStatus, nil, .recipientCount, .relatedRecipient, nil, .subject,
            .sender, .returnPath, .messageInfo, .directionality, nil, .originalClientIP,
        ]
        var places = InlineArray<22, Int8>(repeating: -1)
        for (index, column) in columns.enumerated() {
            if let column { places[column.rawValue] = Int8(index) }
        }
        return TableHead(places, count: count)
    }

    private init(_ places: InlineArray<22, Int8>, count: Int) {
        dialect = .exchange
        style = .tracking
        self.count = count
        self.places = places
    }

    /// The names of each column, in lower case and without hyphens, underscores and blanks: those of
    /// the tables above, and of their earlier versions.
    private static let names: [(StaticString, TableColumn)] = [
        ("datetime", .time), ("datetimeutc", .time), ("origintimestamp", .time),
        ("origintimestamputc", .time), ("received", .time), ("receiveddatetime", .time),
        ("clientip", .clientIP), ("serverhostname", .serverHostname),
        ("sourcecontext", .sourceContext), ("connectorid", .connector), ("source", .source),
        ("eventid", .event), ("internalmessageid", .internalID), ("messageid", .messageID),
        ("networkmessageid", .networkID), ("messagetraceid", .networkID),
        ("recipientaddress", .recipients), ("recipientstatus", .recipientStatus),
        ("recipientcount", .recipientCount), ("relatedrecipientaddress", .relatedRecipient),
        ("messagesubject", .subject), ("subject", .subject), ("senderaddress", .sender),
        ("returnpath", .returnPath), ("messageinfo", .messageInfo),
        ("directionality", .directionality), ("originalclientip", .originalClientIP),
        ("status", .status), ("fromip", .fromIP),
    ]

    private static func column(_ text: Span<UInt8>, _ field: Range<Int>) -> TableColumn? {
        names.first { isName(text, field, $0.0) }?.1
    }

    private static func isName(
        _ text: Span<UInt8>,
        _ field: Range<Int>,
        _ name: StaticString
    ) -> Bool {
        let start = unsafe name.utf8Start
        var length = 0
        for index in field {
            let byte = asciiLowered(text[index])
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: " "): continue
            default: break
            }
            // `length` is below the name's count where it is used.
            guard length < name.utf8CodeUnitCount, unsafe start[length] == byte else {
                return false
            }
            length += 1
        }
        return length == name.utf8CodeUnitCount
    }
}
