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

    /// What it is, for a message.
    var kindName: String {
        switch content {
        case .scalar(let scalar): scalar.kindName
        case .list: "a list"
        case .map: "a map"
        }
    }

    var scalar: YAMLScalar? {
        if case .scalar(let scalar) = content { return scalar }
        return nil
    }
}

/// One YAML scalar: its text, and what the text means when it stands unquoted.
struct YAMLScalar {
    enum Value {
        case text
        case number(Number)
        case boolean(Bool)
        case null
    }
    let text: String
    let value: Value
    /// How many columns after its place the text begins, when it stands on one line as it is
    /// written: 0 for a plain scalar, 1 for a quoted one without escapes.
    let textColumnShift: Int?

    var kindName: String {
        switch value {
        case .text: "text"
        case .number: "a number"
        case .boolean: "a boolean"
        case .null: "null"
        }
    }

    var isNull: Bool {
        if case .null = value { return true }
        return false
    }

    /// Gives a plain scalar its type by the rules of YAML 1.1 as PyYAML, and so `sigma check`,
    /// applies them (yaml.org/type), without the ones that surprise in rules: sexagesimal numbers,
    /// dates, infinities and NaN stay text.
    static func valueOfPlain(_ text: String) -> Value {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": return .boolean(true)
        case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
            return .boolean(false)
        default: return number(text).map(Value.number) ?? .text
        }
    }

    private static func number(_ text: String) -> Number? {
        var digits = Substring(text)
        var sign = ""
        if let first = digits.first, first == "-" || first == "+" {
            digits.removeFirst()
            if first == "-" { sign = "-" }
        }
        guard let first = digits.utf8.first, first.isASCIIDigit || first == UInt8(ascii: ".") else {
            return nil
        }
        for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] where digits.hasPrefix(prefix) {
            let rest = digits.dropFirst(2).filter { $0 != "_" }
            return Int64(sign + rest, radix: radix).map { Number($0) }
        }
        let plain = digits.filter { $0 != "_" }
        if plain.utf8.allSatisfy(\.isASCIIDigit) {
            if plain.utf8.count > 1, plain.hasPrefix("0") {
                return Int64(sign + plain, radix: 8).map { Number($0) }
            }
            // An integer beyond Int64 keeps its size, not its last digits.
            return Int64(sign + plain).map { Number($0) } ?? Double(sign + plain).map { Number($0) }
        }
        // [0-9]…"."[0-9]…, with an exponent only if it has a sign, as in PyYAML.
        guard let point = plain.firstIndex(of: ".") else { return nil }
        let whole = plain[..<point]
        let rest = plain[plain.index(after: point)...]
        let exponentStart = rest.firstIndex { $0 == "e" || $0 == "E" } ?? rest.endIndex
        let fraction = rest[..<exponentStart]
        guard whole.utf8.allSatisfy(\.isASCIIDigit), fraction.utf8.allSatisfy(\.isASCIIDigit),
            !(whole.isEmpty && fraction.isEmpty)
        else { return nil }
        var exponent = rest[exponentStart...]
        if !exponent.isEmpty {
            exponent.removeFirst()
            guard let mark = exponent.first, mark == "+" || mark == "-" else { return nil }
            guard exponent.utf8.count > 1, exponent.dropFirst().utf8.allSatisfy(\.isASCIIDigit)
            else { return nil }
        }
        let mantissa = (whole.isEmpty ? "0" : whole) + "." + (fraction.isEmpty ? "0" : fraction)
        let real = Double(sign + mantissa + (exponent.isEmpty ? "" : "e" + exponent))
        guard let real, real.isFinite else { return nil }
        return Number(real)
    }
}

/// One document of a file, as text.
struct YAMLDocument {
    let file: String
    /// From its `---` line, if it has one, up to the next.
    let text: String
    /// Lines of the file before `text`.
    let linesBefore: Int
}

extension YAMLDocument {
    /// Cuts a file at its document markers.
    ///
    /// `---` at the start of a line, followed by white space or the line's end, is a marker wherever
    /// it stands, also inside a quoted or block scalar (YAML 1.2.2 §9.1.2, `c-forbidden`), so a cut by
    /// lines is exact. Each document is then read for itself: a mistake in one hides none in
    /// another. Documents without content are left out.
    static func documents(of text: String, file: String) -> [YAMLDocument] {
        var documents: [YAMLDocument] = []
        var current = ""
        var linesBefore = 0
        var hasMarker = false
        var hasContent = false
        func close() {
            if hasContent {
                documents.append(
                    YAMLDocument(file: file, text: current, linesBefore: linesBefore)
                )
            }
        }
        var lineNumber = 0
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let end = rest.firstIndex { $0 == UInt8(ascii: "\n") }
            let next = end.map { rest.index(after: $0) } ?? rest.endIndex
            let line = rest[..<next]
            rest = rest[next...]
            if isMarker(line, UInt8(ascii: "-")) {
                if hasContent || hasMarker {
                    close()
                    current = ""
                    linesBefore = lineNumber
                    hasContent = false
                }
                hasMarker = true
                if line.dropFirst(3).contains(where: { !isWhiteSpace($0) }) { hasContent = true }
            } else if isMarker(line, UInt8(ascii: ".")) {
                close()
                current = ""
                linesBefore = lineNumber + 1
                hasContent = false
                hasMarker = false
                lineNumber += 1
                continue
            } else if let first = line.first(where: { !isWhiteSpace($0) }),
                first != UInt8(ascii: "#"),
                hasMarker || first != UInt8(ascii: "%")
            {
                hasContent = true
            }
            current += Substring(line)
            lineNumber += 1
        }
        close()
        return documents
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
            || byte == UInt8(ascii: "\n")
    }

    private static func isMarker(_ line: Substring.UTF8View, _ mark: UInt8) -> Bool {
        guard line.prefix(3).count == 3, line.prefix(3).allSatisfy({ $0 == mark }) else {
            return false
        }
        guard let following = line.dropFirst(3).first else { return true }
        return isWhiteSpace(following)
    }

    /// Reads the document, or says in `findings` why it cannot be read.
    func read(limits: RuleLimits, into findings: inout MistakeList) -> YAMLTree? {
        if let line = lineWithTooManyAliases() {
            let place = Place(file: file, line: linesBefore + line, column: 1)
            findings.refuse("YAML anchors and aliases are not allowed in rules", at: place)
            return nil
        }
        do {
            // Types are ours to give (`valueOfPlain`), so the resolver has no rules; that also
            // spares a regular expression for every scalar.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            guard let root = try parser.singleRoot() else { return nil }
            // Nodes hold their anchors weakly: the parser must outlive the walk.
            return withExtendedLifetime(parser) {
                tree(root, depth: 1, limits: limits, into: &findings)
            }
        } catch let error as YamlError {
            refuse(error, into: &findings)
        } catch {
            findings.refuse("this is not readable YAML", at: place(nil))
        }
        return nil
    }

    /// The first line of an anchor, when there are also so many aliases that merely comparing keys
    /// made of them could take exponential time.
    ///
    /// Yams hashes the keys of a map, and a key may be an alias of an alias of an alias; that
    /// happens before `tree` sees and refuses the first anchor. The count is an over-estimate, since
    /// it also sees what stands in quotes, but a rule with more than 16 words such as ` *this` and
    /// one such as ` &this` has not been met.
    private func lineWithTooManyAliases() -> Int? {
        var line = 1
        var anchorLine: Int?
        var aliasCount = 0
        var before = UInt8(ascii: "\n")
        var mark: UInt8?
        for byte in text.utf8 {
            if let sign = mark, !Self.isWhiteSpace(byte) {
                if sign == UInt8(ascii: "&") { anchorLine = anchorLine ?? line }
                if sign == UInt8(ascii: "*") { aliasCount += 1 }
            }
            let startsToken: Bool =
                switch before {
                case UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: ":"),
                    UInt8(ascii: "?"), UInt8(ascii: "-"):
                    true
                default: Self.isWhiteSpace(before)
                }
            mark =
                startsToken && (byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*")) ? byte : nil
            if byte == UInt8(ascii: "\n") { line += 1 }
            before = byte
        }
        return aliasCount > 16 ? anchorLine : nil
    }

    private func place(_ mark: Mark?) -> Place {
        Place(
            file: file,
            line: linesBefore + max(1, mark?.line ?? 1),
            column: max(1, mark?.column ?? 1)
        )
    }

    private func tree(
        _ node: Node,
        depth: Int,
        limits: RuleLimits,
        into findings: inout MistakeList
    ) -> YAMLTree? {
        let place = place(node.mark)
        if node.anchor != nil {
            findings.refuse("YAML anchors and aliases are not allowed in rules", at: place)
            return nil
        }
        guard depth <= limits.depthMax || node.scalar != nil else {
            findings.refuse("nested deeper than \(limits.depthMax) levels", at: place)
            return nil
        }
        switch node {
        case .scalar(let scalar):
            return leaf(scalar, at: place, into: &findings)
        case .sequence(let sequence):
            var items: [YAMLTree] = []
            var isWhole = true
            for node in sequence {
                if let item = tree(node, depth: depth + 1, limits: limits, into: &findings) {
                    items.append(item)
                } else {
                    isWhole = false
                }
            }
            return isWhole ? YAMLTree(content: .list(items), place: place) : nil
        case .mapping(let mapping):
            var pairs: [(key: YAMLTree, value: YAMLTree)] = []
            var isWhole = true
            for (keyNode, valueNode) in mapping {
                let key = tree(keyNode, depth: depth + 1, limits: limits, into: &findings)
                if let key, key.scalar == nil {
                    findings.refuse("a key must be text, not \(key.kindName)", at: key.place)
                    isWhole = false
                }
                if let key, let scalar = key.scalar, scalar.text == "<<", keyNode.isPlain {
                    findings.refuse("YAML merge keys are not allowed in rules", at: key.place)
                    isWhole = false
                }
                let value = tree(valueNode, depth: depth + 1, limits: limits, into: &findings)
                if let key, let value { pairs.append((key, value)) } else { isWhole = false }
            }
            return isWhole ? YAMLTree(content: .map(pairs), place: place) : nil
        case .alias:
            findings.refuse("YAML anchors and aliases are not allowed in rules", at: place)
            return nil
        }
    }

    private func leaf(
        _ scalar: Node.Scalar,
        at place: Place,
        into findings: inout MistakeList
    ) -> YAMLTree? {
        let tag = scalar.tag.rawValue
        let isText: Bool
        // Yams gives quoted and block scalars the tag of text, and plain ones the empty tag.
        switch tag {
        case "", "!", "tag:yaml.org,2002:str": isText = tag != "" || scalar.style != .plain
        case "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool",
            "tag:yaml.org,2002:null":
            isText = false
        default:
            findings.refuse("the YAML tag `\(tag)` is not allowed in rules", at: place)
            return nil
        }
        let shift: Int? =
            switch scalar.style {
            case .plain, .any: scalar.string.unicodeScalars.contains("\n") ? nil : 0
            case .singleQuoted, .doubleQuoted:
                scalar.string.utf8.contains { "\n\\'\"".utf8.contains($0) } ? nil : 1
            case .literal, .folded: nil
            }
        let value = isText ? .text : YAMLScalar.valueOfPlain(scalar.string)
        return YAMLTree(
            content: .scalar(YAMLScalar(text: scalar.string, value: value, textColumnShift: shift)),
            place: place
        )
    }

    private func refuse(_ error: YamlError, into findings: inout MistakeList) {
        switch error {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            if hasTab(at: mark) {
                findings.refuse("a tab cannot indent YAML; use spaces", at: place(mark))
            } else if problem.contains("undefined alias") {
                findings.refuse(
                    "YAML anchors and aliases are not allowed in rules; quote a value that begins"
                        + " with `*`",
                    at: place(mark)
                )
            } else if problem.contains("Maximum nesting level") {
                findings.refuse("nested deeper than YAML can be read", at: place(mark))
            } else {
                let during = context.map { " \($0.text)" } ?? ""
                findings.refuse("YAML:\(during) \(problem)", at: place(mark))
            }
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "`\($0)`" }.joined(separator: ", ")
            findings.refuse("the key \(names) stands here more than once", at: place(context.mark))
        case .reader(let problem, _, _, _):
            // Does not happen: `RuleReading` looks for characters that YAML forbids beforehand.
            findings.refuse("YAML: \(problem)", at: place(nil))
        case .memory:
            findings.refuse("YAML nested too deep to read", at: place(nil))
        case .no, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            findings.refuse("this is not readable YAML", at: place(nil))
        }
    }

    private func hasTab(at mark: Mark) -> Bool {
        // By scalars: a "\r\n" is one Character.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(mark.line - 1) else { return false }
        let indent = lines[mark.line - 1].prefix { $0 == " " || $0 == "\t" }
        return indent.contains("\t")
    }
}

extension Node {
    fileprivate var isPlain: Bool { scalar?.style == .plain }
}
