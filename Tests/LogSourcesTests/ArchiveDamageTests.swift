import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

@Suite struct ArchiveDamageTests {
    private static let names = ["one.log", "two.log", "three.log"]

    /// Small archives of every kind, by the command that makes them.
    private static let commands = [
        "gzip -c one.log", "xz -c one.log", "bzip2 -c one.log", "zstd -q -c one.log",
        "lz4 -q -c one.log", "lz4 -q -l -c one.log", "tar c *.log", "tar cz *.log", "tar cJ *.log",
        "tar cj *.log", "tar c *.log | zstd -q", "tar c --format=pax *.log | lz4 -q",
        "zip -q - *.log", "zip -q -0 - *.log", "zip -q x.zip *.log && cat x.zip",
        "zip -q -Z bzip2 y.zip *.log && cat y.zip", "gzip -k two.log; tar cz one.log two.log.gz",
        "tar cJ *.log > x; zip -q z.zip x; cat z.zip", "gzip -c one.log | gzip",
    ]

    private func makeArchives(in folder: borrowing ScratchFolder) throws -> [[UInt8]] {
        for (index, name) in Self.names.enumerated() {
            _ = try folder.file(name, sampleLog(seed: UInt64(index + 1), lines: 60))
        }
        var archives: [[UInt8]] = []
        for command in Self.commands {
            try shell("{ \(command); } > out", in: folder.path.string)
            archives.append(try bytes(of: folder.path.appending("out")))
        }
        return archives
    }

    /// forall changes: no trap, no end that never comes, and what follows is read. A line is given
    /// that was never written only where the form has no checksum.
    @Test(arguments: 1...12)
    func aChangedArchiveNeverTrapsAndTheChainGoesOn(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 1_000_003)
        let folder = try ScratchFolder()
        let archives = try makeArchives(in: folder)
        let next = try folder.file("next", Array("the next input\n".utf8))
        for index in 0..<300 {
            let archive = archives[index % archives.count]
            let path = try folder.file("changed", change(archive, archives, &random))
            let opened = try openInputs([path, next])
            let given = try readAll(
                opened.inputs,
                threads: index % 3,
                readBytes: [1, 512, 131_072][index / 7 % 3]
            )
            #expect(given.texts.last == "the next input", "seed \(seed), change \(index)")
            #expect(given.ends.last == .endOfInput)
        }
    }

    /// Flips, cuts, zeros, or a piece of another archive in the middle.
    private func change(
        _ archive: [UInt8],
        _ archives: [[UInt8]],
        _ random: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = archive
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let count = Int.random(in: 1...max(1, (bytes.count - place) / 2), using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes.removeLast(bytes.count - place)
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + count))
        case 2:
            for index in place..<min(bytes.count, place + count) { bytes[index] = 0 }
        case 3:
            let other = archives.randomElement(using: &random) ?? []
            bytes.replaceSubrange(
                place..<min(bytes.count, place + count),
                with: other.prefix(count)
            )
        default:
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
        }
        return bytes
    }

    /// forall cuts of a compressed tar and of a zip: the lines before come out, no half one among
    /// them, and one problem is told.
    @Test(arguments: ["tar cz *.log", "tar c *.log", "tar cJ *.log", "zip -q -0 - *.log"])
    func aCutArchiveGivesTheLinesBeforeTheCut(command: String) throws {
        let folder = try ScratchFolder()
        var whole: [[UInt8]] = []
        for (index, name) in ["a.log", "b.log"].enumerated() {
            let text = sampleLog(seed: UInt64(index + 1), lines: 200)
            _ = try folder.file(name, text)
            whole += expectedLines(text).lines.map(\.bytes)
        }
        try shell("{ \(command); } > out", in: folder.path.string)
        let archive = try bytes(of: folder.path.appending("out"))
        for count in stride(from: 600, to: archive.count - 1, by: 397) {
            let path = try folder.file("cut", archive.prefix(count))
            let given = try readAll(try openInputs([path]).inputs, threads: count % 2)
            #expect(given.lines.map(\.bytes) == Array(whole.prefix(given.lines.count)), "\(count)")
            let problems = given.notes.filter {
                if case .damaged = $0 { true } else { false }
            }
            // A tar's end mark is longer than it must be; a zip's members are whole before its
            // directory.
            if given.lines.count < whole.count { #expect(problems.count == 1, "cut at \(count)") }
        }
    }

    @Test func damageNamesArchiveAndMemberAndTheNextMemberIsRead() throws {
        let folder = try ScratchFolder()
        _ = try folder.file("a.log", sampleLog(seed: 1, lines: 2_000))
        _ = try folder.file("b.log", Array("the other member\n".utf8))
        try shell("zip -q x.zip a.log b.log; gzip a.log; cp a.log.gz c", in: folder.path.string)
        let zip = folder.path.appending("x.zip")
        var archive = try bytes(of: zip)
        archive[archive.count / 2] ^= 0xff
        _ = try folder.file("x.zip", archive)
        var gzipped = try bytes(of: folder.path.appending("a.log.gz"))
        gzipped[gzipped.count - 6] ^= 1
        _ = try folder.file("a.log.gz", gzipped)
        try shell("tar cf x.tar a.log.gz b.log", in: folder.path.string)
        for (name, member) in [("x.zip", "a.log"), ("x.tar", "a.log.gz")] {
            let path = folder.path.appending(name)
            for threads in [0, 2] {
                let given = try readAll(try openInputs([path]).inputs, threads: threads)
                #expect(given.texts.last == "the other member")
                guard case .damaged(let problem) = given.notes.first, given.notes.count == 1 else {
                    Issue.record("\(name): \(given.notes)")
                    return
                }
                #expect(problem.path == path.appending(member))
                guard case .corrupt = problem.damage else {
                    Issue.record("\(problem.damage)")
                    return
                }
                // What comes between damage and its discovery is as the decoder made it.
                let whole = expectedLines(sampleLog(seed: 1, lines: 2_000)).lines
                let common = Swift.zip(given.lines, whole).prefix { $0 == $1 }.count
                #expect(common > 500)
            }
        }
    }

    @Test func whatFollowsATarAndATarWithoutItsEndAreTold() throws {
        let folder = try ScratchFolder()
        _ = try folder.file("a.log", Array("one\n".utf8))
        _ = try folder.file("b.log", Array("two\n".utf8))
        try shell(
            "tar cf a a.log; tar cf b b.log; cat a b > both; head -c 1024 a > open; cat a > c; echo x >> c",
            in: folder.path.string
        )
        func damage(_ name: String) throws -> [SourceProblem.Damage] {
            let given = try readAll(
                try openInputs([folder.path.appending(name)]).inputs,
                threads: 1
            )
            #expect(given.texts == ["one"])
            return given.notes.compactMap {
                if case .damaged(let problem) = $0 { problem.damage } else { nil }
            }
        }
        #expect(try damage("a") == [])
        #expect(try damage("both") == [.trailingBytes])
        #expect(try damage("c") == [.trailingBytes])
        #expect(try damage("open") == [.truncated])
    }
}
