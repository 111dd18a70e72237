import Findings
import Records
import SystemPackage
import TestSupport
import Testing

@testable import Evidence

/// What goes into a bundle comes out of it, byte for byte.
@Suite struct RoundTripTests {
    private func read(_ contents: BundleContents) throws -> EvidenceBundle {
        try BundleReader().read(contents.sealed(), fileName: contents.name.description)
    }

    @Test func everyByteValueComesBack() throws {
        let all = [UInt8](0...255)
        var lines = all.map { line(UInt64($0), [$0]) }
        lines.append(line(256, all))
        lines.append(line(257, all.reversed()))
        lines.append(line(258, [UInt8]()))
        let bundle = try read(contents(lines: lines))
        #expect(bundle.check().isEmpty)
        #expect(try bundle.lines() == lines)
    }

    /// Every byte after every other: all beginnings of UTF-8 sequences, escapes of escapes.
    @Test func everyPairOfBytesComesBack() throws {
        let lines = (UInt8.min ... .max).map { first in
            line(UInt64(first), (UInt8.min ... .max).flatMap { [first, $0] })
        }
        let (log, provenance) = EvidenceLine.encode(lines)
        var reader = EvidenceLineReader(log: log, provenance: provenance)
        for expected in lines { #expect(try reader.next() == expected) }
        #expect(try reader.next() == nil)
    }

    @Test(arguments: 1...100)
    func randomLinesComeBack(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let words: [[UInt8]] = [
            [0x0a], [0x5c], Array("\\x0a".utf8), [0xc3, 0xa9], [0xc3], [0xed, 0xa0, 0x80],
            [0xf4, 0x90, 0x80, 0x80], Array("from=<x>".utf8), [0], [0x7f], [0xe2, 0x80, 0xae],
        ]
        let lines = (0..<Int.random(in: 0...20, using: &random)).map { _ in
            EvidenceLine(
                sequence: UInt64.random(in: 0 ... .max, using: &random),
                source: "s\u{202e}\"\\\u{0}é",
                path: "/var/log/e\u{301}\n/\u{1F4E7}",
                identity: Bool.random(using: &random)
                    ? nil
                    : FileIdentity(
                        device: UInt64.random(in: 0 ... .max, using: &random),
                        inode: UInt64.random(in: 0 ... .max, using: &random),
                        headDigest: UInt64.random(in: 0 ... .max, using: &random),
                        headByteCount: UInt32.random(in: 0 ... .max, using: &random)
                    ),
                offset: UInt64.random(in: 0 ... .max, using: &random),
                bytes: (0..<Int.random(in: 0...9, using: &random)).flatMap { _ in
                    words.randomElement(using: &random) ?? []
                },
                isShortened: Bool.random(using: &random)
            )
        }
        let bundle = try read(contents(lines: lines))
        #expect(bundle.check().isEmpty)
        #expect(try bundle.lines() == lines)
    }

    @Test func oneRecordIsOneLineOfText() throws {
        let bundle = try read(contents())
        let log = try #require(bundle[.lines])
        #expect(
            String(validating: log, as: UTF8.self)
                == "Mar  1 10:00:00 mx postfix/smtpd[9]: 4WxYz1: client=c.example[192.0.2.9]\n"
                + #"A\\\x0a\x00\xffé\x7f"# + "\n"
        )
    }

    /// Each other way to write a line that means the same is refused.
    @Test(arguments: [
        (#"A\x5c"#, #"A\\"#), (#"\xFF"#, #"\xff"#), (#"\x41"#, "A"), (#"\xc3\xa9"#, "é"),
    ])
    func aLineHasOneForm(other: String, usual: String) throws {
        let (log, provenance) = EvidenceLine.encode([line(1, rawBytesOf(usual))])
        #expect(log == Array((usual + "\n").utf8))
        for log in [other + "\n", usual, usual + "\n\n", usual + "\r\n", "", usual + "\\\n"] {
            var reader = EvidenceLineReader(log: Array(log.utf8), provenance: provenance)
            #expect(throws: EvidenceLineError.self) {
                while try reader.next() != nil {}
            }
        }
    }

    /// A place that says less, more or something else than what is sealed, or says it in another way.
    @Test(arguments: [
        (#""postern.line":1"#, #""postern.line":2"#), (#""postern.line":1,"#, ""),
        (#""log.offset":100"#, #""log.offset": 100"#), (#""log.offset":100"#, #""log.offset":1e2"#),
        (#""log.offset":100"#, #""log.offset":-1"#), (#""log.offset":100,"#, ""),
        (#""log.file.inode":""#, #""log.file.inode":"0"#), (#""2049""#, "2049"),
        (#""log.file.inode":"9007199254740993","#, ""), (#"false}"#, #"false,"x":1}"#),
        (#""sha256":"4"#, #""sha256":"5"#), (#""sha256":"#, #""sha512":"#), (#"{"#, #"[{"#),
        (#":1024,"#, #":18446744073709551616,"#), (#""maillog""#, #""m\u0061illog""#),
        (#""maillog""#, "\"" + String(repeating: "x", count: 70_000) + "\""),
    ])
    func aPlaceHasOneForm(part: String, other: String) {
        let (log, provenance) = EvidenceLine.encode([line(1, "{}")])
        let text = String(decoding: provenance, as: UTF8.self)
        let changed = replacing(part, other, in: text)
        #expect(changed != text)
        var reader = EvidenceLineReader(log: log, provenance: Array(changed.utf8))
        #expect(throws: EvidenceLineError.self) { try reader.next() }
        #expect(reader.isAtEnd)
    }

    private func rawBytesOf(_ text: String) -> [UInt8] {
        switch text {
        case #"A\\"#: [0x41, 0x5c]
        case #"\xff"#: [0xff]
        default: Array(text.utf8)
        }
    }

    @Test func anEmptyBundleHolds() throws {
        let bundle = try read(contents(lines: []))
        #expect(bundle.check().isEmpty)
        #expect(try bundle.lines().isEmpty)
    }

    @Test func alertAndManifestTellOfTheSameTransition() throws {
        let bundle = try read(contents(alert(sequence: 12)))
        #expect(bundle.name.sequence == 12)
        #expect(bundle.manifest.host == "mx.example")
        #expect(bundle.manifest.created == "2026-03-01T10:00:00.250Z")
        #expect(bundle.manifest.previous == nil)
        var alert = alert(sequence: 12)
        alert.evidence = nil
        #expect(bundle[.alert] == alert.json() + [newline])
    }

    // MARK: One form

    @Test func theSameContentsGiveTheSameBytes() throws {
        let sealed = try contents().sealed()
        for _ in 0..<3 { #expect(try contents().sealed() == sealed) }
        #expect(try contents(state: "[]").sealed() != sealed)
        #expect(try contents().sealed(previous: digestHex([])) != sealed)
    }

    /// Times that a tar header cannot hold are held at its ends.
    @Test(arguments: [
        (Int64.min, 0), (-1, 0), (0, 0), (1_772_359_200_999_999, 1_772_359_200),
        (Int64.max, 0o777_7777_7777),
    ])
    func theArchiveHasTheTimeOfTheAlert(microseconds: Int64, seconds: Int) throws {
        let sealed = try contents(alert(microseconds: microseconds)).sealed()
        #expect(try BundleReader().read(sealed).check().isEmpty)
        let tar = try content(ofZstdFrame: sealed, bytesMax: 1 << 20)
        let digits = String(decoding: tar[136..<147], as: UTF8.self)
        #expect(Int(digits, radix: 8) == seconds)
    }

    /// A header to the byte, as POSIX ("pax", ustar Interchange Format) has it: octal numbers, the
    /// checksum as the sum of all bytes with its own eight as spaces.
    @Test func theArchiveHasTheFormOfVersionOne() {
        let entries = [ArchiveEntry(name: "state.json", bytes: Array("{}".utf8))]
        let tar = tarArchive(of: entries, microseconds: 1_772_359_200_250_000)
        let fields = [
            (100, "state.json"), (8, "000444 "), (8, "000000 "), (8, "000000 "),
            (12, "00000000002 "), (12, "15151007040 "), (8, "CHECKSUM"), (1, "0"), (100, ""),
            (6, "ustar"), (2, "00"), (32, ""), (32, ""), (8, "000000 "), (8, "000000 "), (155, ""),
            (12, ""),
        ]
        var expected = fields.flatMap { count, text in
            Array(text.utf8) + [UInt8](repeating: 0, count: count - text.utf8.count)
        }
        expected.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
        let sum = expected.reduce(0) { $0 + Int($1) }
        expected.replaceSubrange(148..<156, with: Array("0\(String(sum, radix: 8))\0 ".utf8))
        expected += Array("{}".utf8) + [UInt8](repeating: 0, count: 510 + 1_024)
        #expect(tar == expected)
        #expect(archiveByteCount(entries) == tar.count)
    }

    @Test func theManifestHasTheFormOfVersionOne() throws {
        var manifest = Manifest(
            of: contents(),
            host: "mx.example",
            posternVersion: "1.0.0",
            previous: digestHex(Array("before".utf8)),
            key: nil
        )
        manifest.members = [
            Manifest.Entry(
                name: "state.json",
                byteCount: 2,
                digest: digestHex(Array("{}".utf8))
            )
        ]
        let expected =
            #"{"postern.manifest":1,"postern.version":"1.0.0","host.name":"mx.example","#
            + #""event.id":"si6fpisruqfgh3qqpwhu27jjh4","event.sequence":0,"#
            + #""created":"2026-03-01T10:00:00.250Z","previous":"#
            + #""6db7d803e74f1ffa7d8f5adc0bf95b3e15bf4c8373fffadf546227cc6c6742cb","#
            + #""members":[{"file.name":"state.json","file.size":2,"file.hash.sha256":"#
            + #""44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}]}"# + "\n"
        #expect(String(decoding: manifest.json(), as: UTF8.self) == expected)
        #expect(try Manifest(reading: manifest.json()) == manifest)
    }

    @Test func theProvenanceHasTheFormOfVersionOne() throws {
        let (_, provenance) = EvidenceLine.encode([line(1, "{}")])
        let expected =
            #"{"postern.line":1,"postern.sequence":1,"postern.source":"maillog","#
            + #""log.file.path":"/var/log/mail.log","log.file.device_id":"2049","#
            + #""log.file.inode":"9007199254740993","log.file.fingerprint":"00abcdef01234567","#
            + #""postern.fingerprint_bytes":1024,"log.offset":100,"#
            + #""sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","#
            + #""postern.shortened":false}"# + "\n"
        #expect(String(decoding: provenance, as: UTF8.self) == expected)
    }

    /// As an operator opens it, with the tools of every Linux system.
    @Test func tarAndZstdReadIt() throws {
        let scratch = try Scratch()
        let file = scratch.path.appending(contents().name.description)
        try write(try contents().sealed(), to: file)
        let arguments = ["--zstd", "-xf", file.string, "-C", scratch.path.string]
        if run("/usr/bin/zstd", ["-q", "-t", file.string]) == nil
            || run("/usr/bin/tar", ["--version"]) == nil
        {
            // Not on this machine: then as libarchive's tar would.
            #expect(try BundleReader().open(file).check().isEmpty)
            return
        }
        #expect(run("/usr/bin/tar", arguments) == 0)
        for (name, bytes) in try memberBytes() {
            #expect(try contents(of: scratch.path.appending(name)) == bytes)
            #expect(mode(scratch.path.appending(name)) & 0o222 == 0)
        }
    }

    /// And packed again by them, unchanged or changed.
    @Test func whatTarAndZstdPackedAgainIsReadAsItIs() throws {
        let scratch = try Scratch()
        for (name, bytes) in try memberBytes() {
            try write(bytes, to: scratch.path.appending(name))
        }
        let file = scratch.path.appending(contents().name.description)
        let names = try memberBytes().map(\.0)
        let arguments = ["--zstd", "-cf", file.string, "-C", scratch.path.string] + names
        guard run("/usr/bin/zstd", ["--version", "-q"]) != nil,
            let status = run("/usr/bin/tar", arguments)
        else { return }
        #expect(status == 0)
        #expect(try BundleReader().open(file).check().isEmpty)
        try write(Array("{ }".utf8), to: scratch.path.appending("state.json"))
        #expect(run("/usr/bin/tar", arguments) == 0)
        #expect(try BundleReader().open(file).check().map(\.member).contains("state.json"))
    }
}
