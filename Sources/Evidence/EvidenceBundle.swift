import Findings
import SafeText

/// An opened bundle: it could be read, and ``check()`` tells whether it holds.
public struct EvidenceBundle: Sendable {
    /// The name of the file that it came in, if it had one.
    public let fileName: String?
    public let manifest: Manifest
    /// SHA-256 of `MANIFEST.json`, in lower-case hexadecimal: what the alert calls
    /// `postern.evidence_sha256`.
    public let manifestDigest: String
    private let members: [(member: BundleMember, bytes: [UInt8])]
    private let limits: BundleLimits

    /// - Parameter members: each at most once.
    init(
        members: [(member: BundleMember, bytes: [UInt8])],
        fileName: String?,
        limits: BundleLimits
    ) throws(BundleRefusal) {
        guard let manifest = members.first(where: { $0.member == .manifest }) else {
            throw BundleRefusal(.manifestMissing, found: "\(members.count) members")
        }
        self.manifest = try Manifest(reading: manifest.bytes)
        manifestDigest = digestHex(manifest.bytes)
        self.members = members
        self.fileName = fileName
        self.limits = limits
    }

    /// The name that its file should have.
    public var name: BundleName { BundleName(alert: manifest.alert, sequence: manifest.sequence) }

    /// The bytes of a member; nil if the bundle is without it.
    public subscript(member: BundleMember) -> [UInt8]? {
        members.first { $0.member == member }?.bytes
    }

    /// The raw lines with their places, as they were sealed.
    ///
    /// - Throws: at the first line where `lines.log` and `provenance.jsonl` do not hold together.
    public func lines() throws(EvidenceLineError) -> [EvidenceLine] {
        var reader = EvidenceLineReader(
            log: self[.lines] ?? [],
            provenance: self[.provenance] ?? []
        )
        var lines: [EvidenceLine] = []
        while let line = try reader.next() { lines.append(line) }
        return lines
    }

    /// Whether the bundle holds together: empty if it does, else what does not.
    ///
    /// The manifest lists just the members that there are, each with its size and digest; the
    /// provenance is that of the lines; alert, manifest and file name speak of the same transition;
    /// the manifest is signed by the key that it names. Whose key that is it does not tell. At most ``BundleLimits/mismatchesMax`` are told.
    public func check() -> [Mismatch] {
        var mismatches: [Mismatch] = []
        checkName(&mismatches)
        checkSignature(&mismatches)
        checkDigests(&mismatches)
        checkAlert(&mismatches)
        checkLines(&mismatches)
        return Array(mismatches.prefix(limits.mismatchesMax))
    }

    private func checkName(_ mismatches: inout [Mismatch]) {
        guard let fileName else { return }
        guard fileName.utf8.elementsEqual(name.description.utf8) else {
            mismatches.append(
                Mismatch("file name", expected: name.description, found: fileName)
            )
            return
        }
    }

    private func checkSignature(_ mismatches: inout [Mismatch]) {
        let signature = self[.signature]
        let member = BundleMember.signature.rawValue
        switch (manifest.key, signature) {
        case (nil, nil): break
        case (nil, .some):
            mismatches.append(
                Mismatch(member, expected: "nothing, as the manifest names no key", found: "one")
            )
        case (.some(let key), nil):
            mismatches.append(
                Mismatch(member, expected: "a signature by \(key.fingerprint)", found: "nothing")
            )
        case (.some(let key), .some(let signature)):
            guard !key.hasSigned(self[.manifest] ?? [], signature) else { return }
            mismatches.append(
                Mismatch(member, expected: "a signature by \(key.fingerprint)", found: "another")
            )
        }
    }

    private func checkDigests(_ mismatches: inout [Mismatch]) {
        let expected = BundleMember.listed.map(\.rawValue)
        let listed = manifest.members.map(\.name)
        // By bytes: `==` of strings takes some characters for one.
        if !listed.elementsEqual(expected, by: { $0.utf8.elementsEqual($1.utf8) }) {
            mismatches.append(
                Mismatch(
                    BundleMember.manifest.rawValue,
                    expected: "the members " + expected.joined(separator: ", "),
                    found: listed.joined(separator: ", ")
                )
            )
        }
        for member in BundleMember.listed {
            guard let bytes = self[member] else {
                mismatches.append(
                    Mismatch(member.rawValue, expected: "to be there", found: "nothing")
                )
                continue
            }
            let entry = manifest.members.first { $0.name.utf8.elementsEqual(member.rawValue.utf8) }
            guard let entry else { continue }  // said above
            if entry.byteCount != bytes.count {
                mismatches.append(
                    Mismatch(
                        member.rawValue,
                        expected: "\(entry.byteCount) bytes",
                        found: "\(bytes.count) bytes"
                    )
                )
            }
            let digest = digestHex(bytes)
            if entry.digest != digest {
                mismatches.append(
                    Mismatch(
                        member.rawValue,
                        expected: "SHA-256 \(entry.digest)",
                        found: digest
                    )
                )
            }
        }
    }

    private func checkAlert(_ mismatches: inout [Mismatch]) {
        guard let bytes = self[.alert] else { return }
        let alert: JSONObject
        do {
            alert = try JSONObjectReader.read(bytes)
        } catch {
            mismatches.append(
                Mismatch(
                    BundleMember.alert.rawValue,
                    expected: "a JSON object",
                    found: error.description
                )
            )
            return
        }
        func compare(_ field: String, _ found: String?, _ expected: String) {
            let found = found ?? "none"
            guard !found.utf8.elementsEqual(expected.utf8) else { return }
            mismatches.append(
                Mismatch(
                    BundleMember.alert.rawValue,
                    expected: "\(field) \(expected), as in the manifest",
                    found: found
                )
            )
        }
        compare("event.id", alert["event.id"]?.string, manifest.alert.description)
        compare(
            "event.sequence",
            alert["event.sequence"]?.count.map(String.init),
            String(manifest.sequence)
        )
        compare("@timestamp", alert["@timestamp"]?.string, manifest.created)
    }

    private func checkLines(_ mismatches: inout [Mismatch]) {
        guard let log = self[.lines], let provenance = self[.provenance] else { return }
        var reader = EvidenceLineReader(log: log, provenance: provenance)
        while mismatches.count < limits.mismatchesMax {
            do {
                guard try reader.next() != nil else { return }
            } catch {
                mismatches.append(error.mismatch)
            }
        }
    }
}
