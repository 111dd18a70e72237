import ArgumentParser
import Evidence
import Findings
import LinuxIO
import Pipeline
import SafeText
import State
import SystemPackage

struct EvidenceVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks bundles and runs the engine over them again.",
        discussion: """
            Every digest and the signature must hold, the events must be what the bundle's own lines \
            tell, and the engine, run over them from the stated prior facts with the rule in the \
            bundle, must come to the same alert. Any failed check: status 1.

            With --key, a bundle must be signed by that key or by one that it has named as its \
            successor: give what `postern evidence key` printed on the machine that sealed it, 64 \
            hexadecimal digits of the key, or its fingerprint as alerts carry it in \
            postern.evidence_key. Without --key, a signature shows only that nobody changed the \
            bundle since the holder of the key in it sealed it. Bundles of a replay have no signature.

            Without a bundle: those of the state folder, and the chain that links them.

            EXAMPLES
              postern evidence verify ./bundles/*.tar.zst
              postern evidence verify --key mx1.pub ./ALERTID.0.tar.zst
              postern evidence verify --config /etc/postern/postern.yml
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Who must have signed: a key, a fingerprint, or a file with some. May be repeated.",
            valueName: "KEYFILE|HEX"
        )
    )
    var key: [String] = []

    @Argument(help: "Bundles; without any, those of the state folder.")
    var bundles: [String] = []

    func run() throws {
        let keys = try trustedKeys(key)
        var failures = 0
        if bundles.isEmpty {
            failures = try verifyState(keys)
        } else {
            for path in bundles where try !verifyBundle(path, keys) { failures += 1 }
        }
        if failures > 0 { throw Failure(.failed) }
    }

    /// - Parameter digest: of the manifest, if it is known.
    /// - Returns: whether everything holds; what does not is told.
    private func verifyBundle(
        _ path: String,
        _ keys: TrustedKeys,
        digest: String? = nil
    ) throws -> Bool {
        let opened: EvidenceBundle
        do {
            opened = try openBundle(path)
        } catch let failure as Failure where failure.status == .failed || digest != nil {
            failure.print()
            return false
        }
        var result = verify(opened)
        if let digest, digest != opened.manifestDigest {
            result.findings.append(
                "MANIFEST.json has the digest \(opened.manifestDigest), in the chain it is \(digest)"
            )
        }
        let standing: String
        switch opened.manifest.key {
        case nil:
            standing = "unsigned"
            if !keys.isEmpty { result.findings.append("nobody signed it") }
        case .some(let signer):
            standing =
                keys.isEmpty
                ? "signed by a key that nobody vouches for, \(signer.fingerprint)"
                : "signed by \(signer.fingerprint)"
            if !keys.isEmpty, !keys.contains(signer) {
                result.findings.append(
                    "signed by \(signer.fingerprint), which is none of the given keys"
                )
            }
        }
        guard result.holds else {
            for finding in result.findings { warn("\(shown(path)): \(shown(finding))") }
            return false
        }
        StandardStream.output.write(
            "\(shown(path)): self-consistent, \(standing); \(result.lineCount) lines give "
                + "the alert \(result.alertID ?? "") again\n"
        )
        return true
    }

    /// - Returns: how many checks failed.
    private func verifyState(_ keys: TrustedKeys) throws -> Int {
        let path = try folder.path()
        let store = try readState(path)
        let links: [ChainLink]
        do {
            links = try store.evidenceChain().map(\.link)
        } catch {
            throw Failure(reading: error)
        }
        let findings = checkChain(links)
        for finding in findings { warn("\(shown(path.string)): \(shown(finding))") }
        var failures = findings.count
        var tombstones = 0
        for link in links {
            guard let bundle = link.bundle else { continue }
            if case .pruned = link.kind {
                tombstones += 1
                continue
            }
            let file = path.appending("evidence").appending(bundle)
            if try !verifyBundle(file.string, keys, digest: link.digest) { failures += 1 }
        }
        if failures == 0 {
            StandardStream.output.write(
                "the chain holds: \(links.count) links, \(tombstones) of them tombstones; its head is "
                    + "\(links.last?.digest ?? "none")\n"
            )
        }
        return failures
    }
}

/// Reads the values of `--key`.
func trustedKeys(_ values: [String]) throws -> TrustedKeys {
    var keys = TrustedKeys()
    for value in values {
        if bytes(ofHex: value)?.count == 32 {
            _ = keys.add(value)
            continue
        }
        let text: String
        do {
            let file = try SystemCalls().open(FilePath(value), [.read, .nonBlocking])
            let status = try file.status()
            guard status.kind == .regular, status.size <= 1 << 20 else {
                throw Failure(.badData, "\(shown(value)): no file of keys")
            }
            text = String(
                decoding: try file.readFully(count: Int(status.size), at: 0),
                as: UTF8.self
            )
        } catch let error as SystemCallError {
            throw Failure(
                .noInput,
                "--key \(shown(value)): neither 64 hexadecimal digits nor a file: \(error.cause)"
            )
        }
        if let line = keys.add(text) {
            throw Failure(
                .badData,
                "\(shown(value)):\(line): a public key in PEM or in hexadecimal was expected"
            )
        }
    }
    if !values.isEmpty, keys.isEmpty { throw Failure(.badData, "--key: there is no key in it") }
    return keys
}

struct EvidenceKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Prints the public half of the key that signs evidence.",
        discussion: """
            Keep it where the mail server cannot write: it is what `verify --key` and openssl check \
            bundles with. With --rotations, also each statement by which a key named its successor.

            EXAMPLES
              postern evidence key > mx1.pub
              postern evidence key --fingerprint
              openssl pkeyutl -verify -pubin -inkey mx1.pub -rawin -in MANIFEST.json -sigfile MANIFEST.sig
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Flag(name: .long, help: "Print the fingerprint only, as in postern.evidence_key.")
    var fingerprint = false

    @Flag(name: .long, help: "Print the statements of key changes only.")
    var rotations = false

    func run() throws {
        let path = try folder.path()
        if rotations {
            do {
                var output = BufferedOutput()
                for (_, link) in try readState(path).evidenceChain() {
                    if case .rotated = link.kind { output.writeLine(link.json()) }
                }
                output.flush()
                return
            } catch let error as StateError {
                throw Failure(reading: error)
            }
        }
        let key: EvidenceKey?
        do {
            key = try SigningKeyFile(folder: path).publicKey()
        } catch {
            throw Failure(.failed, "\(error)")
        }
        guard let key else {
            throw Failure(
                .noInput,
                "\(shown(path.string)): no key yet; postern run makes it at its first start"
            )
        }
        StandardStream.output.write(
            fingerprint
                ? key.fingerprint + "\n" : "# SHA-256 \(key.fingerprint)\n" + key.pem
        )
    }
}

struct EvidenceRotateKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-key",
        abstract: "Makes a new key for evidence, named by the old one.",
        discussion: """
            The statement stands in the chain; the old key is forgotten. Bundles of before stay signed \
            by the old one.

            EXAMPLE
              postern evidence rotate-key
            """
    )

    @OptionGroup var folder: StateFolderOptions

    func run() throws {
        let settings = folder
        var door = ControlDoor(folder: try folder.path(), author: authorName()) {
            try daemonEngine(daemonSettings(settings.config))
        }
        try conclude(try door.perform(.rotateKey))
    }
}

/// Opens a bundle: status 66 if there is none, 1 if it is none.
func openBundle(_ path: String) throws -> EvidenceBundle {
    do {
        return try BundleReader().open(FilePath(path))
    } catch .system(let error) where error.cause == .noSuchFileOrDirectory {
        throw Failure(.noInput, "\(shown(path)): no such file")
    } catch {
        throw Failure(.failed, "\(error)")
    }
}
