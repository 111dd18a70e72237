@testable import LogSources
import Testing

@Suite struct FollowedFileTests {
    /// Everything that can happen to a life, over three files.
    enum Fact: CaseIterable, Equatable {
        case names1, names2, names3, namesNothing, found1, found2, copy3
        case endEmpty, endBusy, endQuiet, endClosed, endOverdue, endComplete
    }

    static let files = (0...3).map { FileKey(device: 1, inode: UInt64($0)) }

    /// Takes `fact` to `life`, and checks what must be true of every step.
    ///
    /// - Returns: the file that was left, if one was.
    func take(_ fact: Fact, _ life: inout FollowedFile) -> FileKey? {
        let before = held(life)
        var opening: FollowedFile.Opening?
        var file: FileKey?
        var ending: FollowedFile.Ending?
        func names(_ index: Int) {
            file = Self.files[index]
            opening = life.pathNames(Self.files[index])
            if opening != .refuse { #expect(life.named == file) }
        }
        func found(_ index: Int) {
            file = Self.files[index]
            opening = life.foundRotated(Self.files[index])
        }
        func end(_ quiet: UInt64, _ isClosed: Bool, _ filled: UInt64?) {
            ending = life.reachedEnd(
                .init(quietNanoseconds: quiet, isClosed: isClosed, nextFilledNanoseconds: filled)
            )
        }
        let limits = FollowLimits()
        switch fact {
        case .names1: names(1)
        case .names2: names(2)
        case .names3: names(3)
        case .namesNothing:
            life.pathNamesNothing()
            #expect(life.named == nil)
            #expect(held(life) == before)
        case .found1: found(1)
        case .found2: found(2)
        case .copy3:
            guard let reading = life.reading else { return nil }
            file = Self.files[3]
            opening = life.foundCopy(Self.files[3], of: reading)
            if opening == .hold {
                #expect(life.reading == file)
                #expect(life.waiting.first == reading)
            }
        case .endEmpty: end(.max, true, nil)
        case .endBusy: end(limits.quietNanoseconds - 1, false, limits.drainNanosecondsMax - 1)
        case .endQuiet: end(limits.quietNanoseconds, false, 0)
        case .endClosed: end(0, true, 0)
        case .endOverdue: end(0, false, limits.drainNanosecondsMax)
        case .endComplete:
            ending = life.reachedEnd(
                .init(
                    quietNanoseconds: 0,
                    isClosed: false,
                    nextFilledNanoseconds: nil,
                    isComplete: true
                )
            )
        }
        let after = held(life)
        #expect(Set(after).count == after.count, "no file is held twice")
        #expect(after.count <= FollowLimits.heldFilesMax)
        if let named = life.named { #expect(named == after.last) }
        if let opening, let file {
            #expect((opening == .known) == before.contains(file))
            #expect(after.filter { $0 != file } == before.filter { $0 != file }, "an order changed")
            #expect(after.contains(file) == (opening != .refuse))
        }
        guard let ending else { return nil }
        switch ending {
        case .next(let next, let wasStillWritten):
            #expect(after == Array(before.dropFirst()))
            #expect(after.first == next)
            if fact == .endEmpty { #expect(before.count == FollowLimits.heldFilesMax) }
            #expect(fact != .endBusy)
            #expect(wasStillWritten == (fact == .endOverdue))
            return before.first
        case .wait(let nanoseconds):
            #expect(after == before)
            // It is asked again in time, and only where time changes something.
            #expect((nanoseconds == 1) == (fact == .endBusy && before.count > 1))
            if fact != .endEmpty, fact != .endBusy { #expect(before.count <= 1) }
            return nil
        }
    }

    func held(_ life: FollowedFile) -> [FileKey] {
        (life.reading.map { [$0] } ?? []) + life.waiting
    }

    /// Every sequence of facts up to a length, by every state that it can reach.
    @Test func everyLifeKeepsItsFilesInOrder() {
        var seen: Set<FollowedFile> = [FollowedFile()]
        var border: [FollowedFile] = [FollowedFile()]
        while let life = border.popLast() {
            for fact in Fact.allCases {
                var next = life
                _ = take(fact, &next)
                if seen.insert(next).inserted { border.append(next) }
            }
        }
        // Absent; each of 15 ordered choices from three files with the last named or not, where one
        // alone and named is `following`: 1 + 15 * 2.
        #expect(seen.count == 31)
        #expect(
            seen.allSatisfy { life in
                if case .draining(_, let next, true) = life.state { !next.isEmpty } else { true }
            }
        )
    }

    @Test func aRotationDrainsTheOldFileFirst() {
        var life = FollowedFile()
        #expect(life.pathNames(Self.files[1]) == .hold)
        #expect(life.state == .following(Self.files[1]))
        life.pathNamesNothing()
        #expect(life.pathNames(Self.files[2]) == .hold)
        #expect(life.reading == Self.files[1])
        let facts = FollowedFile.EndFacts(
            quietNanoseconds: 0,
            isClosed: true,
            nextFilledNanoseconds: 1
        )
        #expect(life.reachedEnd(facts) == .next(Self.files[2], wasStillWritten: false))
        #expect(life.state == .following(Self.files[2]))
    }

    @Test func noMoreFilesAreHeldThanTheLimit() {
        var life = FollowedFile()
        for index in 0..<FollowLimits.heldFilesMax {
            #expect(life.pathNames(FileKey(device: 1, inode: UInt64(index))) == .hold)
        }
        let one = FileKey(device: 2, inode: 1)
        #expect(life.pathNames(one) == .refuse)
        #expect(life.foundRotated(one) == .refuse)
        #expect(life.foundCopy(one, of: FileKey(device: 1, inode: 0)) == .refuse)
    }

    // MARK: Names of rotations

    @Test(
        arguments: [
            ("mail.log.1", .number(1), false),
            ("mail.log.12.gz", .number(12), true),
            ("mail.log-20260301", .date(Array("20260301".utf8)), false),
            ("mail.log-20260301-1700000000.zst", .date(Array("20260301-1700000000".utf8)), true),
            ("mail.log.2026-03-01", .date(Array("2026-03-01".utf8)), false),
        ] as [(String, RotatedName.Age, Bool)]
    )
    func namesOfRotationsAreKnown(name: String, age: RotatedName.Age, isCompressed: Bool) {
        let rotated = RotatedName(Array(name.utf8), of: Array("mail.log".utf8))
        #expect(rotated?.age == age)
        #expect(rotated?.isCompressed == isCompressed)
    }

    @Test(arguments: [
        "mail.log", "mail.log.", "mail.log.gz", "mail.log.old", "mail.log1", "mail.err.1",
        "mail.log.1.bak", "mail.log.1234567", "mail.log-", "mail.info",
    ])
    func otherNamesAreNoRotations(name: String) {
        #expect(RotatedName(Array(name.utf8), of: Array("mail.log".utf8)) == nil)
    }

    @Test func lowerNumbersAndLaterDatesAreNewer() throws {
        func rotated(_ name: String) throws -> RotatedName {
            try #require(RotatedName(Array(name.utf8), of: Array("mail.log".utf8)))
        }
        #expect(try rotated("mail.log.1").isNewer(than: rotated("mail.log.2.gz")) == true)
        #expect(try rotated("mail.log.10").isNewer(than: rotated("mail.log.9")) == false)
        #expect(
            try rotated("mail.log-20260302").isNewer(than: rotated("mail.log-20260301")) == true
        )
        #expect(try rotated("mail.log-20260302").isNewer(than: rotated("mail.log.1")) == nil)
    }
}
