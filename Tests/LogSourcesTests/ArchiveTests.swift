import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import TestSupport
import Testing

/// Reads inputs to their end, with threads that decompress ahead or without.
func readAll(
    _ inputs: [Input],
    threads: Int,
    readBytes: Int = ReplayLimits.readBytes
) throws -> Given {
    var source = ReplaySource(inputs: inputs, readBytes: readBytes, threadCount: threads)
    var batch = Batch(byteCapacity: LineSplitter.batchBytesMin, lineCapacity: 1_000)
    var given = Given()
    while try source.fill(&batch) == .lines { given.take(batch) }
    given.notes = source.takeNotes()
    return given
}

func bytes(of path: FilePath) throws -> [UInt8] {
    let file = try SystemCalls().open(path)
    return try file.readFully(count: Int(try file.status().size), at: 0)
}

/// A log of lines that are not alike.
func sampleLog(seed: UInt64, lines count: Int) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).flatMap { index in
        Array("Mar  1 00:\(seed):\(index) mx postfix/smtpd[1]: \(random.next()) \\x41\n".utf8)
    }
}

/// The ways in which logs lie in archives: a shell command that makes `out` from the files `a.log`,
/// `b.log` and `sub/c.log`, and which of them are in it.
struct ArchiveForm: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let command: String
    let files: [String]

    init(_ name: String, _ command: String, _ files: [String] = ["a.log", "b.log", "sub/c.log"]) {
        testDescription = name
        self.command = command
        self.files = files
    }

    static let one = ["a.log"]
    static let all = [
        ArchiveForm("gz", "gzip -c a.log > out", one),
        ArchiveForm("gz of members", "{ gzip -c a.log; gzip -c b.log; } > out", ["a.log+b.log"]),
        ArchiveForm("xz", "xz -c a.log > out", one),
        ArchiveForm("xz of streams", "{ xz -c a.log; xz -0 -c b.log; } > out", ["a.log+b.log"]),
        ArchiveForm("bz2", "bzip2 -c a.log > out", one),
        ArchiveForm("bz2 of streams", "{ bzip2 -c a.log; bzip2 -c b.log; } > out", ["a.log+b.log"]),
        ArchiveForm("zst", "zstd -q -c a.log > out", one),
        ArchiveForm("zst of frames", "{ zstd -q -c a.log; zstd -c b.log; } > out", ["a.log+b.log"]),
        ArchiveForm("zst with a long window", "zstd -q --long=27 -c a.log > out", one),
        ArchiveForm("lz4", "lz4 -q -c a.log > out", one),
        ArchiveForm("lz4 of frames", "{ lz4 -c a.log; lz4 -BD -c b.log; } > out", ["a.log+b.log"]),
        ArchiveForm("lz4 with checksums", "lz4 -q -BX -B4 -c a.log > out", one),
        ArchiveForm("legacy lz4", "lz4 -q -l -c a.log > out", one),
        ArchiveForm(
            "legacy lz4 and a frame",
            "{ lz4 -l -c a.log; lz4 -c b.log; } > out",
            ["a.log+b.log"]
        ),
        ArchiveForm("gz of gz", "gzip -c a.log | gzip -c > out", one),
        ArchiveForm("tar", "tar cf out a.log b.log sub"),
        ArchiveForm("tar of v7", "tar --format=v7 -cf out a.log b.log sub"),
        ArchiveForm("tar of pax", "tar --format=pax -cf out a.log b.log sub"),
        ArchiveForm("tar.gz", "tar czf out a.log b.log sub"),
        ArchiveForm("tar.xz", "tar cJf out a.log b.log sub"),
        ArchiveForm("tar.bz2", "tar cjf out a.log b.log sub"),
        ArchiveForm("tar.zst", "tar cf - a.log b.log sub | zstd -q -c > out"),
        ArchiveForm("tar.lz4", "tar cf - a.log b.log sub | lz4 -q -c > out"),
        ArchiveForm("zip", "zip -q -r out.zip a.log b.log sub && mv out.zip out"),
        ArchiveForm("zip, stored", "zip -q -0 -r out.zip a.log b.log sub && mv out.zip out"),
        ArchiveForm("zip of bzip2", "zip -q -Z bzip2 -r out.zip a.log b.log sub && mv out.zip out"),
        ArchiveForm("zip from a pipe", "zip -q -r - a.log b.log sub | cat > out"),
        ArchiveForm("tar.gz of gz", "gzip a.log sub/c.log && tar czf out a.log.gz b.log sub"),
        ArchiveForm("zip of tar.xz", "tar cJf x a.log b.log sub && zip -q o.zip x && mv o.zip out"),
        ArchiveForm("tar of zip", "zip -q -r x.zip a.log b.log sub && tar cf out x.zip"),
        ArchiveForm("tar of tar.zst", "tar cf - a.log b.log sub | zstd -q > x && tar cf out x"),
        ArchiveForm("tar.bz2 of lz4", "lz4 -q a.log x && tar cjf out x b.log sub"),
    ]
}

@Suite struct ArchiveTests {
    /// A folder with the three logs; their texts by name.
    private func logs(in folder: borrowing ScratchFolder) throws -> [String: [UInt8]] {
        try SystemCalls().makeFolders(folder.path.appending("sub"), mode: 0o700)
        var texts: [String: [UInt8]] = [:]
        for (index, name) in ["a.log", "b.log", "sub/c.log"].enumerated() {
            let text = sampleLog(seed: UInt64(index + 1), lines: 300 + index * 100)
            texts[name] = text
            _ = try folder.file(name, text)
        }
        return texts
    }

    private func lines(_ texts: [[UInt8]]) -> [GivenLine] {
        texts.enumerated().flatMap { expectedLines($1, file: UInt32($0)).lines }
    }

    @Test(arguments: ArchiveForm.all)
    func everyFormGivesTheLinesOfItsFiles(_ form: ArchiveForm) throws {
        let folder = try ScratchFolder()
        let texts = try logs(in: folder)
        try shell(form.command, in: folder.path.string)
        let expected = lines(
            form.files.map { $0.split(separator: "+").flatMap { texts[String($0)] ?? [] } }
        )
        let path = folder.path.appending("out")
        let opened = try openInputs([path])
        #expect(opened.skipped.isEmpty)
        for (threads, readBytes) in [(0, 1), (0, 4_096), (0, 131_072), (1, 1_000), (3, 131_072)] {
            let given = try readAll(opened.inputs, threads: threads, readBytes: readBytes)
            #expect(given.lines == expected, "\(threads) threads, \(readBytes) bytes")
            #expect(given.notes.isEmpty)
            #expect(given.ends.count == form.files.count)
            #expect(given.ends.last == .endOfInput)
        }
    }

    /// The same through a pipe, which can be read only once.
    @Test(arguments: ArchiveForm.all)
    func everyFormCanComeThroughAPipe(_ form: ArchiveForm) throws {
        let folder = try ScratchFolder()
        let texts = try logs(in: folder)
        try shell(form.command, in: folder.path.string)
        let fifo = folder.path.appending("fifo")
        try makePipe(fifo)
        let whole = try bytes(of: folder.path.appending("out"))
        let writer = WorkerThread { try? SystemCalls().open(fifo, .write).writeAll(whole) }
        let opened = try openInputs([fifo])
        let given = try readAll(opened.inputs, threads: 2)
        writer.join()
        let expected = form.files.map {
            $0.split(separator: "+").flatMap { texts[String($0)] ?? [] }
        }
        #expect(given.lines == lines(expected))
        #expect(given.notes.isEmpty)
        #expect(given.ends.last == .endOfInput)
    }

    // MARK: Names, times, what is left out

    @Test func membersHaveTheArchivesPathAndTheirOwnTime() throws {
        let folder = try ScratchFolder()
        _ = try logs(in: folder)
        try shell(
            """
            touch -d @1700000000 a.log; touch -d @1600000000 b.log; gzip b.log
            mv sub/c.log sub/mail.log-20260301; tar czf logs.tar.gz a.log b.log.gz sub
            """,
            in: folder.path.string
        )
        let path = folder.path.appending("logs.tar.gz")
        let inputs = try openInputs([path]).inputs
        let names = ["a.log", "b.log.gz", "sub/mail.log-20260301"]
        #expect(inputs.map(\.path.string) == names.map { path.string + "/" + $0 })
        #expect(
            inputs.map(\.timeHint)
                == [.modified(1_700_000_000), .gzipTime(1_600_000_000), .nameDate(1_772_409_600)]
        )
        #expect(inputs.allSatisfy { $0.size == nil && $0.encoding == .gzip })
        #expect(
            inputs[0].peekFirstLines(maxBytes: 100).first
                == expectedLines(sampleLog(seed: 1, lines: 1)).lines.first?.bytes
        )
        #expect(
            inputs[1].peekLastLines().last
                == expectedLines(sampleLog(seed: 2, lines: 400)).lines.last?.bytes
        )
    }

    @Test func whatIsNoLogInAnArchiveIsLeftOutWithItsReason() throws {
        let folder = try ScratchFolder()
        _ = try logs(in: folder)
        try shell(
            """
            ln -s a.log link; ln a.log hard; mkfifo pipe; : > empty; head -c 5000 /dev/zero | tr '\\0' '\\1' > rnd
            truncate -s 1M sparse; cat a.log >> sparse
            tar cf x.tar a.log link hard pipe empty rnd sub
            tar -S -cf sparse.tar sparse; mkdir deep; tar cf deep/1 a.log; tar cf deep/2 deep/1
            tar cf deep/3.tar deep/2; tar -P -cf up.tar sub/../b.log
            zip -q -y z.zip a.log link; zip -q -P secret e.zip a.log
            rm hard link pipe empty rnd sparse deep/1 deep/2
            """,
            in: folder.path.string
        )
        func reasons(_ name: String) throws -> [String: SkippedInput.Reason] {
            let opened = try openInputs([folder.path.appending(name)])
            #expect(opened.skipped.allSatisfy { !$0.isNamed })
            let start = folder.path.string.count + name.count + 2
            return Dictionary(
                uniqueKeysWithValues: opened.skipped.map {
                    (String($0.path.string.dropFirst(start)), $0.reason)
                }
            )
        }
        #expect(
            try reasons("x.tar") == [
                "link": .memberLink, "hard": .memberLink, "pipe": .notAFile, "empty": .empty,
                "rnd": .notALog("binary data"),
            ]
        )
        #expect(try reasons("sparse.tar") == ["sparse": .sparseMember])
        #expect(try reasons("deep/3.tar") == ["deep/2/deep/1": .nestedTooDeep])
        #expect(try reasons("up.tar") == ["sub/../b.log": .leadsOutside])
        #expect(try reasons("z.zip") == ["link": .memberLink])
        #expect(try reasons("e.zip") == ["a.log": .encrypted])
    }

    @Test func aLogInAnArchiveThatBeginsWithZerosIsALog() throws {
        let folder = try ScratchFolder()
        let zeros = [UInt8](repeating: 0, count: 20_000)
        let log = Array("\nMar  1 00:00:00 mx postfix/smtpd[1]: connect\n".utf8)
        _ = try folder.file("log", zeros + log)
        _ = try folder.file("zeros", zeros)
        try shell("tar cf out zeros log", in: folder.path.string)
        let opened = try openInputs([folder.path.appending("out")])
        #expect(opened.inputs.map(\.path.lastComponent?.string) == ["log"])
        #expect(opened.skipped.map(\.reason) == [.notALog("binary data")])
        #expect(try readAll(opened.inputs, threads: 2).lines.count == 2)
    }

    @Test func ofABundleOnlyTheLinesAreReadAndAsTheyWere() throws {
        let folder = try ScratchFolder()
        _ = try folder.file("alert.json", Array("{}\n".utf8))
        _ = try folder.file("lines.log", Array("a\\\\b\\x0d\\xff\nhalf\\x\nplain\n".utf8))
        _ = try folder.file("provenance.jsonl", Array("{}\n".utf8))
        try shell(
            "tar cf - alert.json lines.log provenance.jsonl | zstd -q > x.tar.zst",
            in: folder.path.string
        )
        let opened = try openInputs([folder.path.appending("x.tar.zst")])
        #expect(opened.skipped.isEmpty)
        let given = try readAll(opened.inputs, threads: 1)
        #expect(
            given.lines.map(\.bytes)
                == [Array("a\\b\r".utf8) + [0xff], Array("half\\x".utf8), Array("plain".utf8)]
        )
    }

    // MARK: Passes

    /// Members in the order of the archive cost one reading of it, whatever else they cost.
    @Test func membersInTheirOrderAreReadInOnePass() throws {
        let folder = try ScratchFolder()
        _ = try logs(in: folder)
        try shell("tar czf out a.log b.log sub", in: folder.path.string)
        let path = folder.path.appending("out")
        for threads in [0, 2] {
            for isReversed in [false, true] {
                // Looking at it, and at what is compressed in it; going through it; reading it.
                let faults = FaultScript([.init(.openat, .nth(5), .fail(.ioError), path: path)])
                let opened = try openInputs([path], calls: SystemCalls(faults: faults))
                let inputs = isReversed ? opened.inputs.reversed() : opened.inputs
                let given = try readAll(inputs, threads: threads)
                #expect(faults.givenCount == (isReversed ? 1 : 0))
                #expect(given.notes.isEmpty == !isReversed)
            }
        }
    }

    @Test func anOrderThatWouldBeginAnArchiveTooOftenIsGivenUp() throws {
        let folder = try ScratchFolder()
        let names = (0..<70).map { "log\($0 + 10)" }
        for name in names { _ = try folder.file(name, Array("\(name): a line\n".utf8)) }
        try shell("tar cf out.tar log*", in: folder.path.string)
        let path = folder.path.appending("out.tar")
        var inputs = try openInputs([path]).inputs
        #expect(inputs.boundRestarts() == [])
        inputs.reverse()
        #expect(inputs.boundRestarts() == [path])
        #expect(inputs.map(\.path.lastComponent?.string) == names)
        let few = Array(inputs.prefix(60).reversed())
        var bounded = few
        #expect(bounded.boundRestarts() == [])
        #expect(bounded.map(\.path) == few.map(\.path))
    }

    @Test func aTextThatGrowsOutOfNothingIsReadAndToldOf() throws {
        let folder = try ScratchFolder()
        try shell(
            "yes $(head -c 999 /dev/zero | tr '\\0' x) | head -c 20000000 | zstd -q > bomb.zst",
            in: folder.path.string
        )
        let path = folder.path.appending("bomb.zst")
        for threads in [0, 1] {
            let given = try readAll(try openInputs([path]).inputs, threads: threads)
            #expect(given.lines.count == 20_000)
            guard case .expanded(path, 20_000_000, let fileBytes) = given.notes.first else {
                Issue.record("nothing was told: \(given.notes)")
                return
            }
            #expect(fileBytes == UInt64(try bytes(of: path).count))
        }
    }

    @Test func anXzThatNeedsTooMuchMemoryIsRefused() throws {
        let folder = try ScratchFolder()
        _ = try folder.file("log", Array("one\n".utf8))
        try shell("xz -k --lzma2=dict=64MiB log && mv log.xz fits", in: folder.path.string)
        try shell("xz -k --lzma2=dict=512MiB log && mv log.xz big", in: folder.path.string)
        #expect(try replay([folder.path.appending("fits")]).texts == ["one"])
        let given = try replay([folder.path.appending("big")])
        guard case .damaged(let problem) = given.notes.first else {
            Issue.record("no problem was told")
            return
        }
        #expect(problem.damage == .windowTooLarge)
    }

    // MARK: Comparing

    @Test func textsAreComparedWhateverTheyLieIn() throws {
        let folder = try ScratchFolder()
        _ = try logs(in: folder)
        try shell(
            """
            head -n 100 a.log > begin; cp a.log copy; gzip -k a.log
            { head -n 299 a.log; echo other; } > other; tar czf t.tgz b.log a.log
            """,
            in: folder.path.string
        )
        func input(_ name: String) throws -> Input {
            try #require(try openInputs([folder.path.appending(name)]).inputs.last)
        }
        let log = try input("a.log")
        #expect(log.compareText(with: try input("copy")) == .same)
        #expect(log.compareText(with: try input("a.log.gz")) == .same)
        #expect(log.compareText(with: try input("t.tgz")) == .same)
        #expect(try input("t.tgz").compareText(with: log) == .same)
        #expect(log.compareText(with: try input("begin")) == .secondIsBeginning)
        #expect(try input("begin").compareText(with: log) == .firstIsBeginning)
        #expect(log.compareText(with: try input("other")) == .different)
        #expect(log.compareText(with: try input("b.log")) == .different)
    }
}
