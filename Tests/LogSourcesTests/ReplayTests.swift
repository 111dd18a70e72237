import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

@Suite struct ReplayTests {
    // MARK: What comes out does not depend on how it is read

    @Test(arguments: [1, 3, 64, 4_095, 65_536, 65_537, 1 << 22])
    func linesDoNotDependOnTheReadSize(readBytes: Int) throws {
        let folder = try ScratchFolder()
        let count = 30
        for endsWithNewline in [true, false] {
            let text = hostileText(
                seed: UInt64(count),
                lines: count,
                endsWithNewline: endsWithNewline
            )
            let expected = expectedLines(text)
            for (name, bytes) in [("plain", text), ("gz", gzip(text)), ("zst", zstd(text))] {
                let path = try folder.file(name, bytes)
                let given = try replay([path], readBytes: readBytes)
                #expect(given.lines == expected.lines, "\(name)")
                #expect(given.linesCut == expected.cut)
                #expect(given.ends == [.endOfInput])
                #expect(given.notes.isEmpty)
            }
        }
    }

    @Test(arguments: [1, 2, 3, 100, 65_536])
    func linesDoNotDependOnHowManyABatchHolds(lineCapacity: Int) throws {
        let folder = try ScratchFolder()
        let text = hostileText(seed: 5, lines: 100, endsWithNewline: false)
        let path = try folder.file("plain", text)
        for readBytes in [1_000, 70_000, 1 << 20] {
            let given = try replay([path], readBytes: readBytes, lineCapacity: lineCapacity)
            let expected = expectedLines(text)
            #expect(given.lines == expected.lines)
            #expect(given.linesCut == expected.cut)
        }
    }

    @Test func nothingButNewlinesIsManyEmptyLines() throws {
        let folder = try ScratchFolder()
        let text = [UInt8](repeating: 10, count: 200_000)
        let given = try replay([try folder.file("newlines", text)], lineCapacity: 1_000)
        #expect(given.lines.count == text.count)
        #expect(given.lines.last?.offset == UInt64(text.count - 1))
    }

    @Test func aLineOfTenMegabytesIsCutAndCounted() throws {
        let folder = try ScratchFolder()
        let long = [UInt8](repeating: 97, count: 10 << 20)
        let text = Array("before\n".utf8) + long + Array("\nafter\n".utf8)
        for bytes in [text, gzip(text), zstd(text)] {
            let given = try replay([try folder.file("long", bytes)])
            #expect(given.lines.count == 3)
            #expect(given.lines[1].bytes.count == SourceLimits.lineBytesMax)
            #expect(given.lines[2].offset == UInt64(long.count + 8))
            #expect(given.texts[2] == "after")
            #expect(given.linesCut == 1)
        }
    }

    @Test func carriageReturnsAndZerosAreBytesOfTheLine() throws {
        let folder = try ScratchFolder()
        let text: [UInt8] =
            Array("one\r\n".utf8) + [0, 0, 65, 10, 0xff, 10] + Array("a log line\n".utf8)
        let given = try replay([try folder.file("log", text)])
        #expect(given.lines.map(\.bytes).prefix(3) == [Array("one\r".utf8), [0, 0, 65], [0xff]])
    }

    // MARK: A chain of inputs

    @Test func inputsFollowEachOtherAndEachEndsWithAMark() throws {
        let folder = try ScratchFolder()
        let first = try folder.file("first", Array("a\nb".utf8))
        let second = try folder.file("second", gzip([]))
        let third = try folder.file("third", zstd(Array("c\n".utf8)))
        let given = try replay([first, second, third])
        #expect(given.texts == ["a", "b", "c"])
        #expect(given.lines.map(\.file) == [0, 0, 2])
        #expect(given.ends == [.endOfFile, .endOfFile, .endOfInput])
    }

    @Test func noInputsAreAnEndAtOnce() throws {
        let given = try replay([])
        #expect(given.ends == [.endOfInput])
        #expect(given.lines.isEmpty)
    }

    @Test func aPipeIsReadByItsContentToo() throws {
        let folder = try ScratchFolder()
        for bytes in [Array("one\ntwo\n".utf8), gzip(Array("one\ntwo\n".utf8))] {
            let path = folder.path.appending("fifo")
            try makePipe(path)
            // A pipe that is open for reading and writing waits for nobody.
            let writer = try SystemCalls().open(path, .readWrite)
            try writer.writeAll(bytes)
            let opened = try openInputs([path])
            #expect(opened.inputs.first?.timeHint == TimeHint.none)
            #expect(opened.inputs.first?.identity == nil)
            var source = ReplaySource(inputs: opened.inputs)
            var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: 100)
            var given = Given()
            #expect(try source.fill(&batch) == .lines)
            given.take(batch)
            #expect(given.texts == ["one", "two"])
            try SystemCalls().remove(path)
        }
    }

    @Test func aFileThatWasRenamedAfterItWasCheckedIsStillRead() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("mail.log", Array("old\n".utf8))
        let opened = try openInputs([path])
        try SystemCalls().rename(path, to: folder.path.appending("mail.log.1"))
        _ = try folder.file("mail.log", Array("new\n".utf8))
        var source = ReplaySource(inputs: opened.inputs)
        var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: 10)
        var given = Given()
        while try source.fill(&batch) == .lines { given.take(batch) }
        #expect(given.texts == ["old"])
    }

    // MARK: Compressed files

    @Test(arguments: 1...8)
    func membersAndFramesMayBeAnyNumber(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 1_000_003)
        let folder = try ScratchFolder()
        var text: [UInt8] = []
        var members: [UInt8] = []
        var frames: [UInt8] = seed % 2 == 0 ? skippableFrame([]) : []
        for index in 0..<Int.random(in: 1...9, using: &random) {
            let size = [0, 1, 40, 500, 6_000].randomElement(using: &random) ?? 0
            let part = (0..<size).map { _ in
                Bool.random(using: &random) ? UInt8.random(in: 97...122, using: &random) : 101
            }
            let cut = part.enumerated().map { $0.offset % 61 == 60 ? 10 : $0.element }
            text += cut
            members += gzip(cut, name: index % 2 == 0 ? "mail.log" : nil)
            frames += zstd(cut)
            if index % 3 == 0 { frames += skippableFrame(Array("anything".utf8)) }
        }
        if seed % 3 == 0 { members += [0, 0, 0, 0] }
        let expected = expectedLines(text).lines
        for readBytes in [1, 11, 4_096] {
            for (name, bytes) in [("a.gz", members), ("a.zst", frames)] {
                let path = try folder.file(name, bytes)
                let given = try replay([path], readBytes: readBytes)
                #expect(given.lines == expected, "\(name)")
                #expect(given.notes.isEmpty)
            }
        }
    }

    @Test func aFileCutAtAnyByteGivesTheLinesBeforeTheCutAndAProblem() throws {
        let folder = try ScratchFolder()
        let text = (0..<16).flatMap { Array("line \($0) of a log with \($0 * $0)\n".utf8) }
        let whole = expectedLines(text).lines
        let parts = Array(text.prefix(150)), rest = Array(text.dropFirst(150))
        let gzipped = gzip(parts, name: "x") + gzip(rest)
        let zstandard = zstd(parts) + skippableFrame([1, 2, 3]) + zstd(rest)
        // A cut just between two members cannot be told from an end.
        let ends = [gzip(parts, name: "x").count, zstd(parts).count, zstd(parts).count + 11]
        for bytes in [gzipped, zstandard] {
            for count in 10..<bytes.count {
                let path = try folder.file("cut", bytes.prefix(count))
                let given = try replay([path], readBytes: 4_096)
                #expect(
                    given.lines == Array(whole.prefix(given.lines.count)) || ends.contains(count)
                )
                let problems = given.notes.compactMap { note -> SourceProblem? in
                    if case .damaged(let problem) = note { problem } else { nil }
                }
                if !ends.contains(count) {
                    #expect(problems.count == 1, "cut at \(count)")
                    #expect(problems.first?.damage == .truncated)
                    let given = given.lines.reduce(0) { $0 + UInt64($1.bytes.count + 1) }
                    #expect(
                        problems.first.map { $0.textOffset - UInt64($0.withheldBytes) } == given
                    )
                }
            }
        }
    }

    @Test(arguments: 1...40)
    func aFlippedByteNeverTrapsAndTheChainGoesOn(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 1_000_003)
        let folder = try ScratchFolder()
        let text = (0..<400).flatMap { Array("line \($0) of a log with \($0 * $0)\n".utf8) }
        let next = try folder.file("next", Array("the next input\n".utf8))
        for whole in [gzip(text), zstd(text)] {
            var bytes = whole
            let place = Int.random(in: 4..<bytes.count, using: &random)
            bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let given = try replay([try folder.file("flipped", bytes), next], readBytes: 512)
            #expect(given.texts.last == "the next input")
            // A flip in the gzip header's time, name of the system or the like changes no text.
            let isNoticed = !given.notes.isEmpty
            let isHarmless = given.texts.dropLast() == expectedTexts(text)
            #expect(isNoticed || isHarmless)
        }
    }

    private func expectedTexts(_ text: [UInt8]) -> ArraySlice<String> {
        expectedLines(text).lines.map { String(decoding: $0.bytes, as: UTF8.self) }[...]
    }

    @Test func bytesBehindTheLastMemberAreAProblemButLoseNoLine() throws {
        let folder = try ScratchFolder()
        let text = Array("one\nlast without newline".utf8)
        for bytes in [gzip(text), zstd(text)] {
            let given = try replay([try folder.file("x", bytes + Array("rubbish".utf8))])
            #expect(given.texts == ["one", "last without newline"])
            let path = folder.path.appending("x")
            let problem = SourceProblem(
                path: path,
                damage: .trailingBytes,
                fileOffset: UInt64(bytes.count),
                textOffset: UInt64(text.count),
                withheldBytes: 0
            )
            #expect(given.notes == [.damaged(problem)])
        }
    }

    @Test func aWindowThatNeedsTooMuchMemoryIsRefused() throws {
        let folder = try ScratchFolder()
        let text = Array("one\n".utf8)
        #expect(try replay([try folder.file("27", zstd(text, windowLog: 27))]).texts == ["one"])
        let given = try replay([try folder.file("28", zstd(text, windowLog: 28))])
        guard case .damaged(let problem) = given.notes.first else {
            Issue.record("no problem was told")
            return
        }
        #expect(problem.damage == .windowTooLarge)
        #expect(given.lines.isEmpty)
    }

    // MARK: A disk that fails

    @Test(arguments: [1, 3, 17])
    func interruptedAndShortReadsChangeNothing(bytes: Int) throws {
        let folder = try ScratchFolder()
        let text = Array(hostileText(seed: 3, lines: 40, endsWithNewline: true).prefix(40_000))
        for content in [text, gzip(text), zstd(text)] {
            let path = try folder.file("log", content)
            let faults = FaultScript([
                .init(.read, .every(2), .fail(.interrupted)),
                .init(.read, .from(1), .shorten(to: bytes)),
                .init(.pread, .from(1), .shorten(to: bytes)),
                .init(.openat, .nth(1), .fail(.interrupted)),
            ])
            let given = try replay([path], calls: SystemCalls(faults: faults))
            #expect(given.lines == expectedLines(text).lines)
            #expect(faults.givenCount > 10)
        }
    }

    @Test func aReadErrorEndsOneInputAndHalfALineIsWithheld() throws {
        let folder = try ScratchFolder()
        let path = try folder.file("bad", Array("one\ntwo\nthree".utf8))
        let next = try folder.file("next", Array("four\n".utf8))
        let faults = FaultScript([
            .init(.read, .nth(1), .shorten(to: 6), path: path),
            .init(.read, .nth(2), .fail(.ioError), path: path),
        ])
        let given = try replay([path, next], calls: SystemCalls(faults: faults))
        #expect(given.texts == ["one", "four"])
        let cause = SystemCallError(call: .read, path: path, cause: .ioError)
        let problem = SourceProblem(
            path: path,
            damage: .unreadable(cause),
            fileOffset: 6,
            textOffset: 6,
            withheldBytes: 2
        )
        #expect(given.notes == [.damaged(problem)])
        #expect(given.ends == [.endOfFile, .endOfInput])
    }

    @Test func anInputThatIsGoneWhenItsTurnComesIsAProblem() throws {
        let folder = try ScratchFolder()
        let first = try folder.file("first", Array("a\n".utf8))
        let second = try folder.file("second", Array("b\n".utf8))
        let opened = try openInputs([first, second])
        try SystemCalls().remove(second)
        var source = ReplaySource(inputs: opened.inputs)
        var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: 10)
        var given = Given()
        while try source.fill(&batch) == .lines { given.take(batch) }
        #expect(given.texts == ["a"])
        #expect(given.ends == [.endOfFile, .endOfInput])
        guard case .damaged(let problem) = source.takeNotes().first else {
            Issue.record("no problem was told")
            return
        }
        #expect(problem.damage == .replaced)
    }
}
