import MailEvents
import Records

/// What the beginning of a line said, for the reader of its dialect.
struct LineContext: Sendable {
    /// When the line says it was written.
    var stamp: Stamp
    /// The line's index in the batch.
    var line: Int
    /// Where the host name stands; empty if the line names none.
    var host: Range<Int>
    /// Keyed hash of the host name; of the empty name if there is none.
    var hostHash: UInt64
    /// Which program wrote it, by its tag.
    var agent: LineFact.Agent
    /// Keyed hash of the instance, see ``LineFact/instance``.
    var instance: UInt32
    /// Where the process ID stands, between brackets behind the tag; empty if there is none.
    var processID: Range<Int>

    /// A fact of this line about the message with this queue ID.
    ///
    /// - Parameter queueID: where the ID stands in the line.
    func fact(
        _ kind: LineFact.Kind,
        of dialect: Dialect,
        _ queueID: Range<Int>,
        in text: Span<UInt8>
    ) -> LineFact {
        var fact = LineFact(kind: kind, stamp: stamp, line: line)
        fact.agent = agent
        fact.dialect = dialect
        fact.instance = instance
        fact.key = queueKey(text.extracting(queueID), hostHash: hostHash)
        fact.queueID = LineFact.Piece(queueID)
        fact.host = host.isEmpty ? .absent : LineFact.Piece(host)
        return fact
    }

    /// The key of a session: of what its lines have in common, such as a process or a session ID.
    ///
    /// - Parameter name: where the ID of the session stands; nil: its process names it.
    func sessionKey(_ name: Range<Int>?, in text: Span<UInt8>) -> UInt64 {
        ShortTextWords(text, name ?? processID).key(hostHash: ~hostHash)
    }
}
