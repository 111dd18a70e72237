public import Findings
public import LinuxIO
public import SystemPackage

/// A bundle in the folder, without having been opened.
public struct StoredBundle: Sendable, Hashable {
    public var name: BundleName
    /// Bytes of the file.
    public var byteCount: UInt64
}

/// The folder of sealed bundles.
///
/// One process seals at a time: in the daemon the engine, under the lock of the state folder.
public struct BundleStore: Sendable {
    public let folder: FilePath
    private let calls: SystemCalls
    private let limits: BundleLimits

    /// Nothing happens to the folder before the first seal, which makes it if it is missing.
    public init(
        folder: FilePath,
        calls: SystemCalls = SystemCalls(),
        limits: BundleLimits = BundleLimits()
    ) {
        self.folder = folder
        self.calls = calls
        self.limits = limits
    }

    /// Where the bundle of that name is or would be.
    public func path(of name: BundleName) -> FilePath { folder.appending(name.description) }

    /// Seals a bundle: when this returns, it is on the disk, whole, under its name.
    ///
    /// The same contents again, as after a crash between sealing and commit, change nothing; a bundle
    /// of the name with other bytes is replaced. A crash at whatever moment leaves the old file or
    /// the new one, and perhaps one with `.new` after its name, which the next seal of it overwrites.
    ///
    /// Costs two syncs of the disk besides hashing and compressing.
    ///
    /// - Parameters:
    ///   - host: the name of this machine.
    ///   - posternVersion: the version of this program.
    ///   - previous: digest of the link before it in the chain; nil when there is none.
    ///   - signer: signs the manifest; nil: nobody does.
    public func seal(
        _ contents: BundleContents,
        host: String,
        posternVersion: String,
        previous: String?,
        signer: EvidenceSigner? = nil
    ) throws(EvidenceError) -> SealedEvidence {
        try sealCounting(
            contents,
            host: host,
            posternVersion: posternVersion,
            previous: previous,
            signer: signer
        ).evidence
    }

    /// The same; also gives the bytes of the file.
    public func sealCounting(
        _ contents: BundleContents,
        host: String,
        posternVersion: String,
        previous: String?,
        signer: EvidenceSigner?
    ) throws(EvidenceError) -> (evidence: SealedEvidence, byteCount: Int64) {
        let (file, digest) = try contents.sealed(
            host: host,
            posternVersion: posternVersion,
            previous: previous,
            signer: signer,
            limits: limits
        )
        do {
            try makeFolderDurably(folder)
            try store(file, at: path(of: contents.name))
        } catch {
            throw .system(error)
        }
        let evidence = SealedEvidence(
            bundle: contents.name.description,
            digest: digest,
            chain: previous,
            key: signer?.publicKey.fingerprint
        )
        return (evidence, Int64(file.count))
    }

    private func store(_ file: [UInt8], at path: FilePath) throws(SystemCallError) {
        if try holds(file, at: path) {
            // It was renamed by an earlier seal, which may have ended before the folder was synced.
            try calls.syncFolder(folder)
        } else {
            try calls.replaceDurably(path, with: file, mode: 0o600)
        }
    }

    /// Whether there is a regular file with just these bytes, synced.
    private func holds(_ file: [UInt8], at path: FilePath) throws(SystemCallError) -> Bool {
        do {
            let descriptor = try calls.open(path, [.read, .nonBlocking, .noFollow])
            let status = try descriptor.status()
            guard status.kind == .regular, status.size == UInt64(file.count),
                try descriptor.readFully(count: file.count, at: 0) == file
            else { return false }
            try descriptor.sync()
            return true
        } catch {
            // ELOOP: a link (open(2), O_NOFOLLOW). Whatever it is, it gets replaced.
            switch error.cause {
            case .noSuchFileOrDirectory, .tooManySymbolicLinkLevels: return false
            default: throw error
            }
        }
    }

    /// Makes the folder and those above it that are missing, 0700, so that a power cut does not take
    /// them away again.
    private func makeFolderDurably(_ folder: FilePath) throws(SystemCallError) {
        let parent = folder.removingLastComponent()
        do {
            guard try calls.makeFolder(folder, mode: 0o700) else { return }
        } catch  where error.cause == .noSuchFileOrDirectory {
            guard parent != folder, !parent.isEmpty else { throw error }
            try makeFolderDurably(parent)
            try calls.makeFolder(folder, mode: 0o700)
        }
        try calls.syncFolder(parent)
    }

    /// Removes a bundle, if it is there.
    public func remove(_ name: BundleName) throws(EvidenceError) {
        do {
            try calls.remove(path(of: name))
        } catch  where error.cause == .noSuchFileOrDirectory {
            return
        } catch {
            throw .system(error)
        }
    }

    /// The bundles in the folder, by alert and sequence; whatever else lies there is passed over,
    /// as are links. A folder that is not there holds none.
    public func list() throws(EvidenceError) -> [StoredBundle] {
        var bundles: [StoredBundle] = []
        do {
            for component in try calls.names(inFolder: folder) {
                guard let name = BundleName(component.string),
                    let status = try status(of: folder.appending(component)),
                    status.kind == .regular
                else { continue }
                bundles.append(StoredBundle(name: name, byteCount: status.size))
            }
        } catch {
            guard error.cause == .noSuchFileOrDirectory else { throw .system(error) }
            return []
        }
        return bundles.sorted { $0.name < $1.name }
    }

    /// Nil when the file went away since its name was read.
    private func status(of path: FilePath) throws(SystemCallError) -> FileStatus? {
        do {
            return try calls.status(of: path, followingLinks: false)
        } catch  where error.cause == .noSuchFileOrDirectory {
            return nil
        }
    }
}
