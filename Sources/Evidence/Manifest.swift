public import Findings
import SafeText

/// What `MANIFEST.json` says: which members a bundle has, to the byte, and which bundle came before.
public struct Manifest: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        /// The member's name; after reading, not yet that of a ``BundleMember``.
        public var name: String
        public var byteCount: Int
        /// SHA-256 in lower-case hexadecimal.
        public var digest: String
    }

    /// The version of the format that this program writes and reads.
    public static let version = 1

    /// The version of the program that sealed it.
    public var posternVersion: String
    /// The machine on which it was sealed.
    public var host: String
    public var alert: AlertID
    /// `event.sequence` of the alert's transition.
    public var sequence: Int
    /// Event time of the transition, as in the alert: RFC 3339, UTC, milliseconds. Never the time of
    /// sealing: a replay seals the same bytes.
    public var created: String
    /// SHA-256 of the manifest before it in the chain; nil when there is none.
    public var previous: String?
    /// Who signed it; nil when nobody did, as in a replay.
    public var key: EvidenceKey?
    /// In the order of the archive.
    public var members: [Entry]

    /// The manifest of contents that are about to be sealed.
    init(
        of contents: BundleContents,
        host: String,
        posternVersion: String,
        previous: String?,
        key: EvidenceKey?
    ) {
        self.posternVersion = posternVersion
        self.host = host
        alert = contents.name.alert
        sequence = contents.name.sequence
        created = rfc3339(microseconds: contents.microseconds)
        self.previous = previous
        self.key = key
        members = BundleMember.listed.map { member in
            let bytes = contents[member]
            return Entry(
                name: member.rawValue,
                byteCount: bytes.count,
                digest: digestHex(bytes)
            )
        }
    }

    /// The one form of the manifest: what its digest is of. It ends with a newline.
    func json() -> [UInt8] {
        var list: [UInt8] = [UInt8(ascii: "[")]
        for (index, member) in members.enumerated() {
            if index > 0 { list.append(UInt8(ascii: ",")) }
            var entry = JSONObjectWriter()
            entry.member("file.name", member.name)
            entry.member("file.size", member.byteCount)
            entry.member("file.hash.sha256", member.digest)
            list.append(contentsOf: entry.finished())
        }
        list.append(UInt8(ascii: "]"))
        var object = JSONObjectWriter()
        object.member("postern.manifest", Self.version)
        object.member("postern.version", posternVersion)
        object.member("host.name", host)
        object.member("event.id", alert.description)
        object.member("event.sequence", sequence)
        object.member("created", created)
        if let previous {
            object.member("previous", previous)
        } else {
            object.member("previous", json: Array("null".utf8))
        }
        // A manifest says who signs it: a signature cannot be taken off or exchanged unseen.
        if let key { object.member("key", key.hex) }
        object.member("members", json: list)
        return object.finished() + [newline]
    }

    /// Reads a manifest; any other form of the same values is refused, so that a manifest has one
    /// digest.
    init(reading bytes: [UInt8]) throws(BundleRefusal) {
        func refusal(_ code: BundleRefusal.Code, _ found: String) -> BundleRefusal {
            BundleRefusal(code, member: BundleMember.manifest.rawValue, found: found)
        }
        let object: JSONObject
        do {
            object = try JSONObjectReader.read(bytes)
        } catch {
            throw refusal(.manifestUnreadable, error.description)
        }
        guard let version = object["postern.manifest"]?.integer else {
            throw refusal(.manifestUnreadable, "no postern.manifest")
        }
        guard version == Self.version else {
            throw refusal(.versionUnknown, String(version))
        }
        guard let posternVersion = object["postern.version"]?.string,
            let host = object["host.name"]?.string,
            let alert = object["event.id"]?.string.flatMap({ AlertID($0) }),
            let sequence = object["event.sequence"]?.count,
            let created = object["created"]?.string, Self.isTimestamp(created),
            let previous = object["previous"],
            case .array(let list) = object["members"]
        else {
            throw refusal(.manifestUnreadable, "a member of it is missing or of another kind")
        }
        self.posternVersion = posternVersion
        self.host = host
        self.alert = alert
        self.sequence = sequence
        self.created = created
        self.previous = previous.string
        guard previous == .null || previous.string.map(Self.isDigest) ?? false else {
            throw refusal(.manifestUnreadable, "previous is no digest")
        }
        if let text = object["key"] {
            guard let key = text.string.flatMap({ EvidenceKey(hex: $0) }) else {
                throw refusal(.manifestUnreadable, "key is no Ed25519 key")
            }
            self.key = key
        }
        members = []
        for entry in list {
            guard let entry = entry.object,
                let name = entry["file.name"]?.string,
                let byteCount = entry["file.size"]?.count,
                let digest = entry["file.hash.sha256"]?.string, Self.isDigest(digest)
            else {
                throw refusal(.manifestUnreadable, "a member of the bundle without name or digest")
            }
            members.append(Entry(name: name, byteCount: byteCount, digest: digest))
        }
        guard json() == bytes else {
            throw refusal(.manifestUnreadable, "not in the form in which Postern writes it")
        }
    }

    private static func isDigest(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    /// Whether it looks like `2026-03-01T10:00:00.250Z`.
    private static func isTimestamp(_ text: String) -> Bool {
        let shape = Array("0000-00-00T00:00:00.000Z".utf8)
        return text.utf8.count == shape.count
            && zip(text.utf8, shape).allSatisfy { byte, wanted in
                wanted == UInt8(ascii: "0")
                    ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : byte == wanted
            }
    }
}
