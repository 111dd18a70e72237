import MailEvents

@testable import MailLog

/// One thing that a line says: a ``LineFact`` in terms that the fast and the reference parsers share.
struct Said: Equatable {
    var kind: LineFact.Kind
    var dialect: Dialect
    var stamp: Stamp?
    var host: Range<Int>?
    var queueID: Range<Int>?
    var agent = LineFact.Agent.other
    var status = LineFact.Status.none
    var header = LineFact.Header.none
    var form = LineFact.TextForm.header
    var isAmbiguous = false
    /// As the documentation of ``LineFact/Kind`` says.
    var a: Range<Int>?
    var b: Range<Int>?
    var c: Range<Int>?
    var d: Range<Int>?

    init(_ kind: LineFact.Kind, _ dialect: Dialect) {
        self.kind = kind
        self.dialect = dialect
    }

    init(_ fact: LineFact) {
        func range(_ piece: LineFact.Piece) -> Range<Int>? {
            piece.isPresent ? piece.indices : nil
        }
        kind = fact.kind
        dialect = fact.dialect
        stamp = fact.stamp
        host = range(fact.host)
        queueID = range(fact.queueID)
        agent = fact.agent
        status = fact.status
        header = fact.header
        form = fact.form
        isAmbiguous = fact.isAmbiguous
        a = range(fact.a)
        b = range(fact.b)
        c = range(fact.c)
        d = range(fact.d)
    }

    func stamped(_ stamp: Stamp, host: Range<Int>?) -> Said {
        var said = self
        said.stamp = stamp
        said.host = host
        return said
    }

    /// Without what says nothing in facts of this kind.
    var essence: Said {
        var said = self
        if kind != .subject && form != .listQuoted { said.form = .header }
        if dialect != .postfix {
            if status != .sent && kind == .delivery { said.agent = .other }
            if kind == .delivery {
                said.c = nil
                said.d = nil
            }
        }
        return said
    }

    /// With the texts in place of their ranges, for messages.
    func describe(_ line: LineText) -> String {
        func text(_ range: Range<Int>?) -> String {
            guard let range else { return "–" }
            guard range.upperBound <= line.count else { return "beyond the line: \(range)" }
            return "\(range.lowerBound)«\(line.string(range))»"
        }
        let ambiguous = isAmbiguous ? ", ambiguous" : ""
        return
            "\(dialect) \(kind) of \(text(queueID)) on \(text(host)): a \(text(a)), b \(text(b)), "
            + "c \(text(c)), d \(text(d)), \(agent), \(status), \(header), \(form)\(ambiguous)"
    }
}
