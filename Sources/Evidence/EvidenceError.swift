public import LinuxIO
import SafeText
public import SystemPackage

/// A bundle could not be sealed, listed or opened.
public enum EvidenceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The world failed: a full disk, a missing right. The error names path, call and cause.
    case system(SystemCallError)
    /// The contents do not fit ``BundleLimits``; nothing was written.
    case tooLarge(member: String, byteCount: Int, bytesMax: Int)
    /// The key that signs cannot be used.
    case key(FilePath, String)
    /// The cryptographic library refused to sign.
    case signing(String)
    /// The file is no bundle that can be looked into.
    case refused(FilePath, BundleRefusal)

    /// One line for the operator, safe to show.
    public var description: String {
        switch self {
        case .system(let error):
            shown(error.description)
        case .tooLarge(let member, let byteCount, let bytesMax):
            "\(member) has \(byteCount) bytes; at most \(bytesMax) can be sealed"
        case .key(let path, let what):
            "\(shown(path.string)): \(what)"
        case .signing(let what):
            "the bundle cannot be signed: \(shown(what))"
        case .refused(let path, let refusal):
            "\(shown(path.string)): \(refusal)"
        }
    }
}

/// Why bytes that were given as a bundle are refused: they are hostile, damaged or something else.
public struct BundleRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable, CaseIterable {
        /// A folder, device, pipe or socket.
        case notAFile
        /// The first bytes are not those of a zstd frame (RFC 8878).
        case notZstd
        /// The zstd frame or the archive ends before its end.
        case truncated
        /// The zstd frame or the archive contradicts itself.
        case damaged
        /// Something follows the end of the zstd frame or of the archive.
        case trailingBytes
        /// Reading it takes more memory than ``BundleLimits`` allows.
        case windowTooLarge
        /// File, archive or member are larger than ``BundleLimits`` allows.
        case tooLarge
        /// A member's name is not one of ``BundleMember``.
        case unknownMember
        /// A member is a link, a folder, a device or sparse: not just a file.
        case notAPlainMember
        /// Two members have one name.
        case duplicateMember
        /// There is no `MANIFEST.json`.
        case manifestMissing
        /// `MANIFEST.json` is not what Postern writes.
        case manifestUnreadable
        /// `MANIFEST.json` is of a version that this program does not know.
        case versionUnknown
    }

    public var code: Code
    /// The member that it is about, safe to show.
    public var member: String?
    /// What was found, safe to show.
    public var found: String

    init(_ code: Code, member: String? = nil, found: String) {
        self.code = code
        self.member = member.map(excerpt)
        self.found = excerpt(found)
    }

    public var description: String {
        let about = member.map { "\($0): " } ?? ""
        return about + Self.sentence(code) + (found.isEmpty ? "" : " (\(found))")
    }

    private static func sentence(_ code: Code) -> String {
        switch code {
        case .notAFile: "not a regular file"
        case .notZstd: "not a zstd frame"
        case .truncated: "ends too early"
        case .damaged: "damaged"
        case .trailingBytes: "more bytes after the end"
        case .windowTooLarge: "needs too much memory to read"
        case .tooLarge: "too large"
        case .unknownMember: "not a member of an evidence bundle"
        case .notAPlainMember: "not a plain file"
        case .duplicateMember: "there twice"
        case .manifestMissing: "no MANIFEST.json"
        case .manifestUnreadable: "not a manifest"
        case .versionUnknown: "a manifest of an unknown version"
        }
    }
}

/// A place where an opened bundle does not hold.
public struct Mismatch: Sendable, Hashable, CustomStringConvertible {
    /// The member, or the file itself where it is about its name.
    public var member: String
    public var expected: String
    public var found: String

    /// The texts may come from the bundle; they are made safe to show here.
    init(_ member: String, expected: String, found: String) {
        self.member = excerpt(member)
        self.expected = excerpt(expected)
        self.found = excerpt(found)
    }

    public var description: String { "\(member): expected \(expected), found \(found)" }
}

/// Text of a stranger, safe to show, and not more than a line of it.
private func excerpt(_ text: String) -> String {
    let charactersMax = 200
    let start = text.unicodeScalars.prefix(charactersMax)
    let isCut = start.endIndex != text.unicodeScalars.endIndex
    return shown(String(start)) + (isCut ? "…" : "")
}
