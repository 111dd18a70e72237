/// One rule file as bytes. This room does no I/O.
public struct RuleFile: Sendable {
    /// How mistakes name it.
    public let name: String
    public let bytes: [UInt8]

    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// What some rule files say: the rules, and everything that is wrong with them.
///
/// Reading never fails and never traps, whatever the bytes. When `mistakes` is not empty, `rules`
/// holds what could be read (for `check`) and must not be put in force.
public struct RuleReading: Sendable {
    public let rules: RuleSet
    /// In the order of the files and their lines.
    public let mistakes: [Mistake]
    /// As `mistakes`, but the rules may be put in force.
    public let warnings: [Mistake]
    /// All regular expressions that could be read, whatever became of their rules, in the order of
    /// the files. They are yet to be compiled, which may find more mistakes.
    public let expressions: [WrittenExpression]

    /// Reads all files together: rules may refer to rules of other files.
    ///
    /// `placeholders` are the values for `%name%` in values with `expand`. Regular expressions are
    /// taken as they are; whoever compiles them finds what is wrong in them.
    public init(
        _ files: [RuleFile],
        placeholders: [String: [String]] = [:],
        limits: RuleLimits = RuleLimits()
    ) {
        var reader = RuleReader(placeholders: placeholders, limits: limits)
        for file in files { reader.read(file) }
        reader.resolve()
        let names = files.map(\.name)
        for name in reader.rules.detections.flatMap(\.placeholders)
            + reader.rules.filters.flatMap(\.placeholders)
        {
            reader.rules.placeholders[name] = placeholders[name]
        }
        rules = reader.rules
        mistakes = reader.findings.mistakes.inFileOrder(of: names)
        warnings = reader.findings.warnings.inFileOrder(of: names)
        expressions = reader.expressions
    }
}

/// A regular expression of a rule file.
public struct WrittenExpression: Sendable, Hashable {
    public let pattern: RegexPattern
    /// Where its value stands.
    public let place: Place
}

/// Turns documents into rules, then resolves what they say of each other.
struct RuleReader {
    let placeholders: [String: [String]]
    let limits: RuleLimits
    var findings = MistakeList()
    var rules = RuleSet()

    /// A name by which a correlation or filter refers to a rule.
    struct Mention {
        let name: String
        let place: Place

        var key: String { identityKey(name) }
    }
    /// What is to be resolved for `rules.correlations`, by position.
    var pendingCorrelations: [PendingCorrelation] = []
    /// For `rules.filters`, by position; nil: `rules: any`.
    var pendingFilters: [[Mention]?] = []
    /// Where the `id` and `name` of each document stand, to report a second use.
    private(set) var identities: [Identity] = []
    /// The first of ``identities`` of the document that is being read.
    private var firstIdentity = 0
    /// See ``RuleReading/expressions``.
    var expressions: [WrittenExpression] = []

    enum Target: Hashable {
        case rule(RuleReference)
        case filter(Int)
        /// A document with a mistake of its own.
        case unread
    }

    /// What a document can be named by.
    struct Identity {
        enum Kind: String { case id, name, title }

        let text: String
        let kind: Kind
        let place: Place
        var target = Target.unread
    }

    init(placeholders: [String: [String]], limits: RuleLimits) {
        self.placeholders = placeholders
        self.limits = limits
    }

    mutating func read(_ file: RuleFile) {
        let start = Place(file: file.name, line: 1, column: 1)
        guard file.bytes.count <= limits.fileBytesMax else {
            findings.refuse("longer than \(limits.fileBytesMax) bytes", at: start)
            return
        }
        // libyaml is told the encoding, and then takes a byte order mark for a column, and for no
        // place where `---` may stand.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let bytes =
            file.bytes.starts(with: mark) ? file.bytes.dropFirst(mark.count) : file.bytes[...]
        guard let text = String(validating: bytes, as: UTF8.self) else {
            findings.refuse("this is not UTF-8", at: firstInvalidPlace(bytes, of: file.name))
            return
        }
        if let (line, column) = firstForbiddenCharacter(text) {
            let place = Place(file: file.name, line: line, column: column)
            findings.refuse("a control character; YAML does not allow it", at: place)
            return
        }
        for document in YAMLDocument.documents(of: text, file: file.name) {
            if let tree = document.read(limits: limits, into: &findings) {
                read(tree, text: document.text)
            }
        }
    }

    private func firstInvalidPlace(_ bytes: ArraySlice<UInt8>, of name: String) -> Place {
        var line = 1
        var column = 1
        var decoder = UTF8()
        var rest = bytes.makeIterator()
        scalars: while true {
            switch decoder.decode(&rest) {
            case .scalarValue("\n"):
                line += 1
                column = 1
            case .scalarValue: column += 1
            case .emptyInput, .error: break scalars
            }
        }
        return Place(file: name, line: line, column: column)
    }

    /// The first character outside YAML's `c-printable` (YAML 1.2.2 §5.1).
    private func firstForbiddenCharacter(_ text: String) -> (line: Int, column: Int)? {
        var line = 1
        var column = 1
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A:
                line += 1
                column = 0
            case 0x09, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xFFFD, 0x10000...: break
            default: return (line, column)
            }
            column += 1
        }
        return nil
    }

    private mutating func read(_ tree: YAMLTree, text: String) {
        guard case .map(let pairs) = tree.content else {
            if tree.scalar?.isNull ?? false { return }  // a document of comments
            findings.refuse("a rule is a map, not \(tree.kindName)", at: tree.place)
            return
        }
        let map = RuleMap(pairs, at: tree.place)
        let kinds = ["correlation", "filter", "detection"].filter { map[$0] != nil }
        guard kinds.count == 1, let kind = kinds.first else {
            let message =
                kinds.isEmpty
                ? "expected `detection`, `correlation` or `filter`"
                : "`\(kinds[0])` and `\(kinds[1])` exclude each other"
            findings.refuse(message, at: tree.place)
            return
        }
        switch kind {
        case "correlation": readCorrelation(map, text: text)
        case "filter": readFilter(map, text: text)
        default: readDetection(map, text: text)
        }
    }

    /// Notes what the document can be named by, whatever becomes of it.
    mutating func announce(id: String?, name: String?, title: String?, _ map: RuleMap) {
        firstIdentity = identities.count
        func add(_ text: String?, _ kind: Identity.Kind) {
            guard let text, !text.isEmpty,
                !identities[firstIdentity...].contains(where: {
                    identityKey($0.text) == identityKey(text)
                })
            else { return }
            let place = kind == .title ? map.place : map[kind.rawValue]?.place ?? map.place
            identities.append(Identity(text: text, kind: kind, place: place))
        }
        add(id, .id)
        add(name, .name)
        // Where there is no other name, the title stands for it.
        if map["id"] == nil, map["name"] == nil { add(title, .title) }
    }

    /// The document that was announced last has become this.
    mutating func register(as target: Target) {
        for index in firstIdentity..<identities.count { identities[index].target = target }
    }
}

/// The form in which ids and names are compared: a UUID, which may be written in either case
/// (RFC 9562, 4), in lower case; anything else as it is.
func identityKey(_ name: String) -> String {
    let bytes = Array(name.utf8)
    guard bytes.count == 36 else { return name }
    for (index, byte) in bytes.enumerated() {
        switch (index, byte) {
        case (8, UInt8(ascii: "-")), (13, UInt8(ascii: "-")), (18, UInt8(ascii: "-")),
            (23, UInt8(ascii: "-")):
            break
        case (8, _), (13, _), (18, _), (23, _): return name
        case (_, UInt8(ascii: "0")...UInt8(ascii: "9")), (_, UInt8(ascii: "a")...UInt8(ascii: "f")),
            (_, UInt8(ascii: "A")...UInt8(ascii: "F")):
            break
        default: return name
        }
    }
    return name.lowercased()
}

/// A map with text keys, as a rule document is built of.
struct RuleMap {
    let place: Place
    /// Every key and value in the order of the file. Keys differ: the YAML reader saw to that.
    let entries: [(key: String, keyPlace: Place, keyShift: Int?, value: YAMLTree)]
    private var positions: [String: Int]

    init(_ pairs: [(key: YAMLTree, value: YAMLTree)], at place: Place) {
        self.place = place
        entries = pairs.map { key, value in
            (key.scalar?.text ?? "", key.place, key.scalar?.textColumnShift, value)
        }
        positions = [String: Int](
            entries.enumerated().map { ($0.element.key, $0.offset) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    subscript(key: String) -> YAMLTree? {
        positions[key].map { entries[$0].value }
    }

    /// The same map, in which those of `keys` that have no value (`tags:`) count as missing.
    func ignoringEmpty(_ keys: [String]) -> RuleMap {
        var map = self
        for key in keys where self[key]?.scalar?.isNull ?? false { map.positions[key] = nil }
        return map
    }

    func keyPlace(_ key: String) -> Place {
        positions[key].map { entries[$0].keyPlace } ?? place
    }
}
