import ArgumentParser
import Glibc
import State
import SystemPackage

/// What a commit of the state costs: about once a second while lines come, and at once when an alert
/// changed.
struct CheckpointBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract: "Times commits of the state, durable and not.",
        discussion: """
            Each commit changes pieces of the state (open messages, accounts, windows), a cursor and \
            nothing else. The default is about what changes in a second at 12,000 lines a second.

            EXAMPLE
              PosternBench checkpoint --pieces 2000 --bytes 500 /var/tmp
            """
    )

    @Option(help: "Pieces that a commit changes.")
    var pieces = 2_000

    @Option(help: "Bytes of a piece.")
    var bytes = 500

    @Option(help: "Pieces that the state holds.")
    var stored = 200_000

    @Option(help: "Commits of each kind.")
    var commits = 50

    @OptionGroup var report: ReportOptions

    @Argument(help: "Folder on the disk to measure; a folder is made in it and removed.")
    var folder: String

    func validate() throws {
        guard pieces > 0, bytes > 0, commits > 0, stored >= pieces, stored <= 10_000_000 else {
            throw ValidationError("counts start at 1, and --stored is at least --pieces")
        }
    }

    func run() throws {
        let path = FilePath(folder).appending("postern-checkpoint-\(getpid())")
        defer { remove(path) }
        let store = try StateStore(folder: path, create: .init(nowMicroseconds: 0, host: "bench"))
        var random: UInt64 = 1
        for start in stride(from: 0, to: stored, by: 50_000) {
            var changes = Changes()
            for key in start..<min(stored, start + 50_000) { set(key, &random, &changes) }
            try store.commit(changes, durable: false)
        }
        var result = BenchReport("checkpoint")
        result.input("pieces of a commit", "\(pieces) of \(bytes) bytes")
        result.input("stored", stored)
        result.input("commits", commits)
        for isDurable in [false, true] {
            var milliseconds: [Double] = []
            for _ in 0..<commits {
                var changes = Changes()
                for _ in 0..<pieces { set(Int(next(&random) % UInt64(stored)), &random, &changes) }
                changes.setCursor("log", body: Array("\(random)".utf8).span)
                let begin = now()
                try store.commit(changes, durable: isDurable)
                milliseconds.append((now() - begin) * 1e3)
            }
            result.add(isDurable ? "durable commit" : "commit", "ms", milliseconds)
        }
        report.print(result)
    }

    private func set(_ key: Int, _ random: inout UInt64, _ changes: inout Changes) {
        let name = (0..<8).map { UInt8(truncatingIfNeeded: key >> (56 - 8 * $0)) }
        let body = (0..<bytes).map { _ in UInt8(truncatingIfNeeded: next(&random)) }
        changes.setPiece(PieceKind(rawValue: 1), key: name.span, body: body.span)
    }

    private func next(_ random: inout UInt64) -> UInt64 {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return random >> 33
    }

    private func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func remove(_ path: FilePath) {
        for name in ["lock", "postern.sqlite", "postern.sqlite-wal", "postern.sqlite-shm"] {
            unsafe unlink(path.appending(name).string)
        }
        unsafe rmdir(path.string)
    }
}
