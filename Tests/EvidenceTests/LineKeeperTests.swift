import Records
import TestSupport
import Testing

@testable import Evidence

private func kept(_ sequence: UInt64, _ bytes: [UInt8], isShortened: Bool = false) -> KeptLine {
    KeptLine(
        record: RecordID(
            source: SourceNumber(3),
            file: FileNumber(7),
            offset: sequence * 10
        ),
        sequence: sequence,
        bytes: bytes,
        isShortened: isShortened
    )
}

private func kept(_ sequence: UInt64) -> KeptLine { kept(sequence, [UInt8(sequence % 251)]) }

/// The lines behind what windows and alerts hold.
@Suite struct LineKeeperTests {
    /// The same, written down as simply as can be.
    private struct Model {
        var holds: [UInt64: Int] = [:]
        var lines: [UInt64: [UInt64: KeptLine]] = [:]

        mutating func release(_ serial: UInt64) {
            guard let count = holds[serial] else { return }
            holds[serial] = count > 1 ? count - 1 : nil
            if count == 1 { lines[serial] = nil }
        }

        mutating func keep(_ serial: UInt64, _ fresh: [KeptLine]) {
            guard holds[serial] != nil else { return }
            for line in fresh { lines[serial, default: [:]][line.sequence] = line }
        }

        func lines(of serials: [UInt64]) -> [KeptLine] {
            var all: [UInt64: KeptLine] = [:]
            for serial in serials { all.merge(lines[serial] ?? [:]) { first, _ in first } }
            return all.values.sorted { $0.sequence < $1.sequence }
        }
    }

    /// What State does with the pieces.
    private struct Stored {
        var pieces: [LineKeeper.Piece] = []

        mutating func write(_ changes: [LineKeeper.Piece]) {
            for piece in changes {
                let before = pieces.count
                pieces.removeAll { $0.kind == piece.kind && $0.key == piece.key }
                if piece.body == nil {
                    #expect(pieces.count == before - 1, "only what is there is removed")
                } else {
                    pieces.append(piece)
                }
            }
        }

        func restored(limits: LineKeeperLimits = LineKeeperLimits()) throws -> LineKeeper {
            var keeper = LineKeeper(limits: limits)
            for piece in pieces.reversed() { try keeper.restore(piece) }
            keeper.dropUnheld()
            let changes = keeper.takeChanges()
            #expect(changes.isEmpty)
            return keeper
        }
    }

    /// Random holds, releases and lines, stored and restored at random moments.
    @Test(arguments: 1...100)
    func itKeepsWhatIsHeldAcrossRestarts(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var keeper = LineKeeper()
        var model = Model()
        var stored = Stored()
        for _ in 0..<200 {
            let serial = UInt64.random(in: 1...6, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3:
                keeper.hold(serial)
                model.holds[serial, default: 0] += 1
            case 3..<6:
                keeper.release(serial)
                model.release(serial)
            case 6..<9:
                let lines = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    kept(UInt64.random(in: 1...20, using: &random))
                }
                let isKept = keeper.keep(serial, lines: lines)
                #expect(isKept == (model.holds[serial] != nil))
                model.keep(serial, lines)
            default:
                stored.write(keeper.takeChanges())
                let rest = keeper.takeChanges()
                #expect(rest.isEmpty)
                if Bool.random(using: &random) { keeper = try stored.restored() }
            }
            let serials = (0..<3).map { _ in UInt64.random(in: 1...6, using: &random) }
            #expect(keeper.lines(of: serials) == model.lines(of: serials))
            #expect(keeper.count == model.holds.count)
            #expect(keeper.isIncomplete(serials) == !serials.allSatisfy { model.holds[$0] != nil })
        }
        let bytes = model.lines.values.flatMap(\.values).reduce(0) {
            $0 + $1.bytes.count + LineKeeperLimits.lineOverheadBytes
        }
        #expect(keeper.byteCount == bytes)
        for (serial, count) in model.holds { for _ in 0..<count { keeper.release(serial) } }
        #expect(keeper.byteCount == 0)
        #expect(keeper.count == 0)
        stored.write(keeper.takeChanges())
        #expect(stored.pieces.isEmpty)
    }

    /// With little room, the state is the same whether it was stored and restored or not, and never
    /// takes more than it may.
    @Test(arguments: 1...20)
    func whatIsLeftOutDoesNotDependOnRestarts(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = LineKeeperLimits()
        limits.bytesMax = 1_000
        var keeper = LineKeeper(limits: limits)
        var restarted = LineKeeper(limits: limits)
        var stored = Stored()
        for sequence in 1...200 as ClosedRange<UInt64> {
            let serial = UInt64.random(in: 1...12, using: &random)
            let line = kept(
                sequence,
                [UInt8](repeating: 1, count: Int.random(in: 0...120, using: &random))
            )
            keeper.hold(serial)
            restarted.hold(serial)
            keeper.keep(serial, lines: [line])
            restarted.keep(serial, lines: [line])
            if Bool.random(using: &random) {
                stored.write(restarted.takeChanges())
                restarted = try stored.restored(limits: limits)
            }
            #expect(keeper.byteCount <= limits.bytesMax)
            for serial in 1...12 as ClosedRange<UInt64> {
                #expect(keeper.lines(of: [serial]) == restarted.lines(of: [serial]))
                #expect(keeper.isIncomplete([serial]) == restarted.isIncomplete([serial]))
            }
        }
        #expect(keeper.counters.linesLeftOut > 0)
    }

    @Test func theOldestAreLeftOutFirst() {
        var limits = LineKeeperLimits()
        limits.bytesMax = 10 * (LineKeeperLimits.lineOverheadBytes + 1)
        var keeper = LineKeeper(limits: limits)
        for serial in 1...10 as ClosedRange<UInt64> {
            keeper.hold(serial)
            keeper.keep(serial, lines: [kept(serial)])
        }
        #expect(!keeper.isIncomplete(1...10))
        keeper.hold(11)
        keeper.keep(11, lines: [kept(11)])
        #expect(keeper.lines(of: 1...11).map(\.sequence) == Array(4...11))
        #expect((1...11).map { keeper.isIncomplete([$0]) } == (1...11).map { $0 <= 3 })
        #expect(keeper.counters.assembliesLeftOut == 3)
        #expect(keeper.counters.linesLeftOut == 3)
    }

    /// One assembly that is larger than all the room.
    @Test func moreThanFitsIsLeftOutWhole() {
        var limits = LineKeeperLimits()
        limits.bytesMax = 100
        var keeper = LineKeeper(limits: limits)
        keeper.hold(1)
        keeper.keep(1, lines: [kept(1, [UInt8](repeating: 0, count: 200))])
        #expect(keeper.byteCount == 0)
        #expect(keeper.isIncomplete([1]))
        #expect(keeper.lines(of: [1]).isEmpty)
    }

    @Test func theWholeLineStaysWhateverComesFirst() {
        let short = kept(1, [1, 2], isShortened: true)
        let whole = kept(1, [1, 2, 3])
        for order in [[short, whole], [whole, short]] {
            var keeper = LineKeeper()
            keeper.hold(1)
            for line in order { keeper.keep(1, lines: [line]) }
            #expect(keeper.lines(of: [1, 1]) == [whole])
        }
    }

    @Test func linesThatNobodyHoldsAreNotKept() {
        var keeper = LineKeeper()
        let isKept = keeper.keep(1, lines: [kept(1)])
        #expect(!isKept)
        keeper.release(1)
        #expect(keeper.counters.releasesUnmatched == 1)
        let changes = keeper.takeChanges()
        #expect(changes.isEmpty)
    }

    /// Letting go of one of many writes eight bytes, not the lines again.
    @Test func onlyWhatChangedIsStored() {
        var keeper = LineKeeper()
        keeper.hold(1)
        keeper.hold(1)
        keeper.keep(1, lines: [kept(1), kept(2)])
        var changes = keeper.takeChanges()
        #expect(changes.map(\.kind) == [.hold, .lines])
        keeper.keep(1, lines: [kept(1), kept(2)])
        changes = keeper.takeChanges()
        #expect(changes.isEmpty)
        keeper.release(1)
        changes = keeper.takeChanges()
        #expect(changes.map(\.kind) == [.hold])
        keeper.release(1)
        changes = keeper.takeChanges()
        #expect(changes.map(\.body) == [nil, nil])
    }

    /// Each byte of each piece changed, and each piece cut short: an error or a state that goes on.
    @Test func damagedPiecesNeverTrap() {
        var keeper = LineKeeper()
        keeper.hold(5)
        keeper.keep(5, lines: [kept(1), kept(2, [1, 2, 3], isShortened: true)])
        for piece in keeper.takeChanges() {
            let body = piece.body ?? []
            for position in body.indices {
                for value: UInt8 in [0, 1, 127, 255] {
                    var damaged = piece
                    damaged.body?[position] = value
                    use(damaged)
                }
                var short = piece
                short.body = Array(body[..<position])
                use(short)
            }
            var long = piece
            long.body?.append(0)
            #expect(throws: BinaryReadError.self) { try keeper.restore(long) }
            #expect(throws: BinaryReadError.self) {
                try keeper.restore(LineKeeper.Piece(kind: piece.kind, key: [1], body: body))
            }
            #expect(throws: BinaryReadError.self) {
                try keeper.restore(LineKeeper.Piece(kind: piece.kind, key: piece.key, body: nil))
            }
        }
    }

    private func use(_ piece: LineKeeper.Piece) {
        var keeper = LineKeeper()
        try? keeper.restore(piece)
        keeper.hold(5)
        keeper.keep(5, lines: [kept(9)])
        keeper.dropUnheld()
        keeper.release(5)
        _ = keeper.takeChanges()
    }
}
