import Glibc
import SystemPackage
import Testing

@testable import State

/// Files that a disk or a person has changed.
@Suite struct DamageTests {
    /// A small state of all sorts of rows, closed.
    private static func makeState(in folder: FilePath) throws -> Model {
        var random = SeededRandom(4)
        let store = try open(folder)
        var model = Model()
        for _ in 0..<30 {
            var changes = Changes()
            for _ in 0..<20 { changes.add(model.anyStep(&random)) }
            for index in 0..<10 {
                changes.setPiece(7, "key \(index)", String(repeating: "body", count: index * 9))
            }
            try store.commit(changes, durable: false)
            model = try Model(reading: store)
        }
        return model
    }

    /// Goal: whatever is wrong with the file, no wrong byte comes out of it, and nothing traps.
    /// Method: a good file is damaged at random places and read whole.
    @Test(arguments: 1...6)
    func aDamagedFileIsRefusedOrReadRight(seed: Int) throws {
        var random = SeededRandom(seed)
        let scratch = try Scratch()
        let model = try Self.makeState(in: scratch.folder())
        let good = try contents(scratch.folder().appending("postern.sqlite"))
        let copy = scratch.folder("copy")
        #expect(unsafe mkdir(copy.string, 0o700) == 0)
        var refused = 0
        for round in 0..<40 {
            remove(copy)
            #expect(unsafe mkdir(copy.string, 0o700) == 0)
            let damage = Damage.any(&random)
            var bytes = good
            damage.apply(to: &bytes, &random)
            try write(bytes, to: copy.appending("postern.sqlite"))
            do {
                let store = try StateStore(folder: copy, create: nil)
                let found = try Model(reading: store)
                #expect(found.pieces == model.pieces, "\(damage) \(round)")
                // Rows may be missing where there is no tally; none may be wrong.
                for (source, body) in found.cursors {
                    #expect(model.cursors[source] == body, "\(damage) \(round)")
                }
                for (id, alert) in found.alerts {
                    #expect(model.alerts[id] == alert, "\(damage) \(round)")
                }
                for dispatch in found.outbox where dispatch.state != .acknowledged {
                    let isOurs = model.outbox.contains { $0.body == dispatch.body }
                    #expect(isOurs, "\(damage) \(round)")
                }
            } catch {
                refused += 1
                switch error.code {
                case .corrupt, .foreign, .newer, .missing: break
                default: Issue.record("\(damage) \(round): \(error)")
                }
            }
        }
        #expect(refused > 5)
    }

    enum Damage: CaseIterable {
        case bit, bytes, zeroedPage, misplacedPage, shorter

        static func any(_ random: inout SeededRandom) -> Damage {
            allCases.randomElement(using: &random) ?? .bit
        }

        func apply(to file: inout [UInt8], _ random: inout SeededRandom) {
            let pages = file.count / 4_096
            let start = Int.random(in: 0..<pages, using: &random) * 4_096
            switch self {
            case .bit:
                file[Int.random(in: 0..<file.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8)
            case .bytes:
                let place = Int.random(in: 0..<(file.count - 16), using: &random)
                file.replaceSubrange(place..<(place + 16), with: random.bytes(16))
            case .zeroedPage:
                for index in start..<(start + 4_096) { file[index] = 0 }
            case .misplacedPage:
                let other = Int.random(in: 0..<pages, using: &random) * 4_096
                let page = Array(file[other..<(other + 4_096)])
                file.replaceSubrange(start..<(start + 4_096), with: page)
            case .shorter:
                file.removeLast(file.count - Int.random(in: 1..<file.count, using: &random))
            }
        }
    }

    @Test func textInPlaceOfAStateIsRefusedAndUntouched() throws {
        let scratch = try Scratch()
        let folder = scratch.folder()
        #expect(unsafe mkdir(folder.string, 0o700) == 0)
        let text = Array(String(repeating: "Oct 10 mx postfix/smtpd\n", count: 400).utf8)
        try write(text, to: folder.appending("postern.sqlite"))
        let error = stateError { () throws(StateError) in _ = try open(folder) }
        #expect(error?.code == .corrupt)
        #expect(try contents(folder.appending("postern.sqlite")) == text)
        let reading = stateError { () throws(StateError) in _ = try StateReader(folder: folder) }
        #expect(reading?.code == .corrupt)
    }

    /// A page that the disk never wrote: every row in it is well, but an earlier one.
    @Test func aLostPageOfPiecesIsFound() throws {
        let scratch = try Scratch()
        let folder = scratch.folder()
        let file = folder.appending("postern.sqlite")
        var files: [[UInt8]] = []
        for round in 0..<2 {
            do {
                let store = try open(folder)
                var changes = Changes()
                for index in 0..<200 { changes.setPiece(1, "key \(index)", "body \(round)") }
                try store.commit(changes, durable: true)
            }
            files.append(try contents(file))
        }
        #expect(files[0].count == files[1].count)
        var lost = 0
        for page in stride(from: 0, to: files[0].count, by: 4_096) {
            let range = page..<(page + 4_096)
            // Of the pages that differ, those with pieces.
            guard files[0][range] != files[1][range], page > 0 else { continue }
            var mixed = files[1]
            mixed.replaceSubrange(range, with: files[0][range])
            try write(mixed, to: file)
            let store = try StateStore(folder: folder, create: nil)
            let error = stateError { () throws(StateError) in _ = try store.pieces(1) }
            #expect(error?.code == .corrupt)
            lost += 1
        }
        #expect(lost > 1)
    }

    @Test func aReportOfDamageNamesPathCauseAndWayOut() throws {
        let scratch = try Scratch()
        let folder = scratch.folder()
        try write(Array("what?".utf8), to: scratch.path.appending("file"))
        do { _ = try open(folder) }
        let file = folder.appending("postern.sqlite")
        var bytes = try contents(file)
        bytes.replaceSubrange(100..<120, with: [UInt8](repeating: 0xff, count: 20))
        try write(bytes, to: file)
        let error = try #require(stateError { () throws(StateError) in _ = try open(folder) })
        let text = "\(error)"
        #expect(error.code == .corrupt)
        #expect(text.hasPrefix("\(file): could not open the state: "))
        #expect(text.contains("malformed"))
        #expect(text.contains("postern state rebuild"))
    }
}
