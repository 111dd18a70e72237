/// A text with placeholders, on its way through the modifiers that stand before `expand`.
///
/// Sigma specification, Placeholders: `%name%` is one, and `\%` a plain percent sign. A lone `%` and
/// `%%` stay text too.
struct PlaceholderText {
    /// A piece of the text as it is written.
    enum Stretch {
        case plain(String)
        case placeholder(String)
    }

    private enum Piece {
        case pattern(TextPattern)
        case placeholder(String)
    }

    /// One text, or what `windash` made of it.
    private var variants: [[Piece]]
    private var isOpenBefore = false
    private var isOpenBehind = false
    private(set) var isCased = false

    init(_ text: String) {
        variants = [
            Self.stretches(of: text).map { stretch in
                switch stretch {
                case .plain(let text): .pattern(TextPattern(sigma: text, escapesPercent: true))
                case .placeholder(let name): .placeholder(name)
                }
            }
        ]
    }

    /// Cuts `%name%` out of a text; a name has no backslash, `*` or `?`. A backslash belongs to the
    /// character behind it, so a plain stretch ends with a lone one only where the text ends.
    static func stretches(of text: String) -> [Stretch] {
        var stretches: [Stretch] = []
        var plain = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == "\\", let next = rest.popFirst() {
                plain.append(scalar)
                plain.append(next)
            } else if scalar == "%", let end = rest.firstIndex(of: "%"), end > rest.startIndex,
                !rest[..<end].contains(where: { $0 == "\\" || $0 == "*" || $0 == "?" })
            {
                if !plain.isEmpty { stretches.append(.plain(String(plain))) }
                plain = String.UnicodeScalarView()
                stretches.append(.placeholder(String(rest[..<end])))
                rest = rest[rest.index(after: end)...]
            } else {
                plain.append(scalar)
            }
        }
        if !plain.isEmpty { stretches.append(.plain(String(plain))) }
        return stretches
    }

    /// The names of the placeholders in a text, in order, repeated if they are.
    static func names(in text: String) -> [String] {
        stretches(of: text).compactMap { stretch in
            if case .placeholder(let name) = stretch { return name }
            return nil
        }
    }

    /// Applies a modifier that stands before `expand`.
    mutating func apply(
        _ modifier: Modifier,
        named name: String
    ) throws(ModifiedValue.Refusal) {
        switch modifier {
        case .all, .neq: break  // of the whole line, not of a value
        case .contains: (isOpenBefore, isOpenBehind) = (true, true)
        case .startsWith: isOpenBehind = true
        case .endsWith: isOpenBefore = true
        case .cased: isCased = true
        case .windash: try convertDashes()
        case .compare, .time: throw .value("`\(name)` takes a number; this is text")
        case .exists: throw .value("`exists` takes true or false")
        case .cidr: throw .chain("`cidr` takes networks, no placeholders")
        case .ignoreCase, .multiline, .dotAll:
            throw .chain("`\(name)` is a flag of `re` and must follow it")
        case .re, .expand, .fieldRef, .base64, .base64Offset, .utf16LE, .utf16BE, .utf16:
            throw .chain("`\(name)` must stand behind `expand`: write `expand|\(name)`")
        }
    }

    private mutating func convertDashes() throws(ModifiedValue.Refusal) {
        var made: [[Piece]] = []
        for variant in variants {
            var dashCount = 0
            var converted: [[Piece]] = [[]]
            for piece in variant {
                guard case .pattern(let pattern) = piece else {
                    for index in converted.indices { converted[index].append(piece) }
                    continue
                }
                // At most three dashes in all the pieces.
                let dashes = try ModifiedValue.dashVariants(of: pattern, dashCount: &dashCount)
                converted = converted.flatMap { before in
                    dashes.map { before + [.pattern($0)] }
                }
            }
            made += converted
        }
        variants = made
    }

    /// The most copies that `expand` may make of one value before its caller counts them.
    private static let copiesMax = 100_000

    /// The patterns with each placeholder replaced by each of its values, which are Sigma texts
    /// themselves: `*` and `?` in them are wildcards (specification, Placeholders: `%Servers%` stands
    /// for the pattern `srv*`), and a backslash escapes.
    func expanded(
        _ placeholders: ModifiedValue.Placeholders
    ) throws(ModifiedValue.Refusal) -> [TextPattern] {
        var all: [TextPattern] = []
        for variant in variants {
            var patterns = [TextPattern()]
            for piece in variant {
                switch piece {
                case .pattern(let pattern):
                    for index in patterns.indices { patterns[index].append(pattern) }
                case .placeholder(let name):
                    let values = try Self.values(of: name, placeholders)
                    try Self.check(patterns.count, times: values.count)
                    let ends = values.map { TextPattern(sigma: $0) }
                    patterns = patterns.flatMap { pattern in
                        ends.map { end in
                            var next = pattern
                            next.append(end)
                            return next
                        }
                    }
                }
            }
            try Self.check(all.count + patterns.count, times: 1)
            all += patterns.map { $0.open(before: isOpenBefore, behind: isOpenBehind) }
        }
        return all
    }

    /// The expression with each placeholder replaced by each of its values, which are parts of the
    /// expression, as in pySigma.
    static func expanded(
        _ regex: RegexPattern,
        _ placeholders: ModifiedValue.Placeholders
    ) throws(ModifiedValue.Refusal) -> [RegexPattern] {
        var patterns = [""]
        for stretch in stretches(of: regex.pattern) {
            switch stretch {
            // In PCRE, too, `\%` is a plain percent sign.
            case .plain(let text):
                for index in patterns.indices { patterns[index] += text }
            case .placeholder(let name):
                let values = try values(of: name, placeholders)
                try check(patterns.count, times: values.count)
                patterns = patterns.flatMap { pattern in values.map { pattern + $0 } }
            }
        }
        return patterns.map { pattern in
            var next = regex
            next.pattern = pattern
            return next
        }
    }

    private static func check(_ count: Int, times: Int) throws(ModifiedValue.Refusal) {
        guard count <= copiesMax / times else {
            throw .value("its placeholders stand for more than \(copiesMax) values")
        }
    }

    /// Never empty.
    private static func values(
        of name: String,
        _ placeholders: ModifiedValue.Placeholders
    ) throws(ModifiedValue.Refusal) -> [String] {
        guard let values = placeholders[name], !values.isEmpty else {
            let nearest = hint(for: name, among: placeholders.keys.sorted())
            throw .value("the placeholder `%\(name)%` has no value in the settings\(nearest)")
        }
        return values
    }
}
