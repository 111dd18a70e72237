import Findings
import Glibc
import Records
import SystemPackage
import TestSupport
import Testing

@testable import Evidence

/// A folder of its own for one test, gone with it.
final class Scratch {
    let path: FilePath

    init() throws {
        var template = Array("/tmp/postern-evidence-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = FilePath(String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self))
    }

    deinit { remove(path) }

    /// A folder that is not there yet.
    var folder: FilePath { path.appending("evidence") }
}

private func remove(_ folder: FilePath) {
    for name in names(in: folder) {
        let path = folder.appending(name)
        if unsafe unlink(path.string) != 0 { remove(path) }
    }
    _ = unsafe rmdir(folder.string)
}

func names(in folder: FilePath) -> [String] {
    guard let stream = unsafe opendir(folder.string) else { return [] }
    defer { _ = unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { start in
            unsafe start.withMemoryRebound(to: CChar.self, capacity: 256) {
                unsafe String(cString: $0)
            }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

func contents(of file: FilePath) throws -> [UInt8] {
    let descriptor = try FileDescriptor.open(file, .readOnly)
    defer { try? descriptor.close() }
    let count = Int(try descriptor.seek(offset: 0, from: .end))
    var bytes = [UInt8](repeating: 0, count: count)
    let read = try unsafe bytes.withUnsafeMutableBytes {
        try unsafe descriptor.read(fromAbsoluteOffset: 0, into: $0)
    }
    #expect(read == count)
    return bytes
}

func write(_ bytes: [UInt8], to file: FilePath) throws {
    let descriptor = try FileDescriptor.open(
        file,
        .writeOnly,
        options: [.create, .truncate],
        permissions: .ownerReadWrite
    )
    defer { try? descriptor.close() }
    _ = try descriptor.writeAll(bytes)
}

func mode(_ path: FilePath) -> mode_t {
    var status = stat()
    guard unsafe lstat(path.string, &status) == 0 else { return 0 }
    return status.st_mode & 0o7777
}

func changeMode(_ path: FilePath, _ mode: mode_t) { _ = unsafe chmod(path.string, mode) }

/// Runs a program to its end; nil if there is none of that name.
func run(_ program: String, _ arguments: [String]) -> CInt? {
    guard unsafe access(program, X_OK) == 0 else { return nil }
    var words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    var child: pid_t = 0
    guard unsafe posix_spawn(&child, program, nil, nil, &words, environ) == 0 else { return nil }
    var status: CInt = 0
    guard unsafe waitpid(child, &status, 0) == child else { return nil }
    return status
}

/// An alert as detection gives it, opened at 2026-03-01 10:00:00.25 UTC.
func alert(sequence: Int = 0, microseconds: Int64 = 1_772_359_200_250_000) -> Alert {
    var alert = Alert(
        id: AlertID(
            rule: "6f1e1a5e-0000-4000-8000-000000000001",
            group: [Array("anna@example.org".utf8)],
            earliestMicroseconds: 1_772_359_200_000_000
        ),
        sequence: sequence,
        action: sequence == 0 ? .opened : .resolved,
        microseconds: microseconds,
        severity: .high,
        ruleID: "6f1e1a5e-0000-4000-8000-000000000001",
        ruleName: "postern_receipts"
    )
    alert.accounts = ["anna@example.org"]
    alert.message = "Tricked Outlook: anna@example.org answered 7 strangers."
    alert.evidence = SealedEvidence(bundle: "b", digest: "d", chain: nil)
    return alert
}

func line(
    _ sequence: UInt64,
    _ bytes: [UInt8],
    path: String = "/var/log/mail.log",
    isShortened: Bool = false
) -> EvidenceLine {
    EvidenceLine(
        sequence: sequence,
        source: "maillog",
        path: path,
        identity: FileIdentity(
            device: 2_049,
            inode: 9_007_199_254_740_993,  // 2^53 + 1: no Double holds it
            headDigest: 0x00ab_cdef_0123_4567,
            headByteCount: 1_024
        ),
        offset: sequence * 100,
        bytes: bytes,
        isShortened: isShortened
    )
}

func line(_ sequence: UInt64, _ text: String) -> EvidenceLine { line(sequence, Array(text.utf8)) }

let smallLines = [
    line(1, "Mar  1 10:00:00 mx postfix/smtpd[9]: 4WxYz1: client=c.example[192.0.2.9]"),
    line(2, [0x41, 0x5c, 0x0a, 0x00, 0xff, 0xc3, 0xa9, 0x7f]),
]

func contents(
    _ alert: Alert = alert(),
    lines: [EvidenceLine] = smallLines,
    state: String = "{}"
) -> BundleContents {
    BundleContents(
        alert: alert,
        lines: lines,
        events: [Array(#"{"user.name":"anna@example.org"}"#.utf8)],
        rule: Array("title: Receipts\n".utf8),
        settings: Array("{}".utf8),
        state: Array(state.utf8)
    )
}

extension BundleContents {
    func sealed(
        previous: String? = nil,
        limits: BundleLimits = BundleLimits()
    ) throws -> [UInt8] {
        try sealed(
            host: "mx.example",
            posternVersion: "1.0.0",
            previous: previous,
            limits: limits
        ).file
    }
}

/// Why bytes are refused as a bundle; nil if they are not.
func refusal(_ file: [UInt8], limits: BundleLimits = BundleLimits()) -> BundleRefusal.Code? {
    do {
        _ = try BundleReader(limits: limits).read(file)
        return nil
    } catch {
        return error.code
    }
}

/// A tar archive made by hand, as a stranger would: any name, any type, any size.
struct HandmadeTar {
    private(set) var bytes: [UInt8] = []

    /// - Parameter size: what the header says; nil: the truth.
    mutating func add(
        _ name: String,
        _ content: [UInt8] = [],
        type: Character = "0",
        link: String = "",
        size: UInt64? = nil
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
        }
        put(name, at: 0)
        put("0000644\0", at: 100)
        put("0000000\0", at: 108)
        put("0000000\0", at: 116)
        let size = size ?? UInt64(content.count)
        if size < 0o777_7777_7777 {
            put(octal(size, 11) + "\0", at: 124)
        } else {
            // GNU's base-256 for what eleven octal digits do not hold.
            header[124] = 0x80
            for index in 0..<8 {
                header[128 + index] = UInt8(truncatingIfNeeded: size >> (56 - 8 * index))
            }
        }
        put("00000000000\0", at: 136)
        put("        ", at: 148)
        put(String(type), at: 156)
        put(link, at: 157)
        put("ustar\u{0}00", at: 257)
        put(octal(header.reduce(0) { $0 + UInt64($1) }, 6) + "\0 ", at: 148)
        bytes += header + content
        bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    mutating func add(_ members: [(String, [UInt8])]) {
        for (name, bytes) in members { add(name, bytes) }
    }

    /// The archive with its end mark, in one zstd frame.
    func packed(endBlocks: Int = 2) -> [UInt8] {
        zstdFrame(of: bytes + [UInt8](repeating: 0, count: 512 * endBlocks))
    }

    private func octal(_ value: UInt64, _ width: Int) -> String {
        let digits = String(value, radix: 8)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

/// The members of a bundle by name, to be changed and packed again.
func memberBytes(_ contents: BundleContents = contents()) throws -> [(String, [UInt8])] {
    let bundle = try BundleReader().read(contents.sealed())
    return (BundleMember.listed + [.manifest]).map { ($0.rawValue, bundle[$0] ?? []) }
}

func packed(_ members: [(String, [UInt8])]) -> [UInt8] {
    var tar = HandmadeTar()
    tar.add(members)
    return tar.packed()
}

/// Where the bytes of `part` first come in `text`.
func range(of part: String, in text: String) -> Range<String.Index>? {
    let bytes = Array(text.utf8)
    let wanted = Array(part.utf8)
    guard bytes.count >= wanted.count else { return nil }
    for start in 0...(bytes.count - wanted.count)
    where bytes[start..<(start + wanted.count)].elementsEqual(wanted) {
        let lower = text.utf8.index(text.utf8.startIndex, offsetBy: start)
        return lower..<text.utf8.index(lower, offsetBy: wanted.count)
    }
    return nil
}

/// `text` with the first `part` of it replaced.
func replacing(_ part: String, _ other: String, in text: String) -> String {
    guard let range = range(of: part, in: text) else { return text }
    return String(text[..<range.lowerBound]) + other + String(text[range.upperBound...])
}
