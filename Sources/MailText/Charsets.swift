/// The charset converters that one decoder keeps open.
///
/// Senders choose the names, so the number of open converters is bounded and the least recently
/// used one is closed for a new one. Names that glibc does not know are remembered the same way.
///
/// Sendable because a handle of iconv belongs to no thread, and nobody but the one owner of this
/// value reaches it.
struct Charsets: ~Copyable, @unchecked Sendable {
    /// Open converters and remembered unknown names, at most.
    static let entriesMax = 16
    /// Converters that one header may open: a handle costs about 0.1 ms, so a header that names ever
    /// new charsets must not buy many.
    static let opensPerHeaderMax = 8

    private enum Converter {
        case unknown
        /// UTF-8 and what is taken for it; needs no iconv.
        case utf8
        case iconv(Iconv)
    }

    private struct Entry {
        /// Upper case, as asked for.
        var name: [UInt8]
        var converter: Converter
        var lastUse: UInt64
    }

    private var entries: [Entry] = []
    private var uses: UInt64 = 0
    private var opensLeft = opensPerHeaderMax
    private var nameScratch: [UInt8] = []

    /// How many iconv handles are open.
    var openCount: Int {
        entries.count { if case .iconv = $0.converter { true } else { false } }
    }

    /// Gives the next header its own share of new converters.
    mutating func beginHeader() {
        opensLeft = Self.opensPerHeaderMax
    }

    /// The converter for a charset's name, which `EncodedWord` has checked; nil when there is none
    /// or the header has opened too many.
    ///
    /// The number stays good until `entriesMax` − 1 other names were asked for.
    mutating func find(_ header: Span<UInt8>, _ name: Range<Int>) -> Int? {
        nameScratch.removeAll(keepingCapacity: true)
        for index in name {
            let byte = header[index]
            nameScratch.append(byte &- UInt8(ascii: "a") < 26 ? byte & 0xDF : byte)
        }
        return findScratch()
    }

    /// A charset that holds all of this one's characters and those that programs write under this
    /// one's name; nil when none is known. WHATWG's Encoding Standard names the same pairs.
    mutating func superset(of index: Int) -> Int? {
        let name = String(decoding: entries[index].name, as: UTF8.self)
        guard let superset = CharsetNames.supersets[name] else { return nil }
        nameScratch.removeAll(keepingCapacity: true)
        nameScratch.append(contentsOf: superset.utf8)
        return findScratch()
    }

    /// Appends `bytes` as UTF-8 and returns how many places were no characters of the charset: each
    /// gives one U+FFFD. A character that is incomplete at the end is left out when `isCut`.
    /// Conversion stops soon after `out` holds `bytesMax` bytes.
    func convert(
        _ bytes: [UInt8],
        with index: Int,
        isCut: Bool,
        bytesMax: Int,
        into out: inout [UInt8]
    ) -> Int {
        switch entries[index].converter {
        case .unknown:
            0
        case .utf8:
            HeaderText.append(bytes.span, dropsCutTail: isCut, bytesMax: bytesMax, to: &out)
        case .iconv(let iconv):
            iconv.convert(bytes, isCut: isCut, bytesMax: bytesMax, into: &out)
        }
    }

    private mutating func findScratch() -> Int? {
        uses += 1
        for index in entries.indices where entries[index].name == nameScratch {
            entries[index].lastUse = uses
            if case .unknown = entries[index].converter { return nil }
            return index
        }
        guard opensLeft > 0 else { return nil }
        opensLeft -= 1
        let converter = Self.open(nameScratch)
        let entry = Entry(name: nameScratch, converter: converter, lastUse: uses)
        var index = entries.count
        if index < Self.entriesMax {
            entries.append(entry)
        } else {
            index = entries.indices.min { entries[$0].lastUse < entries[$1].lastUse } ?? 0
            entries[index] = entry
        }
        if case .unknown = converter { return nil }
        return index
    }

    private static func open(_ name: [UInt8]) -> Converter {
        let name = String(decoding: name, as: UTF8.self)
        if CharsetNames.utf8.contains(name) { return .utf8 }
        guard !CharsetNames.isRefused(name) else { return .unknown }
        let unitBytes =
            name.hasPrefix("UTF-16") || name.hasPrefix("UTF16")
            ? 2 : name.hasPrefix("UTF-32") || name.hasPrefix("UTF32") ? 4 : 1
        let iconv = Iconv(from: CharsetNames.aliases[name] ?? name, unitBytes: unitBytes)
        return iconv.map(Converter.iconv) ?? .unknown
    }
}

/// Names of charsets in mail that need more than glibc knows. All upper case.
enum CharsetNames {
    /// Taken for UTF-8: it holds ASCII, and programs that label text as unknown write UTF-8 today.
    static let utf8: Set<String> = [
        "ANSI_X3.4-1968", "ASCII", "CP65001", "DEFAULT", "UNICODE-1-1-UTF-8", "UNKNOWN",
        "UNKNOWN-8BIT", "US-ASCII", "UTF-8", "UTF8", "UTF8MB4", "UTF_8", "X-UNKNOWN",
    ]

    /// Names that glibc has under another one.
    static let aliases: [String: String] = [
        "BIG5-ETEN": "BIG5", "CP-1250": "CP1250", "CP-1251": "CP1251", "CP-1252": "CP1252",
        "CP-850": "CP850", "CSISO885915": "ISO-8859-15", "CSKSC56011987": "UHC",
        "GB_2312-80": "GB2312", "ISO-2022-JP-1": "ISO-2022-JP-2", "ISO-8859-6-E": "ISO-8859-6",
        "ISO-8859-6-I": "ISO-8859-6", "ISO-8859-8-E": "ISO-8859-8", "ISO-8859-8-I": "ISO-8859-8",
        "ISO-IR-149": "UHC", "KOREAN": "UHC", "KSC5601": "UHC", "KSC_5601": "UHC",
        "KS_C_5601": "UHC", "KS_C_5601-1987": "UHC", "KS_C_5601-1989": "UHC",
        "LOGICAL": "ISO-8859-8",
        "UNICODE-1-1-UTF-7": "UTF-7", "VISUAL": "ISO-8859-8", "WIN-1251": "CP1251",
        "X-BIG5": "BIG5", "X-CP1250": "CP1250", "X-CP1251": "CP1251", "X-CP1252": "CP1252",
        "X-EUC-JP": "EUC-JP", "X-GBK": "GBK", "X-MAC-CYRILLIC": "MAC-CYRILLIC",
        "X-MAC-ROMAN": "MACINTOSH", "X-SJIS": "SHIFT_JIS", "X-WINDOWS-949": "UHC",
    ]

    /// Tried when text is not of the charset that it is labelled with.
    static let supersets: [String: String] = [
        "BIG5": "BIG5-HKSCS", "EUC-JP": "EUC-JP-MS", "EUC-KR": "UHC", "GB2312": "GB18030",
        "GBK": "GB18030", "ISO-2022-JP": "ISO-2022-JP-2", "ISO-8859-11": "CP874",
        "ISO-8859-7": "CP1253", "ISO-8859-8": "CP1255", "SHIFT_JIS": "CP932", "TIS-620": "CP874",
    ]

    /// Charsets that no mail has and whose converters have failed on hostile text in released
    /// glibcs: CVE-2020-27618 (IBM1364 and kin never return), CVE-2020-29562 (UCS4 aborts),
    /// CVE-2021-3326 (ISO-2022-JP-3 aborts), CVE-2024-2961 (ISO-2022-CN-EXT, when writing it).
    static func isRefused(_ name: String) -> Bool {
        let refused = [
            "10646", "CP13", "CSIBM13", "CSISO2022CN", "CSUCS", "CSUNICODE", "IBM-13", "IBM13",
            "INTERNAL", "ISO-10646", "ISO-2022-CN", "ISO-2022-JP-3", "ISO2022CN", "ISO2022JP3",
            "OSF", "UCS", "UNICODEBIG", "UNICODELITTLE", "WCHAR",
        ]
        return name == "CP1361" ? false : refused.contains { name.hasPrefix($0) }
    }
}
