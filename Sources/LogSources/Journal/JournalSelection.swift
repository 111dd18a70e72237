public import SystemPackage

/// Which entries of which journal are read.
///
/// Nothing of it is given to libsystemd as a match: every entry is looked at here. Only so can
/// forged entries be counted, which differ from the mail server's in just the fields that a match
/// would ask for; and it costs less than a match that most entries meet, as on a mail server, since
/// libsystemd searches its index once for each term and entry. An entry that is passed over costs
/// as much as one that is read, a few microseconds.
public struct JournalSelection: Hashable, Sendable {
    /// Where the journal lies.
    public enum Place: Hashable, Sendable {
        /// This machine's, of the default namespace.
        case local
        /// All journal files below a folder, of whatever machine.
        case directory(FilePath)
        /// These files and no others.
        case files([FilePath])
        /// This machine's, of one namespace (`LogNamespace=` in systemd.exec(5)); `*` is all of them.
        case namespace(String)
    }

    /// A field that must have one of these values.
    public struct Match: Hashable, Sendable {
        /// As systemd.journal-fields(7) names it; see ``JournalSelection/isFieldName(_:)``.
        public var field: String
        public var values: [String]

        public init(field: String, values: [String]) {
            self.field = field
            self.values = values
        }
    }

    public var place: Place
    /// The mail server's units. An entry counts only if its `_SYSTEMD_UNIT` is one of them; `*` and
    /// `?` stand for any characters, as in `postfix@*.service`. If there is none, the matches and
    /// identifiers take the place of this test.
    ///
    /// Files that are read, not followed, may come from anywhere: without units, a unit counts
    /// whose name says that it is a mail server's.
    public var units: [String]
    /// All of them must be met; at most ``matchesMax``. One that names `_UID` takes the place of the
    /// test that the entry's user is root or the mail server's.
    public var matches: [Match]
    /// If there are any, `SYSLOG_IDENTIFIER` must be one of them, or begin with one and a slash:
    /// `postfix` is also `postfix/smtpd`.
    public var identifiers: [String]

    public init(
        place: Place = .local,
        units: [String] = [],
        matches: [Match] = [],
        identifiers: [String] = []
    ) {
        precondition(matches.count <= Self.matchesMax)
        self.place = place
        self.units = units
        self.matches = matches
        self.identifiers = identifiers
    }

    public static let matchesMax = 64

    /// Whether a field may have this name: upper-case letters, digits and underscores, at most 64
    /// and no digit in front (`journal_field_valid` in systemd; sd_journal_print(3)).
    public static func isFieldName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= 64 else { return false }
        guard !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return bytes.allSatisfy {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
        }
    }
}

/// The matches of a selection in the form in which entries are held against them.
struct FieldMatches: Sendable {
    private let matches: [(name: [UInt8], values: [[UInt8]])]

    init(_ matches: [JournalSelection.Match]) {
        precondition(matches.count <= JournalSelection.matchesMax)
        self.matches = matches.map { (Array($0.field.utf8), $0.values.map { Array($0.utf8) }) }
    }

    var isEmpty: Bool { matches.isEmpty }

    /// Bits of those that a field meets.
    func met(_ name: Span<UInt8>, _ value: Span<UInt8>) -> UInt64 {
        var bits: UInt64 = 0
        for (index, match) in matches.enumerated() where name.hasBytes(match.name) {
            if match.values.contains(where: { value.hasBytes($0) }) { bits |= 1 << UInt64(index) }
        }
        return bits
    }

    /// Whether all of them are among `bits`.
    func areAll(in bits: UInt64) -> Bool {
        matches.count == 64 ? bits == .max : bits == (1 << UInt64(matches.count)) - 1
    }

    /// Whether one of them asks for this field.
    func name(_ field: String) -> Bool { matches.contains { $0.name == Array(field.utf8) } }
}
