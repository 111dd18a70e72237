import Crypto
import SafeText

/// Names that stand for addresses, logins, domains and subjects where an alert goes to people who
/// need not know them: keyed hashes, the same for the same name each time, so that alerts can still
/// be told apart and counted.
///
/// Only the holder of the key can tell whose they are, by trying the names that he knows: nothing
/// else is kept of them. IP addresses have pseudonyms too, in a sentence as elsewhere: that of a user's
/// computer leads to the user. What is neither is passed on, so host names of blocklists and all
/// numbers stay; commands for the server are left out.
public struct Pseudonyms: Sendable {
    /// 256 bits, as HMAC-SHA-256 has them.
    public static let keyByteCount = 32

    private let key: SymmetricKey
    /// Whether the domain of an address, and a recipient's domain, stay as they are.
    public let keepsDomains: Bool

    /// Nil when the key has another size.
    public init?(key: [UInt8], keepsDomains: Bool) {
        guard key.count == Self.keyByteCount else { return nil }
        self.key = SymmetricKey(data: key)
        self.keepsDomains = keepsDomains
    }

    /// 80 bits: a million names have two alike with a chance below one in a billion.
    private func name(_ kind: Character, _ text: String) -> String {
        // What differs in case only is one account, one domain; kinds never meet.
        let input = Array("\(kind)\u{0}\(text.lowercased())".utf8)
        let code = HMAC<SHA256>.authenticationCode(for: input, using: key)
        return "\(kind)-\(base32(Array(code).prefix(10)))"
    }

    /// For an address or a login.
    public func address(_ text: String) -> String {
        guard !text.isEmpty else { return text }
        let name = name("p", text)
        guard let at = text.lastIndex(of: "@") else { return name }
        return name + "@" + domain(String(text[text.index(after: at)...]))
    }

    public func domain(_ text: String) -> String {
        // RFC 2606, 2: `invalid` is nobody's.
        keepsDomains || text.isEmpty ? text : name("d", text) + ".invalid"
    }

    public func subject(_ text: String) -> String { text.isEmpty ? text : name("s", text) }

    /// For the address of a client.
    public func client(_ text: String) -> String { text.isEmpty ? text : name("c", text) }

    /// A sentence in which names stand: the given ones, and whatever looks like an address, of mail or
    /// of a computer.
    public func sentence(_ text: String, naming names: [String]) -> String {
        var scalars = Array(text.unicodeScalars)
        var out = String.UnicodeScalarView()
        // Sentences show names escaped; the longest first, or a part of one would be taken for it.
        let known = names.filter { !$0.isEmpty && !$0.contains("@") }
            .map { (plain: $0, shown: Array(SafeText.shown($0).unicodeScalars)) }
            .sorted { $0.shown.count > $1.shown.count }
        while !scalars.isEmpty {
            // The word that comes next, and what is before it.
            let gap = scalars.prefix { !Self.isOfAddress($0) }
            out.append(contentsOf: gap)
            scalars.removeFirst(gap.count)
            var word = Array(scalars.prefix { Self.isOfAddress($0) })
            scalars.removeFirst(word.count)
            let whole = word
            // A full stop or colon at its end is the sentence's.
            var tail: [Unicode.Scalar] = []
            while let last = word.last, last == "." || last == ":" || last == "-" {
                tail.insert(last, at: 0)
                word.removeLast()
            }
            if let name = known.first(where: { $0.shown == word }) {
                out.append(contentsOf: address(name.plain).unicodeScalars)
            } else if word.contains("@") {
                out.append(contentsOf: address(Self.text(word)).unicodeScalars)
            } else {
                // An IPv6 address may end with a colon.
                out.append(contentsOf: hidingClients(whole))
                continue
            }
            out.append(contentsOf: tail)
        }
        return String(out)
    }

    /// The word with a pseudonym in place of each IP address, also with a port or a prefix behind it.
    private func hidingClients(_ word: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var out: [Unicode.Scalar] = []
        var rest = word[...]
        // RFC 5321, 4.1.3.
        let tag = "ipv6:"
        if Self.text(Array(rest.prefix(5))).lowercased() == tag {
            return Array(rest.prefix(5)) + hidingClients(Array(rest.dropFirst(5)))
        }
        while let first = rest.first {
            let run = rest.prefix { Self.isOfIPAddress($0) }
            guard !run.isEmpty else {
                out.append(first)
                rest.removeFirst()
                continue
            }
            rest = rest.dropFirst(run.count)
            let isPartOfName =
                out.last.map(Self.isOfName) ?? false || rest.first.map(Self.isOfName) ?? false
            let ends =
                isPartOfName
                ? []
                : stride(from: run.endIndex, to: run.startIndex, by: -1)
                    .filter { Self.mayFollowAddress(run[$0...]) }
            if let end = ends.first(where: { Self.isIPAddress(Self.text(Array(run[..<$0]))) }) {
                out += client(Self.text(Array(run[..<end]))).unicodeScalars
                out += run[end...]
            } else {
                out += run
            }
        }
        return out
    }

    /// Whether it is nothing, the sentence's punctuation, or a port.
    private static func mayFollowAddress(_ rest: ArraySlice<Unicode.Scalar>) -> Bool {
        let isPunctuation = rest.allSatisfy { $0 == ":" || $0 == "." }
        return isPunctuation
            || rest.first == ":" && rest.dropFirst().allSatisfy { ("0"..."9").contains($0) }
    }

    private static func isOfIPAddress(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "0"..."9", "a"..."f", "A"..."F", ":", ".": true
        default: false
        }
    }

    private static func isOfName(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "-" || scalar == "_" || scalar.properties.isAlphabetic
            || ("0"..."9").contains(scalar)
    }

    /// Whether it is an IPv4 address, or an IPv6 one as RFC 4291, 2.2 writes it.
    private static func isIPAddress(_ text: String) -> Bool {
        guard text.contains(":") else { return isIPv4Address(text[...]) }
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return false }
        var count = 0
        for (index, half) in halves.enumerated() where !half.isEmpty {
            let groups = half.split(separator: ":", omittingEmptySubsequences: false)
            for (place, group) in groups.enumerated() {
                let isLast = index == halves.count - 1 && place == groups.count - 1
                if isLast, isIPv4Address(group) {
                    count += 2
                } else if (1...4).contains(group.utf8.count), !group.contains(".") {
                    count += 1
                } else {
                    return false
                }
            }
        }
        return halves.count == 2 ? count <= 7 : count == 8
    }

    private static func isIPv4Address(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { (1...3).contains($0.utf8.count) && UInt8($0) != nil }
    }

    private static func text(_ scalars: [Unicode.Scalar]) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// Whether an address or a login may hold it as it stands in a sentence: rather too much than too
    /// little.
    private static func isOfAddress(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case " ", "\t", "\n", ",", ";", "<", ">", "(", ")", "[", "]", "\"", "'": false
        default: true
        }
    }

    /// An alert or a notice as it goes out, with pseudonyms in it; its digests stay those of the
    /// bundle.
    ///
    /// What is no JSON object comes to nothing: an empty object.
    public func alert(_ json: [UInt8]) -> [UInt8] {
        guard let object = try? JSONObjectReader.read(json) else { return Array("{}".utf8) }
        let accounts = object["related.user"]?.strings ?? []
        let hosts = Set(object["related.hosts"]?.strings ?? [])
        var writer = JSONObjectWriter()
        for member in object.members {
            switch member.name {
            case "postern.commands": continue
            case "user.name", "related.user":
                writer.member(member.name, member.value.mapped { address($0) })
            case "related.hosts":
                writer.member(member.name, member.value.mapped { domain($0) })
            case "postern.group":
                writer.member(
                    member.name,
                    member.value.mapped { value in
                        if value.contains("@") || accounts.contains(value) {
                            return address(value)
                        }
                        return hosts.contains(value) ? domain(value) : subject(value)
                    }
                )
            case "rule.description", "postern.remediation", "rule.id", "rule.name", "event.id",
                "event.kind", "event.action", "@timestamp", "event.start", "event.end",
                "postern.evidence", "postern.evidence_sha256", "postern.evidence_chain",
                "postern.evidence_key", "postern.related_alerts":
                writer.member(member.name, member.value)
            default:
                writer.member(
                    member.name,
                    member.value.mapped { sentence($0, naming: accounts) }
                )
            }
        }
        return writer.finished()
    }
}

extension JSONValue {
    /// With each of its texts changed.
    fileprivate func mapped(_ change: (String) -> String) -> JSONValue {
        switch self {
        case .string(let text): .string(change(text))
        case .array(let values): .array(values.map { $0.mapped(change) })
        default: self
        }
    }
}
