import MailText
public import Records

/// Gives accounts, mailboxes and domains their identity: the keyed hash of the canonical name
/// (architecture §7). 0 stands for none.
///
/// ASCII names, which are nearly all, cost one pass and no copy; others go through their canonical
/// form.
public struct NameReader: Sendable {
    private let seed: HashSeed
    /// Completes bare logins; empty to complete nothing.
    private let accountDomain: [UInt8]
    private var scratch: [UInt8] = []

    public init(seed: HashSeed, accountDomain: [UInt8] = []) {
        self.seed = seed
        self.accountDomain = accountDomain
    }

    /// The account of a login.
    mutating func account(_ login: Span<UInt8>) -> UInt64 {
        let isWhole =
            accountDomain.isEmpty || login.first(UInt8(ascii: "@"), from: 0, to: login.count) != nil
        if isWhole, login.count <= Canonical.accountBytesMax,
            let hash = keyedHashLowercased(login, seed: seed)
        {
            return hash
        }
        Canonical.account(login, domain: accountDomain, into: &scratch)
        return keyedHash(scratch.span, seed: seed)
    }

    /// The mailbox that an address names, as an account of this server.
    mutating func mailbox(_ address: Span<UInt8>) -> UInt64 {
        if address.count <= Canonical.accountBytesMax,
            let hash = keyedHashLowercased(address, seed: seed)
        {
            return hash
        }
        Canonical.account(address, into: &scratch)
        return keyedHash(scratch.span, seed: seed)
    }

    /// The domain of an address; 0 if it has none.
    mutating func domain(ofAddress address: Span<UInt8>) -> UInt64 {
        guard let range = MailAddress(address).domain, !range.isEmpty else { return 0 }
        return domain(address.extracting(range))
    }

    /// A domain; 0 if nothing is left of it in canonical form.
    mutating func domain(_ domain: Span<UInt8>) -> UInt64 {
        let count = domain.count
        if count > 0, count <= Canonical.domainBytesMax, domain[count - 1] != UInt8(ascii: "."),
            let hash = keyedHashLowercased(domain, seed: seed)
        {
            return hash
        }
        _ = Canonical.domain(domain, into: &scratch)
        return scratch.isEmpty ? 0 : keyedHash(scratch.span, seed: seed)
    }
}
