/// A subject that begins as a receipt's does.
public struct ReceiptSubject: Sendable, Equatable {
    /// `notRead` or `read`.
    public let kind: ReceiptKind
    /// Index of the first byte behind prefix, colon and white space, in the subject that was
    /// classified.
    public let payloadStart: Int
    /// The prefix alone proves nothing: it takes the content type too (`Receipt: …`).
    public let needsContentType: Bool
}

/// A prefix that `ReceiptTable` cannot take.
public struct ReceiptPrefixError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Nothing but white space and a colon.
        case empty
        /// More than `ReceiptTable.prefixBytesMax` bytes.
        case tooLong
        /// A colon inside: the prefix ends at a subject's first colon.
        case colonInside
        /// Given as *not read* and as *read*.
        case contradicting
    }

    public let code: Code
    /// As it was given.
    public let prefix: String

    public var description: String {
        switch code {
        case .empty: "receipt prefix expected, found nothing but white space"
        case .tooLong: "receipt prefix of at most \(ReceiptTable.prefixBytesMax) bytes expected"
        case .colonInside: "receipt prefix without a colon inside expected"
        case .contradicting: "receipt prefix given as not read and as read"
        }
    }
}

/// Tells receipts by the prefix of their subject.
///
/// A subject is a receipt's when it begins with a prefix of the table, then any white space, then a
/// colon (`:` or the full-width `：`). Prefixes hold no colon, so what stands before the first colon is
/// looked up as a whole, and the longest prefix wins by itself. Both sides are compared caseless
/// (`CaselessText`), with runs of any white space as one blank, invisible characters left out, and
/// the Turkish `ı` as `i`, so that a program that upper-cases finds its prefix again.
///
/// White space before the prefix is skipped, and a `?` there with white space behind it: Postfix
/// logs so a subject that begins on a continuation line. Anything else before it (`Re: Not read:`)
/// makes it a person's subject.
///
/// An ordinary ASCII subject is dismissed without allocating, by its first letter or after at most
/// as many bytes as the longest prefix has.
public struct ReceiptTable: Sendable {
    /// Longest prefix that settings may add, in bytes of its comparison form.
    public static let prefixBytesMax = 100

    private struct Entry {
        var key: [UInt8]
        var kind: ReceiptKind
        var needsContentType = false
        /// Also recognised with ` -` behind it instead of a colon.
        var allowsDash = false
        /// Also recognised as the whole subject, when that is ASCII.
        var allowsEnd = false
    }

    /// Sorted by length of key, then by key.
    private var entries: [Entry] = []
    /// `entries[starts[n]..<starts[n + 1]]` have keys of `n` bytes.
    private var starts: [Int] = []
    /// First bytes of all keys; bit `b & 63` of word `b >> 6`.
    private var firstBytes: SIMD4<UInt64> = .zero
    private var keyBytesMax = 0

    /// The table of `ReceiptPrefixes` with further prefixes, from the settings; a further one wins
    /// over the table's. White space around and one colon behind are dropped from each.
    public init(notRead: [String] = [], read: [String] = []) throws(ReceiptPrefixError) {
        var table: [[UInt8]: Entry] = [:]
        func add(_ prefix: String, _ kind: ReceiptKind) throws(ReceiptPrefixError) -> [UInt8] {
            let key = try Self.key(of: prefix)
            table[key] = Entry(key: key, kind: kind)
            return key
        }
        for row in ReceiptPrefixes.rows {
            for prefix in row.notRead { _ = try add(prefix, .notRead) }
            for prefix in row.read { _ = try add(prefix, .read) }
        }
        for prefix in ReceiptPrefixes.Other.dashed {
            table[try add(prefix, .read)]?.allowsDash = true
        }
        for prefix in ReceiptPrefixes.Other.alone {
            table[try Self.key(of: prefix)]?.allowsEnd = true
        }
        for prefix in ReceiptPrefixes.Other.withContentType {
            table[try add(prefix, .read)]?.needsContentType = true
        }
        var added: Set<[UInt8]> = []
        for prefix in notRead { added.insert(try add(prefix, .notRead)) }
        for prefix in read {
            let key = try Self.key(of: prefix)
            guard !added.contains(key) else {
                throw ReceiptPrefixError(code: .contradicting, prefix: prefix)
            }
            _ = try add(prefix, .read)
        }

        entries = table.values.sorted {
            ($0.key.count, $0.key) < ($1.key.count, $1.key)
        }
        keyBytesMax = entries.last?.key.count ?? 0
        starts = (0...keyBytesMax + 1).map { length in
            entries.firstIndex { $0.key.count >= length } ?? entries.count
        }
        for entry in entries {
            firstBytes[Int(entry.key[0] >> 6)] |= 1 << UInt64(entry.key[0] & 63)
        }
    }

    /// What the beginning of a decoded subject says; nil when it is no receipt's.
    public func classify(_ subject: Span<UInt8>) -> ReceiptSubject? {
        let start = Self.skipLeading(subject)
        guard start < subject.count else { return nil }
        let first = subject[start]
        if first < 0x80 {
            let byte = CaselessText.lowercaseASCII(first)
            // An NFD prefix begins with an ASCII letter, as in `e` + U+0301, so the letter after it
            // decides, too.
            let isFirst = firstBytes[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1
            let isAlone = start + 1 < subject.count && subject[start + 1] < 0x80
            if !isFirst, isAlone { return nil }
        }
        var key = ASCIIKey()
        var index = start
        while index < subject.count {
            let byte = subject[index]
            if byte >= 0x80 { return classifyBeyondASCII(subject, from: start) }
            switch byte {
            case UInt8(ascii: ":"):
                guard let entry = entry(for: key) else { return nil }
                return found(entry, subject, behind: index + 1)
            case UInt8(ascii: "-"):
                if let entry = entry(for: key), entry.allowsDash {
                    return found(entry, subject, behind: index + 1)
                }
            default:
                break
            }
            guard key.append(byte, countMax: keyBytesMax) else { return nil }
            index += 1
        }
        guard let entry = entry(for: key), entry.allowsEnd else { return nil }
        return found(entry, subject, behind: index)
    }

    private func found(
        _ entry: Entry,
        _ subject: Span<UInt8>,
        behind: Int
    ) -> ReceiptSubject {
        var payloadStart = behind
        while payloadStart < subject.count {
            let scalar = UTF8Scalar(in: subject, at: payloadStart)
            guard ScalarClass(scalar.value) != .other else { break }
            payloadStart += scalar.count
        }
        return ReceiptSubject(
            kind: entry.kind,
            payloadStart: payloadStart,
            needsContentType: entry.needsContentType
        )
    }

    /// The same with other characters before the colon. Allocates when there is a colon (or dash)
    /// within as many bytes as the longest prefix can take.
    private func classifyBeyondASCII(_ subject: Span<UInt8>, from start: Int) -> ReceiptSubject? {
        // Decomposed text takes at most three bytes for one (U+0390 is two bytes composed and six
        // taken apart), and white space and invisible characters may stand between.
        let end = min(subject.count, start + 4 * keyBytesMax)
        var index = start
        while index < end {
            let scalar = UTF8Scalar(in: subject, at: index)
            let isColon = scalar.value == 0x3A || scalar.value == 0xFF1A
            if isColon || scalar.value == 0x2D {
                let key = Self.comparisonForm(of: subject.extracting(start..<index))
                let match = entry(matching: key)
                if let match, isColon || match.allowsDash {
                    return found(match, subject, behind: index + scalar.count)
                }
                if isColon { return nil }
            }
            index += scalar.count
        }
        return nil
    }

    private func entry(for key: borrowing ASCIIKey) -> Entry? {
        guard key.count > 0, key.count <= keyBytesMax else { return nil }
        for index in starts[key.count]..<starts[key.count + 1] where key == entries[index].key {
            return entries[index]
        }
        return nil
    }

    private func entry(matching key: [UInt8]) -> Entry? {
        guard !key.isEmpty, key.count <= keyBytesMax else { return nil }
        return entries[starts[key.count]..<starts[key.count + 1]].first { $0.key == key }
    }

    private static func skipLeading(_ subject: Span<UInt8>) -> Int {
        var index = 0
        while index < subject.count {
            if subject[index] > 0x20, subject[index] < 0x7F, subject[index] != 0x3F { return index }
            let scalar = UTF8Scalar(in: subject, at: index)
            if scalar.value == 0x3F {
                let next = index + 1 < subject.count ? subject[index + 1] : 0
                guard next == 0x20 || next == 0x3F else { return index }
            } else if ScalarClass(scalar.value) == .other {
                return index
            }
            index += scalar.count
        }
        return index
    }

    /// A prefix as settings give it, in the form in which prefixes are compared.
    private static func key(of prefix: String) throws(ReceiptPrefixError) -> [UInt8] {
        var text = Array(prefix.utf8)
        CaselessText.tidy(&text, from: 0, digits: false, folds: false)
        if text.last == UInt8(ascii: ":") {
            text.removeLast()
        } else if text.suffix(3) == [0xEF, 0xBC, 0x9A] {  // U+FF1A
            text.removeLast(3)
        }
        let key = comparisonForm(of: text.span)
        let inner = String(decoding: key, as: UTF8.self).unicodeScalars
        guard !key.isEmpty else { throw ReceiptPrefixError(code: .empty, prefix: prefix) }
        guard key.count <= prefixBytesMax else {
            throw ReceiptPrefixError(code: .tooLong, prefix: prefix)
        }
        guard !inner.contains(":"), !inner.contains("\u{FF1A}") else {
            throw ReceiptPrefixError(code: .colonInside, prefix: prefix)
        }
        return key
    }

    private static func comparisonForm(of text: Span<UInt8>) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let scalar = UTF8Scalar(in: text, at: index)
            switch scalar.value {
            case 0x130, 0x131: plain.append(UInt8(ascii: "i"))
            default: for offset in 0..<scalar.count { plain.append(text[index + offset]) }
            }
            index += scalar.count
        }
        var key: [UInt8] = []
        CaselessText.append(plain.span, to: &key)
        CaselessText.tidy(&key, from: 0, digits: false, folds: false)
        return key
    }
}

/// The comparison form of an ASCII text, grown byte by byte without allocating.
private struct ASCIIKey: ~Copyable {
    private var bytes = InlineArray<100, UInt8>(repeating: 0)
    private(set) var count = 0
    private var blankPending = false

    /// Takes one more byte; false when the key would be longer than `countMax`.
    mutating func append(_ byte: UInt8, countMax: Int) -> Bool {
        if byte == 0x20 || byte &- 0x09 < 5 {
            blankPending = count > 0
            return true
        }
        guard count + (blankPending ? 2 : 1) <= min(countMax, bytes.count) else { return false }
        if blankPending {
            bytes[count] = 0x20
            count += 1
            blankPending = false
        }
        bytes[count] = CaselessText.lowercaseASCII(byte)
        count += 1
        return true
    }

    static func == (key: borrowing ASCIIKey, other: [UInt8]) -> Bool {
        guard key.count == other.count else { return false }
        for index in 0..<key.count where key.bytes[index] != other[index] { return false }
        return true
    }
}

private func < (left: (Int, [UInt8]), right: (Int, [UInt8])) -> Bool {
    left.0 != right.0 ? left.0 < right.0 : left.1.lexicographicallyPrecedes(right.1)
}
