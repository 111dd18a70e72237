import GRDB
import Glibc
import SystemPackage
import Testing

@testable import State

/// Making, finding and refusing a state folder.
@Suite struct OpeningTests {
    @Test func aNewFolderIsPrivateAndKeepsItsOrigin() throws {
        let scratch = try Scratch()
        let folder = scratch.folder("a").appending("b").appending("state")
        var store: StateStore? = try open(folder)
        let origin = try #require(store).origin
        #expect(origin.hashSeed.count == 16)
        #expect(origin.createdMicroseconds == 1_750_000_000_000_000)
        #expect(origin.host == "mx.example")
        #expect(mode(folder) == 0o700)
        for name in ["postern.sqlite", "postern.sqlite-wal", "postern.sqlite-shm", "lock"] {
            #expect(mode(folder.appending(name)) == 0o600, "\(name)")
        }
        store = nil
        store = try open(folder)
        #expect(store?.origin == origin)
        let other = try open(scratch.folder("other"))
        #expect(other.origin.hashSeed != origin.hashSeed)
    }

    @Test func aFolderOfOursIsClosedToOthersAndOneOfOthersIsLeftAlone() throws {
        let scratch = try Scratch()
        let empty = scratch.folder("empty")
        #expect(unsafe mkdir(empty.string, 0o755) == 0)
        _ = try open(empty)
        #expect(mode(empty) == 0o700)

        // Open to all and in use, as /tmp is.
        let busy = scratch.folder("busy")
        #expect(unsafe mkdir(busy.string, 0o700) == 0)
        #expect(unsafe chmod(busy.string, 0o777) == 0)
        try write([], to: busy.appending("of-others"))
        let error = stateError { () throws(StateError) in _ = try open(busy) }
        #expect(error?.code == .unsafeFolder)
        #expect(mode(busy) == 0o777)
        #expect(names(in: busy) == ["of-others"])
    }

    @Test func aMissingStateIsNotMadeUnlessAskedFor() throws {
        let scratch = try Scratch()
        let folder = scratch.folder()
        for make in [false, true] {
            if make { #expect(unsafe mkdir(folder.string, 0o755) == 0) }
            let error = stateError { () throws(StateError) in
                _ = try StateStore(folder: folder, create: nil)
            }
            #expect(error?.code == .missing)
            let reading = stateError { () throws(StateError) in
                _ = try StateReader(folder: folder)
            }
            #expect(reading?.code == .missing)
            #expect(names(in: folder) == [])
        }
        // Killed between the making of the file and its first transaction.
        try write([], to: folder.appending("postern.sqlite"))
        let reading = stateError { () throws(StateError) in _ = try StateReader(folder: folder) }
        #expect(reading?.code == .missing)
        _ = try open(folder)
    }

    @Test func cursorsMakeTheFirstStartOverAndLearningDoesNot() throws {
        let scratch = try Scratch()
        var store: StateStore? = try open(scratch.folder())
        var changes = Changes()
        changes.setPiece(1, "account", "pairs")
        changes.removeCursor("journal")
        try #require(store).commit(changes, durable: true)
        #expect(try #require(store).cursorsWerePlaced() == false)

        changes.removeAll()
        changes.setCursor("journal", body: [UInt8]("s=1".utf8).span)
        try #require(store).commit(changes, durable: true)
        #expect(try #require(store).cursorsWerePlaced())

        store = nil
        let reader = try StateReader(folder: scratch.folder())
        #expect(try reader.cursorsWerePlaced())
        let cursors = try reader.cursors()
        #expect(cursors.map(\.source) == ["journal"])
        #expect(cursors.map(\.body) == [Array("s=1".utf8)])
    }

    // MARK: The lock

    @Test func aSecondDaemonIsRefusedAndToldWho() async throws {
        let scratch = try Scratch()
        let store = try open(scratch.folder())
        let holder = getpid()
        let here = stateError { () throws(StateError) in _ = try open(scratch.folder()) }
        #expect(here?.code == .locked(byPID: holder))
        #expect("\(try #require(here))".contains("stop process \(holder)"))

        let path = scratch.folder().string
        await #expect(processExitsWith: .success) {
            [path = path as String, holder = holder as Int32] in
            let error = stateError { () throws(StateError) in _ = try open(FilePath(path)) }
            exit(error?.code == .locked(byPID: holder) ? 0 : 1)
        }
        // Reading needs no lock.
        await #expect(processExitsWith: .success) { [path = path as String] in
            let reader = try StateReader(folder: FilePath(path))
            exit(reader.origin.host == "mx.example" ? 0 : 1)
        }
        withExtendedLifetime(store) {}
    }

    @Test func aLockFileWithoutAProcessIDIsStillALock() throws {
        let scratch = try Scratch()
        let store = try open(scratch.folder())
        try write(Array("what?".utf8), to: scratch.folder().appending("lock"))
        let error = stateError { () throws(StateError) in _ = try open(scratch.folder()) }
        #expect(error?.code == .locked(byPID: nil))
        withExtendedLifetime(store) {}
    }

    /// Goal: a killed daemon leaves no lock, and a state that is a commit of its own: the last one
    /// it knew of, or the one it was at. Method: a process commits until a thread of it kills it.
    @Test(arguments: [1_000, 3_000, 7_000, 20_000])
    func aKilledDaemonLeavesAWholeCommitAndNoLock(microseconds: Int) async throws {
        let scratch = try Scratch()
        let path = scratch.folder().string
        let known = scratch.folder("known").string
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = path as String, known = known as String, microseconds] in
            let store = try open(FilePath(path))
            let descriptor = unsafe Glibc.open(known, O_CREAT | O_WRONLY, 0o600)
            var thread = pthread_t()
            let argument = unsafe UnsafeMutableRawPointer(bitPattern: microseconds)
            _ = unsafe pthread_create(
                &thread,
                nil,
                { argument in
                    usleep(UInt32(UInt(bitPattern: argument)))
                    kill(getpid(), SIGKILL)
                    return nil
                },
                argument
            )
            var changes = Changes()
            for number in 1... {
                changes.removeAll()
                let text = "\(number)"
                for piece in 0..<20 { changes.setPiece(1, "\(piece)", text) }
                try store.commit(changes, durable: number % 3 == 0)
                let line = text.count < 8 ? text + "\n" : text
                _ = unsafe pwrite(descriptor, line, line.utf8.count, 0)
            }
        }
        let store = try open(FilePath(path))
        let bodies = Set(try store.pieces(1).values)
        #expect(bodies.count <= 1)
        let stored = bodies.first.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
        let text = unsafe access(known, F_OK) == 0 ? try contents(FilePath(known)) : []
        let committed = Int(String(decoding: text.prefix { $0 != 0x0a }, as: UTF8.self)) ?? 0
        #expect(committed...(committed + 1) ~= stored)
    }

    // MARK: Whose file it is

    @Test func theFileOfAnotherProgramIsRefusedAndUntouched() throws {
        let scratch = try Scratch()
        let folder = scratch.folder()
        #expect(unsafe mkdir(folder.string, 0o700) == 0)
        let file = folder.appending("postern.sqlite")
        for owner in [0, 1, -1] {
            _ = unsafe unlink(file.string)
            let queue = try DatabaseQueue(path: file.string)
            try queue.writeWithoutTransaction { connection in
                try connection.execute(
                    sql: "PRAGMA application_id = \(owner); CREATE TABLE mail (body TEXT)"
                )
            }
            try queue.close()
            let before = try contents(file)
            let error = stateError { () throws(StateError) in _ = try open(folder) }
            #expect(error?.code == .foreign)
            #expect(try contents(file) == before)
        }
    }

    @Test func aFileOfALaterVersionIsRefusedAndUntouched() throws {
        let scratch = try Scratch()
        let folder = scratch.folder()
        let known = Schema.current.version
        var later = Schema.current
        later.steps.append("CREATE TABLE news (body TEXT)")
        do {
            let store = try StateStore(
                folder: folder,
                create: creation,
                limits: StateLimits(),
                schema: later
            )
            try store.commit(onePiece, durable: true)
        }
        let before = try contents(folder.appending("postern.sqlite"))
        let error = stateError { () throws(StateError) in _ = try open(folder) }
        #expect(error?.code == .newer(found: known + 1, known: known))
        #expect(try contents(folder.appending("postern.sqlite")) == before)
        let reading = stateError { () throws(StateError) in _ = try StateReader(folder: folder) }
        #expect(reading?.code == .newer(found: known + 1, known: known))
    }

    @Test func anEarlierVersionIsBroughtUpToDateOrLeftAsItWas() throws {
        let scratch = try Scratch()
        let folder = scratch.folder()
        do { try open(folder).commit(onePiece, durable: true) }
        func openLater(with step: String) throws(StateError) -> StateStore {
            var later = Schema.current
            later.steps.append(step)
            return try StateStore(
                folder: folder,
                create: nil,
                limits: StateLimits(),
                schema: later
            )
        }
        // A step that breaks off in its middle leaves the version before it.
        let error = stateError { () throws(StateError) in
            _ = try openLater(with: "CREATE TABLE news (body TEXT); INSERT INTO nowhere VALUES (1)")
        }
        #expect(error != nil)
        let step = "CREATE TABLE news (body TEXT); INSERT INTO news VALUES ('x')"
        do {
            let store = try openLater(with: step)
            #expect(try store.piece(1, "key") == "body")
            let version = try store.database.read("read") { connection in
                try StateDatabase.number(connection, "PRAGMA user_version")
            }
            #expect(version == Schema.current.version + 1)
        }
        // The step is not run again.
        let store = try openLater(with: step)
        let news = try store.database.read("read") { connection in
            try StateDatabase.number(connection, "SELECT count(*) FROM news")
        }
        #expect(news == 1)
    }

    @Test func whatAnEarlierVersionPutIntoTheOutboxStillLeaves() throws {
        let scratch = try Scratch()
        let folder = scratch.folder()
        do {
            let first = try StateStore(
                folder: folder,
                create: creation,
                limits: StateLimits(),
                schema: Schema(steps: Array(Schema.current.steps.prefix(1)))
            )
            let new = NewDispatch(
                alert: "a",
                sequence: 0,
                sink: "syslog",
                severity: 47,
                body: Array("a.0".utf8),
                createdMicroseconds: 1,
                dueMicroseconds: 0
            )
            try first.database.write("put", durable: true) { connection in
                try connection.execute(
                    sql: """
                        INSERT INTO outbox (alert, sequence, sink, severity, digest, body, created,
                            attempts, due, state)
                        VALUES ('a', 0, 'syslog', 47, \(new.digest), x'612e30', 1, 0, 0, 0)
                        """
                )
            }
        }
        let store = try open(folder)
        let waiting = try store.due(sink: "syslog", nowMicroseconds: 0, limit: 9)
        #expect(waiting.map(\.body) == [Array("a.0".utf8)])
        #expect(waiting.map(\.isNotice) == [false])
    }

    private var onePiece: Changes {
        var changes = Changes()
        changes.setPiece(1, "key", "body")
        return changes
    }
}
