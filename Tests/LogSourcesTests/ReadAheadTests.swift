import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

/// Threads change when things are read, never what comes out.
@Suite struct ReadAheadTests {
    /// Lines that cannot be compressed well, so that few megabytes make several parts.
    private func noise(seed: UInt64, bytes count: Int) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        var text: [UInt8] = []
        text.reserveCapacity(count + 100)
        while text.count < count {
            for _ in 0..<32 {
                let word = random.next()
                for shift in stride(from: 0, to: 64, by: 8) {
                    text.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)) & 0x3f + 0x30)
                }
            }
            text.append(newline)
        }
        return text
    }

    private func frames(seed: UInt64) -> (text: [UInt8], file: [UInt8]) {
        var random = SeededGenerator(seed: seed)
        var text: [UInt8] = []
        var file = skippableFrame([1, 2, 3])
        for index in 0..<12 {
            let sizes = [0, 1, 1_000, 200_000, 1_300_000, 2_000_000]
            let part = noise(
                seed: seed &* 100 &+ UInt64(index),
                bytes: sizes.randomElement(using: &random) ?? 0
            )
            text += part
            file += zstd(part)
            if index % 4 == 1 { file += skippableFrame([]) }
        }
        return (text, file)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func framesAreFoundAndGiveTheWholeInOrder(seed: UInt64) throws {
        let folder = try ScratchFolder()
        let (text, file) = frames(seed: seed)
        let path = try folder.file("x.zst", file)
        let plan = try openInputs([path]).inputs
        var parts = ReadPlan(plan)
        var partCount = 0
        while parts.next() != nil { partCount += 1 }
        #expect(partCount > 2)
        let expected = expectedLines(text).lines
        for threads in [0, 1, 2, 4] {
            let given = try readAll(plan, threads: threads)
            #expect(given.lines == expected)
            #expect(given.notes.isEmpty)
        }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func damageIsTheSameWhoeverFindsIt(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &+ 77)
        let folder = try ScratchFolder()
        var (_, file) = frames(seed: 2)
        switch seed % 3 {
        case 0: file.removeLast(Int.random(in: 1..<file.count, using: &random))
        case 1: file[Int.random(in: 20..<file.count, using: &random)] ^= 0x55
        default: file += Array("rubbish".utf8)
        }
        let paths = [
            try folder.file("x.zst", file), try folder.file("next", Array("next\n".utf8)),
            try folder.file("y.gz", gzip(Array("last\n".utf8))),
        ]
        let inputs = try openInputs(paths).inputs
        let alone = try readAll(inputs, threads: 0)
        #expect(alone.texts.suffix(2) == ["next", "last"])
        for threads in [1, 2, 4] {
            let given = try readAll(inputs, threads: threads)
            #expect(given == alone)
        }
    }

    @Test func manyInputsOfManyKindsComeInTheirOrder() throws {
        let folder = try ScratchFolder()
        var paths: [FilePath] = []
        var expected: [[UInt8]] = []
        for index in 0..<60 {
            let text = sampleLog(seed: UInt64(index), lines: index % 7 * 30 + 1)
            expected += expectedLines(text).lines.map(\.bytes)
            let bytes = index % 3 == 0 ? text : index % 3 == 1 ? gzip(text) : zstd(text)
            paths.append(try folder.file("log\(index)", bytes))
        }
        let inputs = try openInputs(paths).inputs
        for threads in [0, 1, 2, 4] {
            let given = try readAll(inputs, threads: threads)
            #expect(given.lines.map(\.bytes) == expected)
            #expect(given.ends.count == 60)
        }
    }

    /// More waits than is allowed to: the threads stop, and go on when it is their turn.
    @Test func whatWaitsIsBounded() throws {
        let folder = try ScratchFolder()
        let big = noise(seed: 9, bytes: 1 << 20)
        // 40 MB each, a few kilobytes compressed.
        let frame = zstd([UInt8](repeating: newline, count: 1 << 20))
        var paths: [FilePath] = []
        for index in 0..<6 {
            let bytes = (0..<40).flatMap { _ in frame }
            paths.append(try folder.file("a\(index)", bytes))
        }
        paths.append(try folder.file("b", gzip(big)))
        var source = ReplaySource(inputs: try openInputs(paths).inputs, threadCount: 4)
        var batch = Batch(byteCapacity: 1 << 20, lineCapacity: 1 << 20)
        var byteCount = 0
        while try source.fill(&batch) == .lines { byteCount += batch.byteCount }
        #expect(byteCount == 6 * 40 << 20 + big.count)
    }

    @Test func whoStopsInTheMiddleWaitsForNobody() throws {
        let folder = try ScratchFolder()
        let (_, file) = frames(seed: 3)
        let paths = try (0..<4).map { try folder.file("x\($0)", file) }
        let inputs = try openInputs(paths).inputs
        for threads in 1...4 {
            for fills in 0..<3 {
                var source = ReplaySource(inputs: inputs, threadCount: threads)
                var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: 100)
                for _ in 0..<fills { _ = try source.fill(&batch) }
            }
        }
    }
}
