/// What a rotation put behind a log's name: a number, as in `mail.log.2.gz`, or a date, as in
/// `mail.log-20260301` (logrotate's `dateext`, savelog, Exim's daily names).
struct RotatedName: Hashable {
    enum Age: Hashable {
        /// 0 or 1 is the newest.
        case number(UInt32)
        /// Digits, and what stands between them; a later one compares greater, byte by byte.
        case date([UInt8])
    }

    var age: Age
    var isCompressed: Bool

    private static let compressions = [".gz", ".xz", ".zst", ".bz2", ".lz4", ".Z"]
        .map { Array($0.utf8) }

    /// - Returns: nil when `name` is not `base` with a number or a date behind it.
    init?(_ name: [UInt8], of base: [UInt8]) {
        guard name.count > base.count + 1, name.starts(with: base) else { return nil }
        var suffix = name[base.count...]
        isCompressed = false
        if let ending = Self.compressions.first(where: {
            suffix.reversed().starts(with: $0.reversed())
        }) {
            suffix.removeLast(ending.count)
            isCompressed = true
        }
        guard let separator = suffix.popFirst(), "-._".utf8.contains(separator) else { return nil }
        let digits = suffix.count { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }
        let others = suffix.count - digits
        if others == 0, (1...6).contains(digits),
            let number = UInt32(String(decoding: suffix, as: UTF8.self))
        {
            age = .number(number)
        } else if digits >= 8, suffix.allSatisfy({ "0123456789-._:T".utf8.contains($0) }) {
            age = .date(Array(suffix))
        } else {
            return nil
        }
    }

    /// Whether this one was rotated after `other`; nil when their names do not tell.
    func isNewer(than other: RotatedName) -> Bool? {
        switch (age, other.age) {
        case (.number(let mine), .number(let others)): mine < others
        case (.date(let mine), .date(let others)): others.lexicographicallyPrecedes(mine)
        case (.number, .date), (.date, .number): nil
        }
    }
}
