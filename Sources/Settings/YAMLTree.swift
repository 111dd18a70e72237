import Yams

/// A YAML value with its place, free of anchors, aliases and tags, and not deeper than allowed.
struct YAMLTree {
    indirect enum Content {
        case scalar(YAMLScalar)
        case list([YAMLTree])
        case map([(key: YAMLTree, value: YAMLTree)])
    }
    let content: Content
    let place: Place

    /// What was found, for a message: the value if it is one word, else its kind.
    var found: String {
        switch content {
        case .scalar(let scalar):
            switch scalar.value {
            case .null: "nothing"
            case .text, .number, .boolean: quoted(scalar.text)
            }
        case .list: "a list"
        case .map: "a map"
        }
    }

    var scalar: YAMLScalar? {
        if case .scalar(let scalar) = content { return scalar }
        return nil
    }

    var isNull: Bool { scalar?.value == .null }
}

/// One YAML scalar: its text, and what the text is when it stands unquoted.
struct YAMLScalar {
    enum Value { case text, number, boolean, null }

    let text: String
    let value: Value

    /// Gives a plain scalar its type by YAML 1.1 (yaml.org/type), which is what operators know from
    /// other programs: `yes`, `no`, `on` and `off` are booleans.
    static func valueOfPlain(_ text: String) -> Value {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "no", "No", "NO",
            "false", "False", "FALSE", "off", "Off", "OFF":
            return .boolean
        default:
            return Double(text.filter { $0 != "_" }) != nil ? .number : .text
        }
    }
}

/// Reads a whole settings file as YAML, and says what it is that cannot be read.
///
/// Reading stops at the first mistake of the YAML itself, since what follows one has no certain
/// meaning; aliases, tags and depth are no such mistakes and are all reported.
struct YAMLFile {
    static let depthMax = 32
    static let bytesMax = 1 << 20

    /// The root, or nil when the file is empty, holds comments only, or is refused.
    static func tree(of bytes: [UInt8], into mistakes: inout MistakeList) -> YAMLTree? {
        guard bytes.count <= bytesMax else {
            mistakes.refuse("a file of at most \(bytesMax) bytes was expected", at: .start)
            return nil
        }
        // libyaml is told the encoding, and then takes a byte order mark for a column.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let bytes = bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes
        guard let text = String(validating: bytes, as: UTF8.self) else {
            mistakes.refuse("UTF-8 was expected", at: firstInvalidPlace(bytes))
            return nil
        }
        if let place = firstForbiddenCharacter(text) {
            mistakes.refuse("a control character; YAML does not allow it", at: place)
            return nil
        }
        if let line = lineWithTooManyAliases(text) {
            mistakes.refuse(noAliases, at: Place(line: line, column: 1))
            return nil
        }
        do {
            // Types are ours to give (`valueOfPlain`), so the resolver has no rules; that also
            // spares a regular expression for every scalar.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            guard let root = try parser.singleRoot() else { return nil }
            // Nodes hold their anchors weakly: the parser must outlive the walk.
            return withExtendedLifetime(parser) { tree(root, depth: 1, into: &mistakes) }
        } catch let error as YamlError {
            refuse(error, in: text, into: &mistakes)
        } catch {
            mistakes.refuse("readable YAML was expected", at: .start)
        }
        return nil
    }

    private static let noAliases = "YAML anchors and aliases are not allowed in settings"

    private static func firstInvalidPlace(_ bytes: [UInt8]) -> Place {
        var place = Place.start
        var decoder = UTF8()
        var rest = bytes.makeIterator()
        while true {
            switch decoder.decode(&rest) {
            case .scalarValue("\n"):
                place.line += 1
                place.column = 1
            case .scalarValue: place.column += 1
            case .emptyInput, .error: return place
            }
        }
    }

    /// The first character outside YAML's `c-printable` (YAML 1.2.2 §5.1).
    private static func firstForbiddenCharacter(_ text: String) -> Place? {
        var place = Place.start
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A:
                place.line += 1
                place.column = 0
            case 0x09, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xFFFD, 0x10000...: break
            default: return place
            }
            place.column += 1
        }
        return nil
    }

    /// The first line of an anchor, when there are also so many aliases that merely comparing keys
    /// made of them could take exponential time: Yams hashes the keys of a map, and a key may be an
    /// alias of an alias of an alias, before `tree` sees and refuses the first anchor.
    ///
    /// The count is an over-estimate, since it also sees what stands in quotes.
    private static func lineWithTooManyAliases(_ text: String) -> Int? {
        var line = 1
        var anchorLine: Int?
        var aliasCount = 0
        var before = UInt8(ascii: "\n")
        for byte in text.utf8 {
            let startsToken = isWhiteSpace(before) || "[{,:?-".utf8.contains(before)
            if startsToken, byte == UInt8(ascii: "&") { anchorLine = anchorLine ?? line }
            if startsToken, byte == UInt8(ascii: "*") { aliasCount += 1 }
            if byte == UInt8(ascii: "\n") { line += 1 }
            before = byte
        }
        return aliasCount > 16 ? anchorLine : nil
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
            || byte == UInt8(ascii: "\n")
    }

    private static func place(_ mark: Mark?) -> Place {
        Place(line: max(1, mark?.line ?? 1), column: max(1, mark?.column ?? 1))
    }

    private static func tree(
        _ node: Node,
        depth: Int,
        into mistakes: inout MistakeList
    ) -> YAMLTree? {
        let place = place(node.mark)
        if node.anchor != nil {
            mistakes.refuse(noAliases, at: place)
            return nil
        }
        guard depth <= depthMax || node.scalar != nil else {
            mistakes.refuse("nested deeper than \(depthMax) levels", at: place)
            return nil
        }
        switch node {
        case .scalar(let scalar):
            return leaf(scalar, at: place, into: &mistakes)
        case .sequence(let sequence):
            // An item that was refused has its mistake; the others are still checked.
            let items = sequence.compactMap { tree($0, depth: depth + 1, into: &mistakes) }
            return YAMLTree(content: .list(items), place: place)
        case .mapping(let mapping):
            var pairs: [(key: YAMLTree, value: YAMLTree)] = []
            for (keyNode, valueNode) in mapping {
                let key = tree(keyNode, depth: depth + 1, into: &mistakes)
                if let key, key.scalar == nil {
                    mistakes.refuse("a key must be one word, not \(key.found)", at: key.place)
                }
                let value = tree(valueNode, depth: depth + 1, into: &mistakes)
                if let key, key.scalar != nil, let value { pairs.append((key, value)) }
            }
            return YAMLTree(content: .map(pairs), place: place)
        case .alias:
            mistakes.refuse(noAliases, at: place)
            return nil
        }
    }

    private static func leaf(
        _ scalar: Node.Scalar,
        at place: Place,
        into mistakes: inout MistakeList
    ) -> YAMLTree? {
        // Yams gives quoted and block scalars the tag of text, and plain ones the empty tag.
        let tag = scalar.tag.rawValue
        guard tag.isEmpty || tag == "!" || tag == "tag:yaml.org,2002:str" else {
            mistakes.refuse("the YAML tag \(quoted(tag)) is not allowed in settings", at: place)
            return nil
        }
        let isPlain = tag.isEmpty && scalar.style == .plain
        let value = isPlain ? YAMLScalar.valueOfPlain(scalar.string) : .text
        return YAMLTree(
            content: .scalar(YAMLScalar(text: scalar.string, value: value)),
            place: place
        )
    }

    private static func refuse(
        _ error: YamlError,
        in text: String,
        into mistakes: inout MistakeList
    ) {
        switch error {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            if hasTab(text, at: mark) {
                mistakes.refuse("a tab cannot indent YAML; use spaces", at: place(mark))
            } else if problem.contains("undefined alias") {
                let quoting = "; quote a value that begins with `*`"
                mistakes.refuse(noAliases + quoting, at: place(mark))
            } else if problem.contains("another document") {
                mistakes.refuse("one document was expected, here begins a second", at: place(mark))
            } else {
                let during = context.map { " \($0.text)" } ?? ""
                mistakes.refuse("YAML:\(during) \(problem)", at: place(mark))
            }
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map(quoted).joined(separator: ", ")
            mistakes.refuse("the key \(names) stands here more than once", at: place(context.mark))
        case .memory:
            mistakes.refuse("YAML nested too deep to read", at: .start)
        case .reader, .no, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            mistakes.refuse("readable YAML was expected", at: .start)
        }
    }

    private static func hasTab(_ text: String, at mark: Mark) -> Bool {
        // By scalars: a "\r\n" is one Character.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(mark.line - 1) else { return false }
        let indent = lines[mark.line - 1].prefix { $0 == " " || $0 == "\t" }
        return indent.contains("\t")
    }
}
