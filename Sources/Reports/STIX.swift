import Alerting
import Crypto
import SafeText

/// STIX 2.1 (OASIS Standard, 10 June 2021) of an incident: what was observed, that it was seen, and
/// what to look for elsewhere.
///
/// The same incident gives the same bytes: every ID is a UUID of version 5.
struct STIXWriter {
    /// "If the contributing properties are all defined … UUIDv5 … with the namespace
    /// 00abedb4-aa42-466c-9c01-fed23315a9b7" (2.9, Identifier, for cyber-observable objects).
    static let observableNamespace = "00abedb4-aa42-466c-9c01-fed23315a9b7"
    /// Our own, for all other objects: "MUST NOT use the namespace" above (2.9).
    static let ownNamespace = "b1c9a9a4-2d0f-4d5e-9a7e-5f6f0e1d7a31"

    private(set) var objects: [[UInt8]] = []
    private var known: Set<String> = []

    /// RFC 9562, 5.5.
    static func uuid5(_ namespace: String, _ name: [UInt8]) -> String {
        let base = bytes(ofHex: namespace.filter { $0 != "-" }) ?? []
        var digest = Array(Insecure.SHA1.hash(data: base + name)).prefix(16)
        digest[6] = digest[6] & 0x0f | 0x50
        digest[8] = digest[8] & 0x3f | 0x80
        let text = Array(hex(digest).utf8)
        let parts = [text[0..<8], text[8..<12], text[12..<16], text[16..<20], text[20..<32]]
        return parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "-")
    }

    /// The identifier of an observable.
    ///
    /// - Parameter properties: those that contribute to it, in the order of their names, each as
    ///   JSON: together RFC 8785 (JCS), as all of them are strings.
    static func observableID(_ type: String, _ properties: [(String, String)]) -> String {
        var object: [UInt8] = [UInt8(ascii: "{")]
        for (index, (name, value)) in properties.enumerated() {
            if index > 0 { object.append(UInt8(ascii: ",")) }
            JSONObjectWriter.append(string: name, to: &object)
            object.append(UInt8(ascii: ":"))
            appendCanonical(value, to: &object)
        }
        object.append(UInt8(ascii: "}"))
        return "\(type)--\(uuid5(observableNamespace, object))"
    }

    /// A string as RFC 8785, 3.2.2.2 has it: only quotes, backslashes and C0 controls are escaped.
    private static func appendCanonical(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += Array("\\\"".utf8)
            case "\\": out += Array("\\\\".utf8)
            case "\u{8}": out += Array("\\b".utf8)
            case "\t": out += Array("\\t".utf8)
            case "\n": out += Array("\\n".utf8)
            case "\u{c}": out += Array("\\f".utf8)
            case "\r": out += Array("\\r".utf8)
            default:
                if scalar.value < 0x20 {
                    out += Array(
                        "\\u00\(scalar.value < 16 ? "0" : "")\(String(scalar.value, radix: 16))"
                            .utf8
                    )
                } else {
                    out += Array(String(scalar).utf8)
                }
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    /// Adds an object once, and gives its ID.
    @discardableResult
    mutating func add(
        _ id: String,
        _ body: (inout JSONObjectWriter) -> Void
    ) -> String {
        guard known.insert(id).inserted else { return id }
        var object = JSONObjectWriter()
        object.member("type", Self.type(of: id))
        object.member("spec_version", "2.1")
        object.member("id", id)
        body(&object)
        objects.append(object.finished())
        return id
    }

    /// What stands before `--`.
    private static func type(of id: String) -> String {
        let text = Array(id.utf8)
        let end = text.indices.first {
            $0 + 1 < text.count && text[$0] == 0x2d && text[$0 + 1] == 0x2d
        }
        return String(decoding: text[..<(end ?? text.count)], as: UTF8.self)
    }

    /// An object of ours, named by what makes it itself.
    static func ownID(_ type: String, _ name: String) -> String {
        "\(type)--\(uuid5(ownNamespace, Array("\(type)\u{0}\(name)".utf8)))"
    }

    func bundle(_ name: String) -> [UInt8] {
        var list: [UInt8] = [UInt8(ascii: "[")]
        for (index, object) in objects.enumerated() {
            if index > 0 { list.append(UInt8(ascii: ",")) }
            list += object
        }
        list.append(UInt8(ascii: "]"))
        var object = JSONObjectWriter()
        object.member("type", "bundle")
        object.member("id", Self.ownID("bundle", name))
        object.member("objects", json: list)
        return object.finished()
    }
}

extension Incident {
    /// Messages and values that STIX tells; what is beyond is in the bundle.
    private static let stixMessagesMax = 1_000
    private static let patternValuesMax = 100

    /// The incident as a STIX 2.1 bundle; see ``STIXWriter``.
    public func stix() -> [UInt8] {
        var writer = STIXWriter()
        let first = events.first?.microseconds ?? parseRFC3339(facts.start ?? facts.time) ?? 0
        let last = events.last?.microseconds ?? first
        let host = seals.last?.host ?? ""
        let time = rfc3339(microseconds: first)
        let changed = rfc3339(microseconds: max(last, first))
        func common(_ object: inout JSONObjectWriter, _ creator: String?) {
            object.member("created_by_ref", creator)
            object.member("created", time)
            object.member("modified", changed)
        }
        let identity = writer.add(STIXWriter.ownID("identity", host)) { object in
            common(&object, nil)
            object.member("name", host.isEmpty ? "Postern" : "Postern on \(host)")
            object.member("identity_class", "system")
        }
        let told = Array(events.prefix(Self.stixMessagesMax))
        let observed = observables(told, &writer)
        guard !observed.isEmpty else { return writer.bundle(facts.id) }
        let data = writer.add(STIXWriter.ownID("observed-data", facts.id)) { object in
            common(&object, identity)
            object.member("first_observed", time)
            object.member("last_observed", changed)
            object.member("number_observed", min(999_999_999, events.count))
            object.member("object_refs", observed)
        }
        let indicator = writer.add(STIXWriter.ownID("indicator", facts.id)) { object in
            common(&object, identity)
            object.member("name", facts.rule)
            object.member("description", facts.message)
            object.member("indicator_types", ["malicious-activity"])
            object.member("pattern", pattern(told))
            object.member("pattern_type", "stix")
            object.member("valid_from", time)
            object.member("external_references", json: reference())
        }
        writer.add(STIXWriter.ownID("sighting", facts.id)) { object in
            common(&object, identity)
            object.member("first_seen", time)
            object.member("last_seen", changed)
            object.member("count", min(999_999_999, max(1, events.count)))
            object.member("sighting_of_ref", indicator)
            object.member("observed_data_refs", [data])
            object.member("where_sighted_refs", [identity])
        }
        return writer.bundle(facts.id)
    }

    /// The alert's ID and the digest of its proof.
    private func reference() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("source_name", "postern")
        object.member("external_id", facts.id)
        if let seal = seals.last {
            object.member(
                "description",
                "evidence \(seal.bundle), manifest SHA-256 \(seal.manifestDigest)"
            )
        }
        return [UInt8(ascii: "[")] + object.finished() + [UInt8(ascii: "]")]
    }

    /// - Returns: IDs, each once, in the order of their first mention.
    private func observables(_ events: [ReportedEvent], _ writer: inout STIXWriter) -> [String] {
        var ids: [String] = []
        var seen: Set<String> = []
        func note(_ id: String) {
            if seen.insert(id).inserted { ids.append(id) }
        }
        func address(_ text: String, _ writer: inout STIXWriter) -> String? {
            guard text.contains("@") else { return nil }
            let id = STIXWriter.observableID("email-addr", [("value", text)])
            writer.add(id) { $0.member("value", text) }
            note(id)
            return id
        }
        for event in events {
            if !event.account.isEmpty {
                let id = STIXWriter.observableID(
                    "user-account",
                    [("account_login", event.account)]
                )
                writer.add(id) { $0.member("account_login", event.account) }
                note(id)
            }
            if let client = event.client, let type = Self.addressType(client) {
                let id = STIXWriter.observableID(type, [("value", client)])
                writer.add(id) { $0.member("value", client) }
                note(id)
            }
            let from = address(event.account, &writer)
            guard let to = address(event.recipient, &writer) else { continue }
            // Two receipts of one subject to two addresses would be one object: theirs is another
            // name, of what tells them apart.
            let id =
                "email-message--"
                + STIXWriter.uuid5(
                    STIXWriter.ownNamespace,
                    Array("\(event.queueID)\u{0}\(event.recipient)\u{0}\(event.microseconds)".utf8)
                )
            writer.add(id) { object in
                object.member("is_multipart", false)
                object.member("date", rfc3339(microseconds: event.microseconds))
                object.member("from_ref", from)
                object.member("to_refs", [to])
                object.member("message_id", event.messageID)
                object.member("subject", event.subject)
            }
            note(id)
        }
        return ids
    }

    private static func addressType(_ text: String) -> String? {
        if text.utf8.contains(UInt8(ascii: ":")) { return "ipv6-addr" }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil } ? "ipv4-addr" : nil
    }

    /// Mail to the same targets, or with the same subject.
    private func pattern(_ events: [ReportedEvent]) -> String {
        func list(_ values: [String]) -> String {
            var seen: Set<String> = []
            let unique = values.filter { !$0.isEmpty && seen.insert($0).inserted }
            return unique.prefix(Self.patternValuesMax).map { value in
                // "Quotes and backslashes inside … MUST be escaped with \\" (9.2, string).
                var text = ""
                for scalar in value.unicodeScalars {
                    if scalar == "'" || scalar == "\\" { text += "\\" }
                    text.unicodeScalars.append(scalar)
                }
                return "'\(text)'"
            }.joined(separator: ", ")
        }
        let targets = list(events.map(\.recipient))
        let subjects = list(events.compactMap(\.subject))
        var parts = ["email-message:to_refs[*].value IN (\(targets))"]
        if !subjects.isEmpty { parts.append("email-message:subject IN (\(subjects))") }
        return parts.map { "[\($0)]" }.joined(separator: " OR ")
    }
}
