/// What a rotation put behind a log's name: a number, as in `mail.log.2.gz`, or a date, as in
/// `mail.log-20260301` (logrotate's `dateext`, savelog, Exim's daily names). With logrotate's
/// `extension` it stands before the ending: `mail-20260301.log.gz`, `mail.2.log`.
struct RotatedName: Hashable {
    enum Age: Hashable {
        /// 0 or 1 is the newest.
        case number(UInt32)
        /// Year, month, day, and what follows them, with what stands between; a later one compares
        /// greater, byte by byte.
        case date([UInt8])
        /// Seconds since 1970 (`dateformat -%s`, Apache's rotatelogs).
        case seconds(UInt64)
        /// A date that does not begin with the year.
        case untold
    }

    let age: Age
    /// The name without the ending of a compression: what it was called before that.
    let plainName: [UInt8]
    let isCompressed: Bool

    /// - Returns: nil when `name` is not `base` with a number or a date.
    init?(_ name: [UInt8], of base: [UInt8]) {
        plainName = Self.withoutCompression(name)
        isCompressed = plainName.count < name.count
        guard let mark = Self.mark(in: plainName, of: base), let age = Self.age(mark) else {
            return nil
        }
        self.age = age
    }

    private static let compressions = [
        ".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma", ".lzo", ".lz", ".Z",
    ].map { Array($0.utf8) }

    /// `name` without the ending that a compression gave it, if it has one.
    static func withoutCompression(_ name: [UInt8]) -> [UInt8] {
        guard let ending = compressions.first(where: { name.hasSuffix($0) }),
            name.count > ending.count
        else { return name }
        return Array(name.dropLast(ending.count))
    }

    /// Every name of which `name` may be a rotation: what is left without a number or a date, at
    /// the end or before the ending.
    static func bases(of name: [UInt8]) -> [[UInt8]] {
        let name = withoutCompression(name)
        var bases: [[UInt8]] = []
        for index in name.indices.dropFirst() where "-._".utf8.contains(name[index]) {
            let front = Array(name[..<index])
            if age(name[index...]) != nil { bases.append(front) }
            guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > index else { continue }
            if age(name[index..<dot]) != nil { bases.append(front + name[dot...]) }
        }
        return bases
    }

    /// What stands behind `base`, or between it and its ending.
    private static func mark(in name: [UInt8], of base: [UInt8]) -> ArraySlice<UInt8>? {
        guard !base.isEmpty, name.count > base.count + 1 else { return nil }
        if name.starts(with: base) { return name[base.count...] }
        guard let dot = base.lastIndex(of: UInt8(ascii: ".")), dot > 0 else { return nil }
        let ending = Array(base[dot...])
        guard name.starts(with: base[..<dot]), name.hasSuffix(ending) else { return nil }
        return name[dot..<(name.count - ending.count)]
    }

    private static func age(_ mark: ArraySlice<UInt8>) -> Age? {
        guard let separator = mark.first, "-._".utf8.contains(separator) else { return nil }
        let rest = mark.dropFirst()
        let digits = rest.count { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }
        if digits == rest.count, (1...6).contains(digits) {
            // `mail-2.log` is rather the log of a second server.
            guard separator == UInt8(ascii: ".") else { return nil }
            return UInt32(String(decoding: rest, as: UTF8.self)).map { .number($0) }
        }
        guard digits >= 8, rest.allSatisfy({ "0123456789-._:T".utf8.contains($0) }) else {
            return nil
        }
        if beginsWithDay(rest) { return .date(Array(rest)) }
        if digits == rest.count, (9...11).contains(digits),
            let seconds = UInt64(String(decoding: rest, as: UTF8.self))
        {
            return .seconds(seconds)
        }
        return .untold
    }

    /// Whether it begins with year, month and day, with or without something between. Day, month,
    /// year never does: the year's first digits are no month.
    private static func beginsWithDay(_ text: ArraySlice<UInt8>) -> Bool {
        let digits = text.filter { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }
            .prefix(8).map { Int($0 - UInt8(ascii: "0")) }
        let year = digits[0] * 1_000 + digits[1] * 100 + digits[2] * 10 + digits[3]
        let month = digits[4] * 10 + digits[5]
        let day = digits[6] * 10 + digits[7]
        return (1990...2099).contains(year) && (1...12).contains(month) && (1...31).contains(day)
    }

    /// Whether this one was rotated after `other`; nil when their names do not tell.
    func isNewer(than other: RotatedName) -> Bool? {
        switch (age, other.age) {
        case (.number(let mine), .number(let others)): mine < others
        case (.date(let mine), .date(let others)): others.lexicographicallyPrecedes(mine)
        case (.seconds(let mine), .seconds(let others)): mine > others
        case (.number, _), (.date, _), (.seconds, _), (.untold, _): nil
        }
    }
}

extension [UInt8] {
    fileprivate func hasSuffix(_ ending: [UInt8]) -> Bool {
        count >= ending.count && self[(count - ending.count)...].elementsEqual(ending)
    }
}
