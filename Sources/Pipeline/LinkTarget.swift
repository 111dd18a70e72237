import Glibc

/// Where a symbolic link points; nil if it is none. Longer than 4,095 bytes counts as none.
func linkTarget(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4_096)
    // readlink(2) writes at most the count that it is given, without a NUL.
    let count = unsafe readlink(path, &buffer, buffer.count)
    guard count > 0, count < buffer.count else { return nil }
    return String(decoding: buffer[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
