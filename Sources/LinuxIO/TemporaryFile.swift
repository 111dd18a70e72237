public import SystemPackage

/// A file without a name, gone when this value ends, however the program ends. It can be opened by
/// its ``path`` as often as is wanted.
public struct TemporaryFile: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// - Parameter folder: where its bytes lie.
    public init(
        in folder: FilePath,
        calls: SystemCalls = SystemCalls()
    ) throws(SystemCallError) {
        let name = "postern-" + String(UInt64.random(in: .min ... .max), radix: 36)
        let path = folder.appending(name)
        let opened = try calls.open(path, [.readWrite, .create, .exclusive])
        try calls.remove(path)
        descriptor = opened
    }

    /// Where it can be opened as long as this value lives (proc(5), `/proc/self/fd`).
    public var path: FilePath { FilePath("/proc/self/fd/\(descriptor.number)") }

    /// Copies what a descriptor has, from its position to its end.
    public mutating func append(
        contentsOf stream: borrowing Descriptor
    ) throws(SystemCallError) {
        var buffer = [UInt8](repeating: 0, count: 131_072)
        while true {
            let count = try stream.read(into: &buffer, 0..<buffer.count)
            if count == 0 { return }
            try descriptor.writeAll(buffer[..<count])
        }
    }
}
