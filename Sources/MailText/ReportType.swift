/// What the first Content-Type of a message says about its being a receipt.
public enum ReportType: Sendable, Hashable {
    /// `multipart/report` with `report-type=disposition-notification`: an MDN (RFC 8098, 3).
    case dispositionNotification
    /// The same of a message that was displayed, or deleted without that: by its MAPI class.
    case readNotification, notReadNotification
    /// Anything else, also a report whose type the log cut off.
    case other

    /// Reads the text behind `Content-Type:` as Postfix logs it, its folds written as `?`.
    ///
    /// Names and values are compared without regard to ASCII case; values may be quoted, comments
    /// may stand between (RFC 2045, 5.1; RFC 5322, 3.2.2). The first `report-type` counts;
    /// `report-type*=us-ascii''…` (RFC 2231) is read, continuations (`*0=`) are not.
    public init(contentType text: Span<UInt8>) {
        var reader = ParameterReader(index: 0)
        guard reader.takeToken(Word.multipart, in: text), reader.take(UInt8(ascii: "/"), in: text),
            reader.takeToken(Word.report, in: text)
        else {
            self = .other
            return
        }
        while reader.skipTo(UInt8(ascii: ";"), in: text) {
            let name = reader.token(in: text)
            guard reader.take(UInt8(ascii: "="), in: text) else { continue }
            let value = reader.value(in: text)
            let isExtended = text.isToken(name, Word.reportTypeExtended)
            guard isExtended || text.isToken(name, Word.reportType) else { continue }
            let isReceipt =
                text.isToken(value, Word.notification)
                || isExtended && text.endsToken(value, Word.extendedNotification)
            self = isReceipt ? .dispositionNotification : .other
            return
        }
        self = .other
    }

    /// The same from a value that is already alone, such as an Exim ACL's
    /// `logwrite = report-type=disposition-notification`.
    public init(reportType value: Span<UInt8>) {
        let isReceipt = value.isToken(0..<value.count, Word.notification)
        self = isReceipt ? .dispositionNotification : .other
    }

    /// Reads a MAPI message class: `REPORT.IPM.Note.IPNRN` is a read receipt, `…IPNNRN` a non-read
    /// receipt, also of other classes than `Note` ("Item Types and Message Classes",
    /// learn.microsoft.com/office/vba/outlook). Without regard to ASCII case.
    public init(messageClass name: Span<UInt8>) {
        let isReport = name.beginsToken(Word.reportClass)
        let all = 0..<name.count
        if isReport, name.endsToken(all, Word.notReadClass) {
            self = .notReadNotification
        } else if isReport, name.endsToken(all, Word.readClass) {
            self = .readNotification
        } else {
            self = .other
        }
    }

    /// Whether it is a receipt's.
    var isReceipt: Bool { self != .other }
}

/// What is looked for, in lower case.
private enum Word {
    static let multipart = Array("multipart".utf8)
    static let report = Array("report".utf8)
    static let reportType = Array("report-type".utf8)
    static let reportTypeExtended = Array("report-type*".utf8)
    static let notification = Array("disposition-notification".utf8)
    static let reportClass = Array("report.ipm.".utf8)
    static let readClass = Array(".ipnrn".utf8)
    static let notReadClass = Array(".ipnnrn".utf8)
    static let extendedNotification = Array("'disposition-notification".utf8)
}

/// Walks the grammar of a MIME header; the index only grows.
private struct ParameterReader {
    var index: Int

    /// Steps over white space, comments and the `?` of a logged fold. Outside quotes no `?` is
    /// anything else: it is one of RFC 2045's tspecials.
    mutating func skipSpace(in text: Span<UInt8>) {
        var depth = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")") where depth > 0: depth -= 1
            case UInt8(ascii: "\\") where depth > 0: index += 1
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: "?"): break
            default: if depth == 0 { return }
            }
            index += 1
        }
        index = min(index, text.count)
    }

    mutating func take(_ byte: UInt8, in text: Span<UInt8>) -> Bool {
        skipSpace(in: text)
        guard index < text.count, text[index] == byte else { return false }
        index += 1
        return true
    }

    mutating func takeToken(_ word: [UInt8], in text: Span<UInt8>) -> Bool {
        text.isToken(token(in: text), word)
    }

    mutating func token(in text: Span<UInt8>) -> Range<Int> {
        skipSpace(in: text)
        let start = index
        while index < text.count, Self.isToken(text[index]) { index += 1 }
        return start..<index
    }

    /// A token, or what stands between quotes (with its backslashes: no value that matters has one).
    mutating func value(in text: Span<UInt8>) -> Range<Int> {
        skipSpace(in: text)
        guard index < text.count, text[index] == UInt8(ascii: "\"") else { return token(in: text) }
        let start = index + 1
        skipQuoted(in: text)
        return start..<max(start, index - 1)
    }

    /// Steps behind the next `byte` outside quotes and comments; false when there is none.
    mutating func skipTo(_ byte: UInt8, in text: Span<UInt8>) -> Bool {
        while true {
            skipSpace(in: text)
            guard index < text.count else { return false }
            if text[index] == byte {
                index += 1
                return true
            }
            if text[index] == UInt8(ascii: "\"") { skipQuoted(in: text) } else { index += 1 }
        }
    }

    private mutating func skipQuoted(in text: Span<UInt8>) {
        index += 1
        while index < text.count {
            let byte = text[index]
            index += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { break }
        }
        index = min(index, text.count)
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21...0x7E:
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"),
                UInt8(ascii: "@"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"),
                UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "/"), UInt8(ascii: "["),
                UInt8(ascii: "]"), UInt8(ascii: "?"), UInt8(ascii: "="):
                false
            default: true
            }
        default: false
        }
    }
}

extension Span<UInt8> {
    fileprivate func isToken(_ range: Range<Int>, _ word: [UInt8]) -> Bool {
        range.count == word.count && endsToken(range, word)
    }

    fileprivate func beginsToken(_ word: [UInt8]) -> Bool {
        count >= word.count && isToken(0..<word.count, word)
    }

    fileprivate func endsToken(_ range: Range<Int>, _ word: [UInt8]) -> Bool {
        let length = word.count
        guard range.count >= length else { return false }
        var index = range.upperBound - length
        for byte in word {
            guard CaselessText.lowercaseASCII(self[index]) == byte else { return false }
            index += 1
        }
        return true
    }
}
