import Glibc

/// The tz database as files, one a zone: the only file system access of this room.
struct ZoneFolder {
    let path: String

    /// Whether `name` is a zone of it, as in `Europe/Berlin`: a file that begins with `TZif`
    /// (RFC 8536 §3.1). Names that could leave the folder are none.
    func has(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard name.utf8.count <= 255, parts.allSatisfy(Self.isPart) else { return false }
        let file = unsafe open(path + "/" + name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard file >= 0 else { return false }
        defer { _ = close(file) }
        var magic = [UInt8](repeating: 0, count: 4)
        // SAFETY: `magic` has the four bytes that the kernel may write.
        let count = unsafe read(file, &magic, 4)
        return count == 4 && magic == Array("TZif".utf8)
    }

    /// Letters, digits, `+`, `-` and `_`, as the tz database allows in a file name (its Theory
    /// file, "Timezone identifiers").
    private static func isPart(_ part: Substring) -> Bool {
        !part.isEmpty
            && part.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
                    UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
