public import LinuxIO
public import SystemPackage

/// Opens bundles as what they may be: the work of a stranger.
///
/// Nothing is ever written to a disk from a bundle, no name in it becomes a path, and what it costs
/// to read one is bounded by ``BundleLimits``.
public struct BundleReader: Sendable {
    private let calls: SystemCalls
    private let limits: BundleLimits

    public init(calls: SystemCalls = SystemCalls(), limits: BundleLimits = BundleLimits()) {
        self.calls = calls
        self.limits = limits
    }

    /// Opens the bundle in a file, which is followed if it is a link.
    ///
    /// - Throws: ``EvidenceError/system(_:)`` when it cannot be read, ``EvidenceError/refused(_:_:)``
    ///   when it is no bundle.
    public func open(_ path: FilePath) throws(EvidenceError) -> EvidenceBundle {
        let file: Result<[UInt8], BundleRefusal>
        do {
            file = try bytes(of: path)
        } catch {
            throw .system(error)
        }
        do {
            return try read(try file.get(), fileName: path.lastComponent?.string)
        } catch {
            throw .refused(path, error)
        }
    }

    private func bytes(
        of path: FilePath
    ) throws(SystemCallError) -> Result<[UInt8], BundleRefusal> {
        // Non-blocking, or a named pipe would hold us until somebody writes to it.
        let descriptor = try calls.open(path, [.read, .nonBlocking])
        let status = try descriptor.status()
        guard status.kind == .regular else { return .failure(BundleRefusal(.notAFile, found: "")) }
        guard status.size <= UInt64(limits.fileBytesMax) else {
            return .failure(BundleRefusal(.tooLarge, found: "\(status.size) bytes"))
        }
        return .success(try descriptor.readFully(count: Int(status.size), at: 0))
    }

    /// Reads the bytes of a bundle.
    ///
    /// - Parameter fileName: the name of its file, which ``EvidenceBundle/check()`` compares; nil for
    ///   a bundle that comes without one, as on standard input.
    public func read(
        _ file: [UInt8],
        fileName: String? = nil
    ) throws(BundleRefusal) -> EvidenceBundle {
        guard file.count <= limits.fileBytesMax else {
            throw BundleRefusal(.tooLarge, found: "\(file.count) bytes")
        }
        let tar = try content(ofZstdFrame: file, bytesMax: limits.archiveBytesMax)
        let members = try members(ofTar: tar, limits: limits).get()
        return try EvidenceBundle(members: members, fileName: fileName, limits: limits)
    }
}
