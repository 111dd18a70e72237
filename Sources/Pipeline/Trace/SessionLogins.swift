import MailLog

/// Logins of connections, for servers that log them apart from messages; and of the sessions that
/// hand messages to a before-queue filter. Bounded.
struct SessionLogins: Sendable {
    struct Login: Sendable {
        var login: [UInt8]
        var method: String?
        /// The client's address, as far as its lines tell.
        var client: [UInt8]
        var microseconds: Int64
    }

    private static let countMax = 65_536
    /// A connection lasts no longer: microseconds.
    private static let ageMax: Int64 = 3_600_000_000

    private var logins: [UInt64: Login] = [:]
    private var clients: [UInt64: [UInt8]] = [:]

    /// Takes a fact of a connection in.
    mutating func take(
        _ fact: LineFact,
        _ text: Span<UInt8>,
        _ time: Int64,
        _ texts: borrowing FactTextReader
    ) {
        switch fact.kind {
        case .session:
            logins[fact.key] = nil
            if clients.count >= Self.countMax { clients.removeAll(keepingCapacity: true) }
            clients[fact.key] = text.extracting(fact.a.indices).copied
        case .login, .proxied:
            guard fact.b.isPresent else {
                logins[fact.key] = nil
                return
            }
            if logins.count >= Self.countMax { logins.removeAll(keepingCapacity: true) }
            logins[fact.key] = Login(
                login: texts.login(fact, text),
                method: LoginText.method(fact, text),
                client: fact.a.isPresent
                    ? text.extracting(fact.a.indices).copied : clients[fact.key] ?? [],
                microseconds: time
            )
        case .sessionEnd:
            logins[fact.key] = nil
            clients[fact.key] = nil
        default: break
        }
    }

    /// The login of the connection by which a message came; nil if there is none, or it has another
    /// client.
    func login(of fact: LineFact, _ text: Span<UInt8>, _ time: Int64) -> Login? {
        guard fact.account != 0, let known = logins[fact.account],
            time - known.microseconds <= Self.ageMax
        else { return nil }
        if fact.a.isPresent, !known.client.isEmpty,
            text.extracting(fact.a.indices).copied != known.client
        {
            return nil
        }
        return known
    }

    /// The address of a connection's client; nil if it is not known.
    func client(of fact: LineFact) -> [UInt8]? { clients[fact.account] }

    /// The login of a session that handed a message to a before-queue filter.
    func proxied(_ fact: LineFact, _ time: Int64) -> Login? {
        guard let known = logins[fact.key], time - known.microseconds <= Self.ageMax else {
            return nil
        }
        return known
    }
}
