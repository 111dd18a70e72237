import MailText

/// Reads texts out of facts and their lines, for whoever joins no messages: the subject in Unicode,
/// and where a logged header ends.
public struct FactTextReader: ~Copyable, Sendable {
    private var decoder = HeaderDecoder()
    private var unescaped: [UInt8] = []

    public init() {}

    /// The text of a header that Postfix logged, without the tail that it appends.
    ///
    /// - Parameters:
    ///   - fact: of kind ``LineFact/Kind/headerLine``.
    ///   - client: `HOST[IP]` of the message's `client=` line; nil when it is not known.
    ///   - sender: the envelope sender that qmgr logged; nil when it is not known.
    /// - Returns: a range of the line; to its end when no tail fits.
    public func header(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        client: [UInt8]?,
        sender: [UInt8]?
    ) -> Range<Int> {
        let start = fact.a.indices.lowerBound
        let local = Array("local".utf8)
        let origin = client ?? local
        let tails =
            if let sender {
                PostfixGrammar.headerTails(
                    line,
                    from: start,
                    origin: origin.span,
                    sender: sender.span
                )
            } else {
                PostfixGrammar.headerTails(line, from: start, origin: origin.span, sender: nil)
            }
        let end = (tails.firstOfSender ?? tails.first)?.textEnd ?? fact.a.indices.upperBound
        return Self.trimmed(line, start..<max(start, end))
    }

    /// A subject in Unicode: what ``SendEvent/subject`` holds of it.
    ///
    /// - Parameters:
    ///   - fact: a Subject header, or of kind ``LineFact/Kind/subject``.
    ///   - client: as in ``header(_:_:client:sender:)``.
    public mutating func subject(
        _ fact: LineFact,
        _ line: Span<UInt8>,
        client: [UInt8]?,
        sender: [UInt8]?
    ) -> [UInt8] {
        guard fact.kind == .subject else {
            return decoded(line.extracting(header(fact, line, client: client, sender: sender)))
        }
        let text = line.extracting(Self.trimmed(line, fact.a.indices))
        switch fact.form {
        case .header, .plain, .listQuoted, .xtext, .visible: return decoded(text)
        case .sendmail: SendmailText.unescape(text, into: &unescaped)
        case .eximQuoted: EximText.unescape(text, into: &unescaped)
        case .tableQuoted: TableText.unquote(text, into: &unescaped)
        }
        // A second reference, as the decoder is of the same value.
        let raw = unescaped
        return decoded(raw.span)
    }

    /// The login of a fact as the client gave it, where the line shows it in another form.
    public func login(_ fact: LineFact, _ line: Span<UInt8>) -> [UInt8] {
        LoginText.plain(line.extracting(fact.b.indices), fact.form)
    }

    private mutating func decoded(_ header: Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        if decoder.decode(header, into: &text) == .plain {
            for index in header.indices { text.append(header[index]) }
        }
        return text
    }

    private static func trimmed(_ line: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, line[start] == 0x20 || line[start] == 0x09 { start += 1 }
        while end > start, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }
}
