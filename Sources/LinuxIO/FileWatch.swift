import CLinux
import Glibc
public import SystemPackage

/// Tells when files and folders change: an inotify instance.
///
/// What it says is a hint to look, never the truth about a file: events come late, are merged and,
/// at an overflow, lost (inotify(7)).
public struct FileWatch: ~Copyable, Sendable {
    /// Names a watched inode.
    public struct ID: Hashable, Sendable {
        let rawValue: Int32
    }

    /// What to hear of.
    public struct Mask: OptionSet, Hashable, Sendable {
        public var rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        public static let modified = Mask(rawValue: UInt32(IN_MODIFY))
        public static let attributes = Mask(rawValue: UInt32(IN_ATTRIB))
        public static let closedAfterWriting = Mask(rawValue: UInt32(IN_CLOSE_WRITE))
        public static let movedSelf = Mask(rawValue: UInt32(IN_MOVE_SELF))
        public static let deletedSelf = Mask(rawValue: UInt32(IN_DELETE_SELF))
        public static let created = Mask(rawValue: UInt32(IN_CREATE))
        public static let movedFrom = Mask(rawValue: UInt32(IN_MOVED_FROM))
        public static let movedTo = Mask(rawValue: UInt32(IN_MOVED_TO))
        public static let deleted = Mask(rawValue: UInt32(IN_DELETE))
        /// Only in events: the watch is gone, because its inode is or because it was removed.
        public static let ignored = Mask(rawValue: UInt32(IN_IGNORED))
    }

    public enum Event: Hashable, Sendable {
        /// Events were lost: everything has to be looked at.
        case overflow
        /// `name` is what changed in a watched folder, empty for the watched inode itself.
        case changed(ID, Mask, name: [UInt8])
    }

    let descriptor: Descriptor
    private var buffer: [UInt8]

    public init(calls: SystemCalls = SystemCalls()) throws(SystemCallError) {
        let number = try calls.perform(.inotifyInit, nil) { _ in
            Int(inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK)))
        }
        descriptor = Descriptor(owning: CInt(number), calls: calls, path: nil)
        buffer = [UInt8](repeating: 0, count: 16_384)
    }

    /// Watches what `path` names now. The same inode gives the same ID; its mask is replaced.
    public func add(_ path: FilePath, _ mask: Mask) throws(SystemCallError) -> ID {
        let id = try descriptor.calls.perform(.inotifyAddWatch, path) { _ in
            unsafe path.withPlatformString { name in
                unsafe Int(inotify_add_watch(descriptor.number, name, mask.rawValue))
            }
        }
        return ID(rawValue: Int32(id))
    }

    /// Watches an open file, whatever its name is by now.
    ///
    /// It goes through `/proc/self/fd`, so it needs `/proc`.
    public func add(_ file: borrowing Descriptor, _ mask: Mask) throws(SystemCallError) -> ID {
        try add(FilePath("/proc/self/fd/\(file.number)"), mask)
    }

    /// Ends a watch. One that has ended by itself is no error.
    public func remove(_ id: ID) { _ = inotify_rm_watch(descriptor.number, id.rawValue) }

    /// Hands over the events that are there; never waits.
    public mutating func takeEvents(_ body: (Event) -> Void) throws(SystemCallError) {
        while true {
            let count: Int
            do {
                count = try descriptor.read(into: &buffer, 0..<buffer.count)
            } catch  where error.cause == .wouldBlock {
                return
            }
            Self.parse(buffer, count: count, body)
            if count == 0 { return }
        }
    }

    /// Takes `struct inotify_event` records apart: four 32-bit words (watch, mask, cookie, length
    /// of the name), then the name, filled up with NUL (inotify(7)).
    static func parse(_ bytes: [UInt8], count: Int, _ body: (Event) -> Void) {
        func word(at index: Int) -> UInt32 {
            // The kernel writes in the machine's own order.
            let value =
                UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8
                | UInt32(bytes[index + 2]) << 16 | UInt32(bytes[index + 3]) << 24
            return UInt32(littleEndian: value)
        }
        var index = 0
        while count - index >= 16 {
            let watch = Int32(bitPattern: word(at: index))
            let mask = word(at: index + 4)
            let nameCount = Int(word(at: index + 12))
            index += 16
            guard nameCount <= count - index else { return }
            let name = bytes[index..<(index + nameCount)].prefix { $0 != 0 }
            index += nameCount
            if mask & UInt32(IN_Q_OVERFLOW) != 0 {
                body(.overflow)
                continue
            }
            body(.changed(ID(rawValue: watch), Mask(rawValue: mask), name: Array(name)))
        }
    }
}
