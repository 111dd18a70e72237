import Glibc
import SystemPackage

/// The memory in which the program's own code lies.
public enum ProgramCode {
    private static let textBytesMax = 1 << 20

    /// Takes what was needed of it so far out of the process's memory: a start needs far more than
    /// what comes after it. What is needed again comes back from the page cache by itself.
    ///
    /// Only mappings that nobody may write to are left, so that nothing can be lost (madvise(2),
    /// `MADV_DONTNEED`). Without `/proc` all stays as it is.
    public static func release() {
        let calls = SystemCalls()
        guard let program = try? calls.linkTarget(of: "/proc/self/exe"),
            let file = try? calls.open("/proc/self/maps"),
            let maps = try? file.readFully(count: textBytesMax, at: 0)
        else { return }
        for range in ranges(ofCodeOf: program.string, in: String(decoding: maps, as: UTF8.self)) {
            guard let start = unsafe UnsafeMutableRawPointer(bitPattern: range.lowerBound) else {
                continue
            }
            _ = unsafe madvise(start, range.count, MADV_DONTNEED)
        }
    }

    /// Where the code of a file is mapped, by the text of proc_pid_maps(5):
    /// `START-END r-xp OFFSET DEVICE INODE PATH`.
    static func ranges(ofCodeOf path: String, in maps: String) -> [Range<UInt>] {
        maps.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6, fields[1] == "r-xp",
                fields[5].drop(while: { $0 == " " }) == path
            else { return nil }
            let ends = fields[0].split(separator: "-")
            guard ends.count == 2, let start = UInt(ends[0], radix: 16),
                let end = UInt(ends[1], radix: 16), start < end
            else { return nil }
            return start..<end
        }
    }
}
