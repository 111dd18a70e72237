import Glibc
import SystemPackage
import Testing

@testable import State

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for a seed on every machine.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: some BinaryInteger) { state = UInt64(truncatingIfNeeded: seed) }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }
}

/// A folder of its own for one test, gone with it.
final class Scratch {
    let path: FilePath

    init() throws {
        // In memory where that can be had: what is tried here is order, not the disk.
        let parent = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/postern-state-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = FilePath(String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self))
    }

    deinit { remove(path) }

    func folder(_ name: String = "state") -> FilePath { path.appending(name) }
}

/// Removes a folder of files and folders.
func remove(_ folder: FilePath) {
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

func contents(_ file: FilePath) throws -> [UInt8] {
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

/// The database and its log as a killed process leaves them: what was written, nothing closed.
///
/// Not the `-shm` file: it is rebuilt after a crash (<https://www.sqlite.org/wal.html>).
func copyAsKilled(_ folder: FilePath, to copy: FilePath) throws {
    _ = unsafe mkdir(copy.string, 0o700)
    for name in ["postern.sqlite", "postern.sqlite-wal"] {
        guard unsafe access(folder.appending(name).string, F_OK) == 0 else { continue }
        try write(contents(folder.appending(name)), to: copy.appending(name))
    }
}

func mode(_ path: FilePath) -> mode_t {
    var status = stat()
    guard unsafe stat(path.string, &status) == 0 else { return 0 }
    return status.st_mode & 0o7777
}

let creation = StateStore.Creation(nowMicroseconds: 1_750_000_000_000_000, host: "mx.example")

func open(_ folder: FilePath, limits: StateLimits = StateLimits()) throws(StateError) -> StateStore
{
    try StateStore(folder: folder, create: creation, limits: limits)
}

/// The error that `body` throws; nothing if it throws none.
func stateError(_ body: () throws(StateError) -> Void) -> StateError? {
    do {
        try body()
        return nil
    } catch {
        return error
    }
}

extension Changes {
    mutating func setPiece(_ kind: UInt16, _ key: [UInt8], _ body: [UInt8]) {
        setPiece(PieceKind(rawValue: kind), key: key.span, body: body.span)
    }

    mutating func setPiece(_ kind: UInt16, _ key: String, _ body: String) {
        setPiece(kind, Array(key.utf8), Array(body.utf8))
    }

    /// A dispatch whose body says what it is.
    mutating func addDispatch(
        _ alert: String,
        _ sequence: Int64,
        to sink: String = "syslog",
        severity: Int = 47,
        isNotice: Bool = false,
        due: Int64 = 0
    ) {
        addDispatch(
            NewDispatch(
                alert: alert,
                sequence: sequence,
                sink: sink,
                severity: severity,
                isNotice: isNotice,
                body: Array("\(alert).\(sequence)".utf8),
                createdMicroseconds: 1,
                dueMicroseconds: due
            )
        )
    }
}

extension StateReader {
    func pieces(_ kind: UInt16) throws(StateError) -> [[UInt8]: [UInt8]] {
        var pieces: [[UInt8]: [UInt8]] = [:]
        try forEachPiece(PieceKind(rawValue: kind)) { key, body in
            pieces[key.copied] = body.copied
            return true
        }
        return pieces
    }

    /// One piece as text.
    func piece(_ kind: UInt16, _ key: String) throws(StateError) -> String? {
        let key = Array(key.utf8)
        let body = try piece(PieceKind(rawValue: kind), key: key.span)
        return body.map { String(decoding: $0, as: UTF8.self) }
    }
}
