import SystemPackage
import Testing

@testable import State

/// Random histories of a state folder, against `Model`.
@Suite struct StateModelTests {
    /// Goal: forall histories of commits, failed commits, ends and kills, the folder holds what was
    /// committed. Method: after each turn all of it is read and compared; a kill is a copy of the
    /// files as they are, also in the middle of a commit.
    @Test(arguments: 1...12)
    func theFolderHoldsWhatWasCommitted(seed: Int) throws {
        var random = SeededRandom(seed)
        let scratch = try Scratch()
        var folder = scratch.folder()
        let limits = Self.tightLimits
        var store: StateStore? = try open(folder, limits: limits)
        var model = Model()
        for turn in 0..<24 {
            var changes = Changes()
            var after = model
            let steps = (0..<Int.random(in: 0..<12, using: &random)).map { _ in
                model.anyStep(&random)
            }
            for step in Self.inOrderOfWriting(steps) {
                changes.add(step)
                after.apply(step, limits)
            }
            if !changes.isEmpty { after.keepLimits(limits) }

            let copy = scratch.folder("killed-\(turn)")
            switch Int.random(in: 0..<8, using: &random) {
            case 0:  // The commit is broken off, with a kill just then; often tried again.
                let isWhole = try #require(store).commit(
                    changes,
                    brokenOffAfter: Int.random(in: 1...80, using: &random)
                )
                try copyAsKilled(folder, to: copy)
                if !isWhole {
                    let killed = try Model(reading: open(copy, limits: limits))
                    #expect(killed == model, "turn \(turn): a part was written")
                    try #expect(Model(reading: #require(store)) == model)
                }
                let again = !isWhole && Bool.random(using: &random)
                if again { try #require(store).commit(changes, durable: true) }
                if again || isWhole { model = after }
            case 1:  // An orderly end.
                try #require(store).commit(changes, durable: false)
                model = after
                store = nil
                store = try open(folder, limits: limits)
            case 2:  // A kill.
                try #require(store).commit(changes, durable: false)
                model = after
                try copyAsKilled(folder, to: copy)
                store = try open(copy, limits: limits)
                folder = copy
            case 3:
                try #require(store).commit(changes, durable: false)
                model = after
                try #expect(#require(store).database.checkpoint())
            default:
                try #require(store).commit(changes, durable: Bool.random(using: &random))
                model = after
            }

            let store = try #require(store)
            let found = try Model(reading: store)
            model.takeNumbers(from: found)
            for difference in found.differences(from: model) {
                Issue.record("turn \(turn): \(difference)")
            }
            #expect(store.outbox == model.totals)
            #expect(try store.countOutbox() == model.totals)
            for sink in ["syslog", "webhook"] {
                for now in [Int64(-1), 50, 100] {
                    let due = try store.due(sink: sink, nowMicroseconds: now, limit: 1_000)
                    #expect(due == model.due(sink, now: now))
                }
                let next = model.due(sink, now: .max).map(\.dueMicroseconds).min()
                #expect(try store.nextDue(sink: sink) == next)
            }
            if turn % 6 == 0 {
                try #expect(Model(reading: StateReader(folder: folder)) == found)
            }
            guard found == model else { return }
        }
        try #expect(#require(store).findings(limit: 10) == [])
    }

    /// Goal: a power cut leaves the state after some commit, whole, and none lost from the middle.
    /// Method: the log is cut at every frame's end, beside it, and at random places.
    @Test(arguments: 1...2)
    func aTornLogGivesACommittedPrefix(seed: Int) throws {
        var random = SeededRandom(seed)
        let scratch = try Scratch()
        let limits = Self.tightLimits
        let store = try open(scratch.folder(), limits: limits)
        #expect(store.database.checkpoint())
        var models = [Model()]
        for _ in 0..<10 {
            var changes = Changes()
            for _ in 0..<6 { changes.add(models[models.count - 1].anyStep(&random)) }
            try store.commit(changes, durable: false)
            models.append(try Model(reading: store))
        }
        let copy = scratch.folder("copy")
        try copyAsKilled(scratch.folder(), to: copy)
        let database = try contents(copy.appending("postern.sqlite"))
        let log = try contents(copy.appending("postern.sqlite-wal"))
        // A 32-byte header, then frames of 24 bytes and a page: <https://www.sqlite.org/walformat.html>.
        let ends = stride(from: 32, through: log.count, by: 24 + 4_096).flatMap { [$0 - 1, $0] }
        let cuts = ends + (0..<10).map { _ in Int.random(in: 0..<log.count, using: &random) }
        var reached = 0
        for cut in cuts.sorted() {
            try write(database, to: copy.appending("postern.sqlite"))
            try write(Array(log[..<cut]), to: copy.appending("postern.sqlite-wal"))
            let found = try Model(reading: open(copy, limits: limits))
            let index = try #require(models.lastIndex(of: found), "cut at \(cut)")
            #expect(index >= reached)
            reached = index
        }
        #expect(reached == models.count - 1)
    }

    /// Limits so tight that histories meet them.
    private static var tightLimits: StateLimits {
        var limits = StateLimits()
        limits.waitingMax = 12
        limits.waitingBytesMax = 12_000
        limits.abandonedMax = 4
        limits.acknowledgedMax = 4
        return limits
    }

    /// `Changes` keeps the order within each group; across groups the outbox takes dispatches
    /// before marks. (A mark can only name what a commit before has put in.)
    private static func inOrderOfWriting(_ steps: [Model.Step]) -> [Model.Step] {
        func isMark(_ step: Model.Step) -> Bool {
            switch step {
            case .acknowledge, .fail, .abandon, .redeliver, .setBundle: true
            default: false
            }
        }
        return steps.filter { !isMark($0) } + steps.filter(isMark)
    }
}
