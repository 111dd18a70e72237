/// The mistakes found so far.
struct MistakeList {
    private var found: [(message: String, place: Place)] = []

    var count: Int { found.count }

    mutating func refuse(_ message: String, at place: Place) { found.append((message, place)) }

    /// In the order of the file; of one place, in the order in which they were found. The same
    /// mistake at the same place, as every use of an anchor would be, is told once.
    func inOrder(file: String) -> [Mistake] {
        var seen: Set<Mistake> = []
        return found.enumerated()
            .sorted { left, right in
                let (a, b) = (left.element.place, right.element.place)
                return (a.line, a.column, left.offset) < (b.line, b.column, right.offset)
            }
            .map { Mistake($0.element.message, file: file, at: $0.element.place) }
            .filter { seen.insert($0).inserted }
    }
}

/// What reading a file gathers besides the values.
struct SettingsReader {
    let zones: ZoneFolder
    var mistakes = MistakeList()
    var places: [Mention: Place] = [:]

    init(zones: ZoneFolder) { self.zones = zones }

    mutating func refuse(_ message: String, at place: Place) {
        mistakes.refuse(message, at: place)
    }

    /// The usual mistake: something else was expected here.
    mutating func expected(_ what: String, at tree: YAMLTree, _ more: String = "") {
        mistakes.refuse("\(what) was expected, found \(tree.found)\(more)", at: tree.place)
    }
}

/// How one YAML value is checked and turned into a value: nil after a mistake was reported.
struct Reading<Value> {
    let read: (YAMLTree, inout SettingsReader) -> Value?
}

/// A value and where it stands.
struct Placed<Value> {
    var value: Value
    var place: Place
}

/// One key of a map.
struct Key<Target> {
    let name: String
    let take: (YAMLTree, inout Target, inout SettingsReader) -> Void

    /// A key whose value goes to a property; after a mistake the property stays as it was.
    init<Value>(
        _ name: String,
        _ property: WritableKeyPath<Target, Value>,
        _ reading: Reading<Value>
    ) {
        self.name = name
        take = { tree, target, reader in
            if let value = reading.read(tree, &reader) { target[keyPath: property] = value }
        }
    }

    /// A key with a map under it; a key without anything under it leaves all as it was.
    init<Inner>(
        _ name: String,
        _ property: WritableKeyPath<Target, Inner>,
        _ table: KeyTable<Inner>
    ) {
        self.name = name
        take = { tree, target, reader in
            if !tree.isNull { table.read(tree, into: &target[keyPath: property], &reader) }
        }
    }
}

/// The keys that a map may have: the whole grammar of the settings is made of these.
struct KeyTable<Target> {
    let keys: [Key<Target>]
    /// Keys of the design that this version does not know yet, to tell them from misspelt ones.
    let later: [String]

    init(_ keys: [Key<Target>], later: [String] = []) {
        self.keys = keys
        self.later = later
    }

    func read(_ tree: YAMLTree, into target: inout Target, _ reader: inout SettingsReader) {
        guard case .map(let pairs) = tree.content else {
            reader.expected("a map", at: tree)
            return
        }
        for (key, value) in pairs {
            guard let name = key.scalar?.text else { continue }
            if let known = keys.first(where: { $0.name == name }) {
                known.take(value, &target, &reader)
            } else if later.contains(name) {
                reader.refuse("\(quoted(name)) is not supported by this version", at: key.place)
            } else {
                reader.refuse("unknown key \(quoted(name))" + advice(name), at: key.place)
            }
        }
    }

    private func advice(_ name: String) -> String {
        let names = keys.map(\.name)
        let near = hint(for: name, among: names + later)
        guard near.isEmpty else { return near }
        return "; expected " + names.map { "`\($0)`" }.joined(separator: ", ")
    }
}

// MARK: Values

extension Reading<Int> {
    /// A whole number.
    static func count(_ range: ClosedRange<Int>) -> Reading {
        Reading { tree, reader in
            guard let scalar = tree.scalar, scalar.value == .number,
                let number = wholeNumber(scalar.text)
            else {
                reader.expected("a whole number", at: tree)
                return nil
            }
            guard range.contains(number) else {
                let bounds = "a number from \(range.lowerBound) to \(range.upperBound)"
                reader.expected(bounds, at: tree)
                return nil
            }
            return number
        }
    }

    /// A size in bytes.
    static func size(_ range: ClosedRange<Int>) -> Reading {
        Reading { tree, reader in
            guard let scalar = tree.scalar, let bytes = sizeBytes(scalar.text) else {
                reader.expected("a size such as 64MiB", at: tree)
                return nil
            }
            guard bytes >= range.lowerBound, bytes <= range.upperBound else {
                let bounds = "a size from \(range.lowerBound) to \(range.upperBound) bytes"
                reader.expected(bounds, at: tree)
                return nil
            }
            return Int(bytes)
        }
    }

    /// A time span in whole days.
    static func days(_ range: ClosedRange<Int>) -> Reading {
        Reading { tree, reader in
            guard let text = tree.scalar?.text, let seconds = spanSeconds(text),
                seconds % 86_400 == 0
            else {
                reader.expected("a time span in days such as 400d", at: tree)
                return nil
            }
            let days = Int(seconds / 86_400)
            guard range.contains(days) else {
                let bounds = "a time span from \(range.lowerBound)d to \(range.upperBound)d"
                reader.expected(bounds, at: tree)
                return nil
            }
            return days
        }
    }
}

extension Reading<Int64> {
    /// A time span, in seconds. The names are those of the bounds in a message.
    static func span(
        _ range: ClosedRange<Int64>,
        named names: (lowest: String, highest: String)
    ) -> Reading {
        Reading { tree, reader in
            guard let text = tree.scalar?.text, let seconds = spanSeconds(text) else {
                reader.expected("a time span such as 90s, 5m, 6h or 7d", at: tree)
                return nil
            }
            guard range.contains(seconds) else {
                reader.expected("a time span from \(names.lowest) to \(names.highest)", at: tree)
                return nil
            }
            return seconds
        }
    }
}

extension Reading<String> {
    /// Text that is not empty, has no control characters and at most `bytesMax` bytes.
    static func text(_ what: String, bytesMax: Int = 4_096) -> Reading {
        Reading { tree, reader in
            guard let scalar = tree.scalar, scalar.value != .null else {
                reader.expected(what, at: tree)
                return nil
            }
            guard scalar.value == .text else {
                reader.expected(what, at: tree, "; put it in quotes if it is one")
                return nil
            }
            guard !scalar.text.isEmpty else {
                reader.refuse("\(what) was expected, found empty text", at: tree.place)
                return nil
            }
            guard scalar.text.utf8.count <= bytesMax else {
                reader.refuse("\(what) of at most \(bytesMax) bytes was expected", at: tree.place)
                return nil
            }
            guard
                !scalar.text.unicodeScalars.contains(where: {
                    $0.properties.generalCategory == .control
                })
            else {
                reader.expected("\(what) without control characters", at: tree)
                return nil
            }
            return scalar.text
        }
    }

    /// The same reading, which also notes the place for mistakes that other rooms find.
    func noted(under key: String) -> Reading {
        Reading { tree, reader in
            guard let word = read(tree, &reader) else { return nil }
            let mention = Mention(key: key, word: word)
            if reader.places[mention] == nil { reader.places[mention] = tree.place }
            return word
        }
    }
}

extension Reading {
    /// One of a few words.
    static func choice(
        _ what: String,
        _ words: [(name: String, value: Value)]
    ) -> Reading {
        Reading { tree, reader in
            let names = words.map(\.name)
            if let text = tree.scalar?.text, let word = words.first(where: { $0.name == text }) {
                return word.value
            }
            let near = tree.scalar.map { hint(for: $0.text, among: names) } ?? ""
            let list = names.map { "`\($0)`" }.joined(separator: ", ")
            reader.expected(what, at: tree, near.isEmpty ? "; expected one of \(list)" : near)
            return nil
        }
    }

    /// The same, or `null`.
    func orNull() -> Reading<Value?> {
        Reading<Value?> { tree, reader in
            if tree.isNull { return .some(nil) }
            return read(tree, &reader).map(Optional.some)
        }
    }

    /// A list of at most `countMax` such values, without repetitions. Nothing under the key reads
    /// as nil, and so leaves the default.
    func list(_ what: String, countMax: Int = 1_000) -> Reading<[Value]> where Value: Hashable {
        Reading<[Value]> { tree, reader in
            guard !tree.isNull else { return nil }
            guard case .list(let items) = tree.content else {
                reader.expected("a list of \(what)", at: tree)
                return nil
            }
            guard items.count <= countMax else {
                reader.refuse("a list of at most \(countMax) \(what) was expected", at: tree.place)
                return nil
            }
            var values: [Value] = []
            var seen: Set<Value> = []
            for item in items {
                guard let value = read(item, &reader) else { continue }
                if seen.insert(value).inserted {
                    values.append(value)
                } else {
                    reader.refuse("\(item.found) stands in this list before", at: item.place)
                }
            }
            return values
        }
    }

    /// The same value where an optional is wanted.
    func asOptional() -> Reading<Value?> {
        Reading<Value?> { tree, reader in read(tree, &reader).map(Optional.some) }
    }
    /// The same value with its place.
    func placed() -> Reading<Placed<Value>?> {
        Reading<Placed<Value>?> { tree, reader in
            read(tree, &reader).map { .some(Placed(value: $0, place: tree.place)) }
        }
    }

    /// One such value, or a list of them that is not empty and has no repetitions.
    func oneOrMore(_ what: String) -> Reading<[Value]> where Value: Hashable {
        let list = list(what)
        return Reading<[Value]> { tree, reader in
            guard case .list(let items) = tree.content else {
                return read(tree, &reader).map { [$0] }
            }
            guard !items.isEmpty else {
                reader.refuse("at least one of the \(what) was expected", at: tree.place)
                return nil
            }
            return list.read(tree, &reader)
        }
    }
}

extension Reading<Bool> {
    /// `true` or `false`, also as `yes`, `no`, `on` and `off`.
    static var flag: Reading {
        Reading { tree, reader in
            guard let scalar = tree.scalar, scalar.value == .boolean else {
                reader.expected("`true` or `false`", at: tree)
                return nil
            }
            switch scalar.text.lowercased() {
            case "yes", "true", "on": return true
            default: return false
            }
        }
    }
}
