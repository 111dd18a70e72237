import Glibc
import SystemPackage
import Testing

@testable import State

/// Commits that the world refuses.
@Suite struct FullDiskTests {
    private static func changes(_ text: String, pieces: Int = 2_000) -> Changes {
        var changes = Changes()
        let body = text + String(repeating: ".", count: 100)
        for index in 0..<pieces { changes.setPiece(1, "key \(index)", body) }
        changes.addDispatch("a", text == "first" ? 0 : 1)
        return changes
    }

    @Test func aFullDiskLosesNothingAndTheSameChangesGoInLater() throws {
        let scratch = try Scratch()
        let store = try open(scratch.folder())
        try store.commit(Self.changes("first", pieces: 10), durable: true)
        let before = try Model(reading: store)
        try store.limitPages(20)
        let changes = Self.changes("second")
        for _ in 0..<3 {
            let error = stateError { () throws(StateError) in
                _ = try store.commit(changes, durable: true)
            }
            #expect(error?.code == .full)
            #expect(try Model(reading: store) == before)
            #expect(store.outbox == before.totals)
        }
        // What fits still goes in.
        var small = Changes()
        small.setPiece(1, "key 0", "small")
        try store.commit(small, durable: false)
        #expect(try store.piece(1, "key 0") == "small")

        try store.limitPages(1_000_000)
        let report = try store.commit(changes, durable: true)
        #expect(report.dispatchesAdded == 1)
        #expect(try store.pieces(1).count == 2_000)
        #expect(try store.findings(limit: 1) == [])
    }

    /// The kernel refuses to let a file grow over RLIMIT_FSIZE; SQLite calls that an I/O error.
    @Test func aFailingWriteLosesNothingAndTheSameChangesGoInLater() async throws {
        let scratch = try Scratch()
        let path = scratch.folder().string
        await #expect(processExitsWith: .success) { [path = path as String] in
            signal(SIGXFSZ, SIG_IGN)
            let store = try open(FilePath(path))
            try store.commit(Self.changes("first", pieces: 10), durable: true)
            let before = try Model(reading: store)
            var limit = rlimit()
            _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let all = limit.rlim_cur
            limit.rlim_cur = 200_000
            #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let changes = Self.changes("second")
            for _ in 0..<3 {
                let error = stateError { () throws(StateError) in
                    _ = try store.commit(changes, durable: true)
                }
                guard error?.code == .io else { exit(2) }
                guard try Model(reading: store) == before else { exit(3) }
            }
            limit.rlim_cur = all
            #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            try store.commit(changes, durable: true)
            guard try store.pieces(1).count == 2_000 else { exit(4) }
            exit(0)
        }
        let store = try open(FilePath(path))
        #expect(try store.pieces(1).count == 2_000)
        #expect(try store.findings(limit: 1) == [])
    }

    @Test func aLongLogIsMovedIntoTheFile() throws {
        let scratch = try Scratch()
        let store = try open(scratch.folder())
        for round in 0..<40 {
            try store.commit(Self.changes("\(round)"), durable: false)
        }
        // 4 MiB and a commit; without checkpoints it were over 10.
        let log = try contents(scratch.folder().appending("postern.sqlite-wal"))
        #expect(log.count < 6 << 20)
        #expect(store.checkpointsFailed == 0)
    }
}
