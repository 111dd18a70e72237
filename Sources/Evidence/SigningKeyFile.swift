public import LinuxIO
public import SystemPackage

/// Where a state folder keeps the key that signs its bundles: `evidence.key`, mode 0600.
///
/// One process at a time changes it: the one that has the folder's lock.
public struct SigningKeyFile: Sendable {
    private let calls: SystemCalls
    /// The key that signs.
    public let path: FilePath
    /// The key that will sign once the state says that the old one has named it.
    public let nextPath: FilePath

    private static let bytesMax = 4_096

    public init(folder: FilePath, calls: SystemCalls = SystemCalls()) {
        self.calls = calls
        path = folder.appending("evidence.key")
        nextPath = folder.appending("evidence.key.next")
    }

    /// The key, made if there is none.
    ///
    /// - Parameter current: the key that the chain says signs now; nil when it does not say. A
    ///   rotation that a crash cut short is ended by it.
    public func open(
        current: EvidenceKey?
    ) throws(EvidenceError) -> (signer: EvidenceSigner, isNew: Bool) {
        if let next = try read(nextPath) {
            do {
                if next.publicKey == current {
                    try calls.rename(nextPath, to: path)
                    try calls.syncFolder(path.removingLastComponent())
                } else {
                    try calls.remove(nextPath)
                }
            } catch {
                throw .system(error)
            }
        }
        if let signer = try read(path) { return (signer, false) }
        let signer = EvidenceSigner()
        do {
            try calls.replaceDurably(path, with: Array(signer.pem.utf8), mode: 0o600)
        } catch {
            throw .system(error)
        }
        return (signer, true)
    }

    /// The public half of the key that signs; nil when there is none yet.
    public func publicKey() throws(EvidenceError) -> EvidenceKey? { try read(path)?.publicKey }

    /// Writes a fresh key beside the one that signs; ``finishRotation()`` puts it in its place.
    public func prepareRotation() throws(EvidenceError) -> EvidenceSigner {
        let signer = EvidenceSigner()
        do {
            try calls.replaceDurably(nextPath, with: Array(signer.pem.utf8), mode: 0o600)
        } catch {
            throw .system(error)
        }
        return signer
    }

    /// The state has the statement: the fresh key signs from now on.
    public func finishRotation() throws(EvidenceError) {
        do {
            try calls.rename(nextPath, to: path)
            try calls.syncFolder(path.removingLastComponent())
        } catch {
            throw .system(error)
        }
    }

    /// Nil when the file is not there.
    private func read(_ path: FilePath) throws(EvidenceError) -> EvidenceSigner? {
        let bytes: [UInt8]
        do {
            let file = try calls.open(path, [.read, .nonBlocking, .noFollow])
            let status = try file.status()
            guard status.kind == .regular, status.size <= Self.bytesMax else {
                throw EvidenceError.key(path, "not a file with a key")
            }
            guard status.mode & 0o077 == 0 else {
                throw EvidenceError.key(
                    path,
                    "others can read it; make it mode 0600, and if they may have, rotate the key"
                )
            }
            bytes = try file.readFully(count: Int(status.size), at: 0)
        } catch let error as SystemCallError {
            if error.cause == .noSuchFileOrDirectory { return nil }
            throw .system(error)
        } catch let error as EvidenceError {
            throw error
        } catch {
            preconditionFailure("all errors are typed")
        }
        guard let signer = EvidenceSigner(pem: String(decoding: bytes, as: UTF8.self)) else {
            throw .key(path, "not an Ed25519 key in PEM (PKCS #8)")
        }
        return signer
    }
}
