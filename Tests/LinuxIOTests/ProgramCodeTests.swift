import Testing

@testable import LinuxIO

@Suite struct ProgramCodeTests {
    /// As proc_pid_maps(5) shows them: other rights, other files, no file.
    @Test func onlyTheProgramsOwnCodeIsMeant() {
        let maps = """
            55d0a26f0000-55d0fcd35000 r-xp 00000000 fe:00 5318265      /usr/bin/postern
            55d0fcd36000-55d0fce55000 r--p 02ac6000 fe:00 5318265      /usr/bin/postern
            55d0fce55000-55d0ff380000 rw-p 02be5000 fe:00 5318265      /usr/bin/postern
            55d0ff400000-55d0ff401000 r-xp 02be5000 fe:00 5318265      /usr/bin/postern (deleted)
            7f6823000000-7f6823001000 r-xp 00000000 fe:00 5318266      /usr/bin/postern2
            7f6823237000-7f682323f000 r-xp 00000000 00:00 0
            7ffd3a5f8000-7ffd3a5fa000 r-xp 00000000 00:00 0            [vdso]
            zz-7ffd3a5fa000 r-xp 00000000 fe:00 5318265                /usr/bin/postern
            7f00-7e00 r-xp 00000000 fe:00 5318265                      /usr/bin/postern
            55d1a26f0000-55d1fcd35000 rwxp 00000000 fe:00 5318265      /usr/bin/postern

            """
        #expect(
            ProgramCode.ranges(ofCodeOf: "/usr/bin/postern", in: maps)
                == [0x55d0_a26f_0000..<0x55d0_fcd3_5000]
        )
        #expect(ProgramCode.ranges(ofCodeOf: "/usr/bin/other", in: maps) == [])
        // One that was replaced by an upgrade, as the link to it names it as well.
        #expect(ProgramCode.ranges(ofCodeOf: "/usr/bin/postern (deleted)", in: maps).count == 1)
    }

    /// The code is taken away under its own feet, and comes back.
    @Test func whatIsReleasedComesBack() {
        for _ in 0..<3 { ProgramCode.release() }
        #expect([3, 1, 2].sorted() == [1, 2, 3])
    }
}
