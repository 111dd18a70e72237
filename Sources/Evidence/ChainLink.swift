import SafeText

/// A link of the chain that a state keeps of its bundles: what was sealed, in the order of sealing,
/// what of it was removed since, and when the key changed.
///
/// Each names the digest of the one before it, so that nothing can be taken out unseen: a bundle in
/// its manifest, the others in a statement that is signed.
public struct ChainLink: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// A bundle that is there.
        case bundle
        /// A bundle that was there: its tombstone.
        case pruned(reason: String)
        /// From here on this key signs, says the one before it.
        case rotated(to: EvidenceKey)
    }

    public var kind: Kind
    /// The name of the bundle; nil of a rotation.
    public var bundle: String?
    /// SHA-256, in lower-case hexadecimal, of the manifest; of a rotation, of its statement.
    public private(set) var digest: String
    /// The digest of the link before; nil of the first.
    public var previous: String?
    /// Who signed the manifest or the statement.
    public var key: EvidenceKey
    /// When it was sealed, removed or changed: wall clock, microseconds since 1970, whole
    /// milliseconds.
    public private(set) var microseconds: Int64
    /// Bytes of the bundle's file.
    public var byteCount: Int64 = 0
    /// Of the statement; empty for a bundle, which carries the signature of its manifest itself.
    public private(set) var signature: [UInt8] = []

    /// A bundle that was sealed.
    public init(
        bundle: String,
        digest: String,
        previous: String?,
        key: EvidenceKey,
        byteCount: Int64,
        microseconds: Int64
    ) {
        kind = .bundle
        self.byteCount = byteCount
        self.microseconds = wholeMilliseconds(microseconds)
        self.bundle = bundle
        self.digest = digest
        self.previous = previous
        self.key = key
    }

    /// The statement of `signer` that its successor is `next`.
    public init(
        rotating signer: EvidenceSigner,
        to next: EvidenceKey,
        previous: String?,
        microseconds: Int64
    ) throws(EvidenceError) {
        kind = .rotated(to: next)
        digest = ""
        self.microseconds = wholeMilliseconds(microseconds)
        self.previous = previous
        key = signer.publicKey
        digest = digestHex(statement)
        signature = try signer.signature(of: statement)
    }

    /// The tombstone of a bundle: it stands in its place.
    ///
    /// - Parameter microseconds: when it was removed, wall clock.
    public func pruned(
        _ reason: String,
        microseconds: Int64,
        by signer: EvidenceSigner
    ) throws(EvidenceError) -> ChainLink {
        var link = self
        link.kind = .pruned(reason: reason)
        link.microseconds = wholeMilliseconds(microseconds)
        link.key = signer.publicKey
        link.signature = try signer.signature(of: link.statement)
        return link
    }

    /// Whether it is a statement that its key has signed.
    public var isSigned: Bool { kind != .bundle && key.hasSigned(statement, signature) }

    /// What is signed: the JSON of the link without its signature and, of a rotation, its digest.
    private var statement: [UInt8] { members().finished() }

    private func members() -> JSONObjectWriter {
        var object = JSONObjectWriter()
        switch kind {
        case .bundle: object.member("postern.link", "bundle")
        case .pruned: object.member("postern.link", "pruned")
        case .rotated: object.member("postern.link", "rotated")
        }
        object.member("@timestamp", rfc3339(microseconds: microseconds))
        object.member("postern.evidence", bundle)
        if bundle != nil {
            object.member("postern.evidence_sha256", digest)
            object.member("file.size", byteCount)
        }
        object.member("previous", previous)
        object.member("key", key.hex)
        switch kind {
        case .bundle: break
        case .pruned(let reason): object.member("event.reason", reason)
        case .rotated(let next): object.member("next_key", next.hex)
        }
        return object
    }

    /// One flat object without a newline.
    public func json() -> [UInt8] {
        var object = members()
        if !signature.isEmpty { object.member("signature", hex(signature)) }
        return object.finished()
    }

    /// Reads what ``json()`` writes; nil for anything else. Whether the signature holds is not looked
    /// at: see ``isSigned``.
    public init?(json bytes: [UInt8]) {
        guard let object = try? JSONObjectReader.read(bytes),
            let key = object["key"]?.string.flatMap({ EvidenceKey(hex: $0) }),
            let time = object["@timestamp"]?.string.flatMap({ parseRFC3339($0) })
        else { return nil }
        self.key = key
        microseconds = time
        byteCount = object["file.size"]?.integer ?? 0
        bundle = object["postern.evidence"]?.string
        previous = object["previous"]?.string
        digest = object["postern.evidence_sha256"]?.string ?? ""
        signature = object["signature"]?.string.flatMap { SafeText.bytes(ofHex: $0) } ?? []
        switch object["postern.link"]?.string {
        case "bundle": kind = .bundle
        case "pruned":
            guard let reason = object["event.reason"]?.string else { return nil }
            kind = .pruned(reason: reason)
        case "rotated":
            guard let next = object["next_key"]?.string.flatMap({ EvidenceKey(hex: $0) }) else {
                return nil
            }
            kind = .rotated(to: next)
            digest = digestHex(statement)
        default: return nil
        }
        // One form only.
        guard json() == bytes else { return nil }
    }
}

private func wholeMilliseconds(_ microseconds: Int64) -> Int64 {
    microseconds - floorDivide(microseconds, by: 1_000).remainder
}

/// Checks a whole chain.
///
/// - Parameter links: in their order.
/// - Returns: what does not hold, each as a sentence; whether the bundles are as they were sealed is
///   for others to see.
public func checkChain(_ links: [ChainLink]) -> [String] {
    var findings: [String] = []
    var key: EvidenceKey?
    var lineage: Set<EvidenceKey> = []
    for link in links {
        switch link.kind {
        case .bundle: lineage.insert(link.key)
        case .rotated(let next): lineage.formUnion([link.key, next])
        case .pruned: break
        }
    }
    for (index, link) in links.enumerated() {
        let name = link.bundle.map { shown($0) } ?? "the change of the key"
        // The first may be what is left of a longer chain.
        if index > 0, link.previous != links[index - 1].digest {
            findings.append(
                "\(name): the link before it has the digest \(links[index - 1].digest), not "
                    + (link.previous ?? "none")
            )
        }
        switch link.kind {
        case .bundle: break
        case .pruned, .rotated:
            if !link.isSigned { findings.append("\(name): the signature does not hold") }
        }
        // A tombstone is signed by the key of the day on which it was made.
        if case .pruned = link.kind {
            if !lineage.isEmpty, !lineage.contains(link.key) {
                findings.append(
                    "\(name): its tombstone is signed by \(link.key.fingerprint), which signs "
                        + "nothing else of the chain"
                )
            }
            continue
        }
        if let key, link.key != key {
            findings.append(
                "\(name): signed by \(link.key.fingerprint), but no statement of "
                    + "\(key.fingerprint) names that key"
            )
        }
        key = link.key
        if case .rotated(let next) = link.kind { key = next }
    }
    return findings
}
