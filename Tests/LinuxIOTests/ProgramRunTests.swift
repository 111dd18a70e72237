import LinuxIO
import SystemPackage
import Testing

@Suite struct ProgramRunTests {
    private func run(
        _ script: String,
        environment: [String] = [],
        milliseconds: Int = 20_000,
        bytesMax: Int = 1_000
    ) throws -> ProgramRun {
        try ProgramRun.run(
            "/bin/sh",
            ["-c", script],
            environment: environment,
            milliseconds: milliseconds,
            bytesMax: bytesMax
        )
    }

    @Test func itGivesWhatAProgramWritesAndItsStatus() throws {
        let done = try run("echo \"$X\"; echo lost >&2; exit 3", environment: ["X=a b"])
        #expect(String(decoding: done.output, as: UTF8.self) == "a b\n")
        #expect(done.status == 3)
    }

    @Test func argumentsMeanNothingToAShell() throws {
        let done = try ProgramRun.run(
            "/bin/echo",
            ["$(date); `id` > /dev/null", "*"],
            environment: [],
            milliseconds: 20_000,
            bytesMax: 1_000
        )
        #expect(String(decoding: done.output, as: UTF8.self) == "$(date); `id` > /dev/null *\n")
    }

    @Test func whatIsTooMuchIsReadAndForgotten() throws {
        let done = try run("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done")
        #expect(done.output.count == 1_000)
        #expect(done.status == 0)
    }

    /// One that goes on for ever, and one that closes its output before.
    @Test(arguments: ["exec sleep 1000", "exec sleep 1000 >&-", "echo x; exec sleep 1000"])
    func aProgramThatTakesTooLongIsKilled(script: String) throws {
        let start = Clocks.monotonicNanoseconds()
        let done = try run(script, milliseconds: 100)
        #expect(done.status == nil)
        #expect(Clocks.monotonicNanoseconds() - start < 60_000_000_000)
    }

    @Test func aSignalIsNoStatus() throws {
        #expect(try run("kill -9 $$").status == nil)
    }

    @Test func aProgramThatIsNotThereIsAnError() {
        #expect {
            try ProgramRun.run(
                "/nonexistent/program",
                [],
                environment: [],
                milliseconds: 1_000,
                bytesMax: 10
            )
        } throws: { error in
            (error as? SystemCallError)?.cause == .noSuchFileOrDirectory
        }
    }

    @Test func aTemporaryFileHasNoNameAndCanBeOpenedAgain() throws {
        let calls = SystemCalls()
        var file = try TemporaryFile(in: "/tmp")
        try file.append(contentsOf: try calls.open("/proc/self/status"))
        for _ in 0..<2 {
            let opened = try calls.open(file.path)
            #expect(try opened.status().linkCount == 0)
            #expect(try opened.readFully(count: 5, at: 0) == Array("Name:".utf8))
        }
    }
}
