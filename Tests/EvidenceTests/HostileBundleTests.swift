import Findings
import LinuxIO
import SystemPackage
import TestSupport
import Testing

@testable import Evidence

/// What a stranger may hand to `postern evidence verify`.
@Suite struct HostileBundleTests {
    @Test(arguments: [
        "../alert.json", "/etc/passwd", "./alert.json", "a/alert.json", "alert.json/",
        "..", "", "ALERT.JSON", "alert.json ", "alert.json\u{301}", "MANIFEST.json.new",
        "lines.log\n", "\u{202e}gol.senil",
    ])
    func onlyTheNamesOfABundleAreTaken(name: String) throws {
        var tar = HandmadeTar()
        tar.add(try memberBytes())
        tar.add(name, [1])
        let code = refusal(tar.packed())
        #expect(code == .unknownMember || code == .damaged)
    }

    @Test(arguments: ["1", "2", "3", "4", "5", "6", "S", "M", "V", "D"] as [Character])
    func linksFoldersAndDevicesAreRefused(type: Character) throws {
        var tar = HandmadeTar()
        tar.add(try memberBytes().filter { $0.0 != "state.json" })
        tar.add("state.json", type: type, link: "alert.json")
        // A sparse file without data is a plain file without bytes; it is not the one that was listed.
        let mismatches = try? BundleReader().read(tar.packed()).check()
        #expect(mismatches?.isEmpty != true)
    }

    @Test func aSymbolicLinkIsNotFollowed() throws {
        var tar = HandmadeTar()
        tar.add("alert.json", type: "2", link: "/etc/passwd")
        #expect(refusal(tar.packed()) == .notAPlainMember)
    }

    /// A pax header can give a member another name than its ustar header shows.
    @Test func aNameInAPaxHeaderCountsLikeAnyOther() throws {
        var tar = HandmadeTar()
        tar.add(try memberBytes())
        tar.add("pax", Array("22 path=../../../evil\n".utf8), type: "x")
        tar.add("state.json", [1])
        #expect(refusal(tar.packed()) == .unknownMember)
    }

    @Test(arguments: BundleMember.allCases)
    func aMemberThatIsThereTwiceIsRefused(member: BundleMember) throws {
        var tar = HandmadeTar()
        tar.add(member.rawValue, [1])
        tar.add(member.rawValue, [1])
        #expect(refusal(tar.packed()) == .duplicateMember)
    }

    @Test(
        arguments: [
            1 << 20, 64 << 20 + 1, 0o777_7777_7776, 1 << 40, UInt64(Int64.max), UInt64.max,
        ] as [UInt64]
    )
    func aSizeThatIsNotThereIsRefused(size: UInt64) throws {
        var tar = HandmadeTar()
        tar.add("state.json", [1], size: size)
        let code = refusal(tar.packed())
        #expect(code == .truncated || code == .tooLarge || code == .damaged)
    }

    /// Zeros without end: a few kilobytes that want to become more than may be.
    @Test func aBombIsRefusedWhenItShows() throws {
        let bomb = zstdFrame(of: [UInt8](repeating: 0, count: 32 << 20))
        #expect(bomb.count < 8_192)
        var limits = BundleLimits()
        limits.archiveBytesMax = 16 << 20
        #expect(refusal(bomb, limits: limits) == .tooLarge)
        limits = BundleLimits()
        limits.memberBytesMax = 1_000
        var tar = HandmadeTar()
        tar.add("state.json", [UInt8](repeating: 0, count: 1_001))
        #expect(refusal(tar.packed(), limits: limits) == .tooLarge)
        limits.fileBytesMax = 10
        #expect(refusal(tar.packed(), limits: limits) == .tooLarge)
    }

    /// RFC 8878, 3.1.1.1.2: a window of 2^(10 + exponent) bytes; 41 is the largest.
    @Test(arguments: [18, 20, 31])
    func aWindowThatTakesTooMuchMemoryIsRefused(exponent: UInt8) {
        let header: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3]
        let lastBlockOfThreeBytes: [UInt8] = [0x19, 0x00, 0x00, 1, 2, 3]
        #expect(refusal(header + lastBlockOfThreeBytes) == .windowTooLarge)
    }

    @Test func emptyAndForeignFilesAreRefused() throws {
        #expect(refusal([]) == .notZstd)
        #expect(refusal([0x28, 0xb5, 0x2f, 0xfd]) == .truncated)
        #expect(refusal(Array("PK\u{3}\u{4} a zip".utf8)) == .notZstd)
        #expect(refusal([0x1f, 0x8b, 0x08, 0x00]) == .notZstd)
        // Frames of zstd's early versions have magic numbers of their own.
        #expect(refusal([0x27, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0]) == .notZstd)
        #expect(refusal(zstdFrame(of: [])) != nil)
        #expect(refusal(zstdFrame(of: Array("no tar at all".utf8))) != nil)
        #expect(refusal(zstdFrame(of: Array("PK\u{3}\u{4} a zip".utf8))) != nil)
        #expect(refusal(HandmadeTar().packed()) == .manifestMissing)
        #expect(refusal(packed([("MANIFEST.json", [])])) == .manifestUnreadable)
    }

    @Test func anArchiveWithoutItsEndMarkIsRefused() throws {
        var tar = HandmadeTar()
        tar.add(try memberBytes())
        #expect(refusal(tar.packed(endBlocks: 0)) != nil)
        #expect(refusal(tar.packed(endBlocks: 1)) != nil)
        #expect(refusal(tar.packed(endBlocks: 20)) == nil)
    }

    @Test(arguments: 1...300)
    func randomBytesInAnyPlaceNeverTrap(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let tar = try content(ofZstdFrame: contents().sealed(), bytesMax: 1 << 20)
        var changed = tar
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            // Headers more often than contents.
            let block = Int.random(in: 0..<(tar.count / 512), using: &random) * 512
            let position = block + Int.random(in: 0..<512, using: &random)
            changed[position] = UInt8.random(in: 0...255, using: &random)
        }
        if let bundle = try? BundleReader().read(zstdFrame(of: changed)) {
            _ = bundle.check()
            _ = try? bundle.lines()
        }
    }

    // MARK: The manifest

    private func withManifest(_ change: (String) -> String) throws -> [UInt8] {
        try packed(
            memberBytes().map { name, bytes in
                name == "MANIFEST.json"
                    ? (name, Array(change(String(decoding: bytes, as: UTF8.self)).utf8))
                    : (name, bytes)
            }
        )
    }

    @Test func aManifestHasOneForm() throws {
        #expect(refusal(try withManifest { $0 }) == nil)
        #expect(refusal(try withManifest { $0 + "\n" }) == .manifestUnreadable)
        #expect(refusal(try withManifest { " " + $0 }) == .manifestUnreadable)
        #expect(
            refusal(try withManifest { replacing("\"created\"", "\"\\u0063reated\"", in: $0) })
                == .manifestUnreadable
        )
        #expect(
            refusal(try withManifest { replacing("\"previous\":null", "\"previous\":0", in: $0) })
                == .manifestUnreadable
        )
        #expect(
            refusal(
                try withManifest { replacing("\"postern.v", "\"x\":1,\"postern.v", in: $0) }
            ) == .manifestUnreadable
        )
        #expect(
            refusal(
                try withManifest {
                    replacing("\"postern.manifest\":1", "\"postern.manifest\":2", in: $0)
                }
            ) == .versionUnknown
        )
        #expect(
            refusal(try withManifest { _ in String(repeating: "[", count: 60_000) })
                == .manifestUnreadable
        )
    }

    /// A manifest that lists fewer members than there are leaves some without proof.
    @Test func aManifestListsEveryMemberInOrder() throws {
        for member in BundleMember.listed {
            let file = try withManifest { text in
                guard let start = range(of: "{\"file.name\":\"\(member.rawValue)\"", in: text),
                    let end = text[start.lowerBound...].firstIndex(of: "}")
                else { return "" }
                var shorter = text
                shorter.removeSubrange(start.lowerBound...end)
                return replacing(
                    "[,",
                    "[",
                    in: replacing(",,", ",", in: replacing(",]", "]", in: shorter))
                )
            }
            let mismatches = try BundleReader().read(file).check()
            #expect(mismatches.contains { $0.member == "MANIFEST.json" })
        }
    }

    @Test func anotherFileNameIsFound() throws {
        let sealed = try contents().sealed()
        let name = contents().name.description
        #expect(try BundleReader().read(sealed, fileName: name).check().isEmpty)
        for other in ["", "x.tar.zst", alertName(sequence: 1), name + ".new", "0" + name] {
            let mismatches = try BundleReader().read(sealed, fileName: other).check()
            #expect(mismatches.map(\.member) == ["file name"])
        }
    }

    private func alertName(sequence: Int) -> String {
        BundleName(alert: alert().id, sequence: sequence).description
    }

    /// A sound manifest over an alert of another episode.
    @Test func anAlertOfAnotherTransitionIsFound() throws {
        let other = alert(sequence: 3, microseconds: 0)
        let members = try memberBytes()
        let otherMembers = try memberBytes(contents(other))
        let manifest = try #require(otherMembers.last)
        let file = packed(members.dropLast() + [manifest])
        let found = try BundleReader().read(file).check().filter { $0.member == "alert.json" }
        #expect(found.contains { $0.expected.hasPrefix("event.sequence 3") && $0.found == "0" })
        #expect(found.contains { $0.expected.hasPrefix("@timestamp 1970-01-01") })
    }

    // MARK: Files

    @Test func aFolderOrPipeIsNoBundle() throws {
        let scratch = try Scratch()
        let pipe = scratch.path.appending("pipe")
        #expect(run("/usr/bin/mkfifo", [pipe.string]) == 0)
        for path in [scratch.path, pipe] {
            #expect {
                try BundleReader().open(path)
            } throws: { error in
                guard case .refused(_, let refusal) = error as? EvidenceError else { return false }
                return refusal.code == .notAFile
            }
        }
    }

    @Test func aMissingFileIsASystemError() throws {
        let scratch = try Scratch()
        #expect {
            try BundleReader().open(scratch.path.appending("none.tar.zst"))
        } throws: { error in
            guard case .system(let error) = error as? EvidenceError else { return false }
            return error.cause == .noSuchFileOrDirectory
        }
    }

    @Test func whatStrangersWroteIsSafeToShow() throws {
        let file = packed([("\u{1b}[31m\u{202e}", [])])
        #expect {
            try BundleReader().read(file)
        } throws: { error in
            !"\(error)".unicodeScalars.contains { $0 == "\u{1b}" || $0 == "\u{202e}" }
        }
    }
}
