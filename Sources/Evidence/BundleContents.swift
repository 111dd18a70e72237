public import Findings
import SafeText

/// What a bundle proves: the bytes of each member that its manifest lists.
///
/// The same contents give the same archive, byte for byte, on every machine with the same libzstd.
public struct BundleContents: Sendable, Hashable {
    public let name: BundleName
    /// Event time of the alert's transition: microseconds since 1970, UTC. The members in the
    /// archive get it as their time.
    public let microseconds: Int64
    /// In the order of ``BundleMember/listed``.
    private let members: [[UInt8]]

    /// - Parameters:
    ///   - alert: the transition; its `postern.evidence_*` fields are left out.
    ///   - lines: the raw lines of the alert's events, in the order in which they were read.
    ///   - events: the events as JSON objects, none with a newline in it.
    ///   - rule: the text of the rule with the rules and filters that it refers to.
    ///   - settings: `settings.json`.
    ///   - state: `state.json`.
    public init(
        alert: Alert,
        lines: [EvidenceLine],
        events: [[UInt8]],
        rule: [UInt8],
        settings: [UInt8],
        state: [UInt8]
    ) {
        name = BundleName(alert: alert.id, sequence: alert.sequence)
        microseconds = alert.microseconds
        let (log, provenance) = EvidenceLine.encode(lines)
        var eventLines: [UInt8] = []
        for event in events {
            eventLines.append(contentsOf: event)
            eventLines.append(newline)
        }
        members = [
            alert.json(withEvidence: false) + [newline],
            log, provenance, eventLines, rule, settings, state,
        ]
    }

    /// What an opened bundle holds, as the proof of another transition of the same alert, or to be
    /// sealed again; nil when a member is missing.
    ///
    /// - Parameters:
    ///   - alert: `alert.json` without a newline; nil: as it is.
    ///   - name, microseconds: of the transition; nil: as they are.
    public init?(
        packed bundle: EvidenceBundle,
        alert: [UInt8]? = nil,
        name: BundleName? = nil,
        microseconds: Int64? = nil
    ) {
        guard let created = microseconds ?? parseRFC3339(bundle.manifest.created) else {
            return nil
        }
        self.name = name ?? bundle.name
        self.microseconds = created
        var members: [[UInt8]] = []
        for member in BundleMember.listed {
            if member == .alert, let alert {
                members.append(alert + [newline])
            } else if let bytes = bundle[member] {
                members.append(bytes)
            } else {
                return nil
            }
        }
        self.members = members
    }

    /// Bytes of all members.
    public var byteCount: Int { members.reduce(0) { $0 + $1.count } }

    /// The contents as a bundle that nobody signed, to be kept until they can be sealed; nil when
    /// they are too large.
    public func packed() -> [UInt8]? {
        try? sealed(host: "", posternVersion: "", previous: nil, limits: BundleLimits()).file
    }

    /// The bytes of a member; none for those that the manifest does not list.
    public subscript(member: BundleMember) -> [UInt8] {
        BundleMember.listed.firstIndex(of: member).map { members[$0] } ?? []
    }

    /// The whole file of the bundle, and the digest of its manifest.
    ///
    /// - Parameter signer: nil: it is not signed.
    func sealed(
        host: String,
        posternVersion: String,
        previous: String?,
        signer: EvidenceSigner? = nil,
        limits: BundleLimits
    ) throws(EvidenceError) -> (file: [UInt8], manifestDigest: String) {
        let manifest = Manifest(
            of: self,
            host: host,
            posternVersion: posternVersion,
            previous: previous,
            key: signer?.publicKey
        ).json()
        var entries = BundleMember.listed.map { ArchiveEntry(name: $0.rawValue, bytes: self[$0]) }
        entries.append(ArchiveEntry(name: BundleMember.manifest.rawValue, bytes: manifest))
        if let signer {
            entries.append(
                ArchiveEntry(
                    name: BundleMember.signature.rawValue,
                    bytes: try signer.signature(of: manifest)
                )
            )
        }
        for entry in entries {
            guard let member = BundleMember(rawValue: entry.name) else { continue }
            try Self.check(entry.bytes.count, of: entry.name, max: limits.bytesMax(of: member))
        }
        try Self.check(
            archiveByteCount(entries),
            of: "the archive",
            max: limits.archiveBytesMax
        )
        let file = zstdFrame(of: tarArchive(of: entries, microseconds: microseconds))
        try Self.check(file.count, of: "the bundle", max: limits.fileBytesMax)
        return (file, digestHex(manifest))
    }

    private static func check(
        _ byteCount: Int,
        of what: String,
        max bytesMax: Int
    ) throws(EvidenceError) {
        guard byteCount <= bytesMax else {
            throw EvidenceError.tooLarge(member: what, byteCount: byteCount, bytesMax: bytesMax)
        }
    }
}
