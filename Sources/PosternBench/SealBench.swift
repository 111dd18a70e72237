import ArgumentParser
import Evidence
import Findings
import Glibc
import Records
import SystemPackage

/// What sealing a bundle costs: the alert waits for it.
struct SealBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seal",
        abstract: "Times sealing, signing and storing of evidence bundles.",
        discussion: """
            Each bundle has lines as Postfix writes them, six to a message, and an event for each \
            message; they differ from bundle to bundle.

            EXAMPLE
              PosternBench seal --lines 10000 /var/tmp
            """
    )

    @Option(help: "Lines of a bundle.")
    var lines = 10_000

    @Option(help: "Bundles.")
    var bundles = 30

    @OptionGroup var report: ReportOptions

    @Argument(help: "Folder on the disk to measure; a folder is made in it and removed.")
    var folder: String

    func validate() throws {
        guard lines > 0, lines <= 100_000, bundles > 0 else {
            throw ValidationError("counts start at 1, and --lines is at most 100,000")
        }
    }

    func run() throws {
        let path = FilePath(folder).appending("postern-seal-\(getpid())")
        let store = BundleStore(folder: path)
        let signer = EvidenceSigner()
        var milliseconds: [Double] = []
        var packing: [Double] = []
        var size = 0
        for number in 0..<bundles {
            let (alert, kept, events) = made(number)
            let begin = now()
            let contents = BundleContents(
                alert: alert,
                lines: kept,
                events: events,
                rule: Array("title: x\n".utf8),
                settings: Array("{}\n".utf8),
                state: Array("{}\n".utf8)
            )
            let packed = now()
            let sealed = try store.sealCounting(
                contents,
                host: "bench",
                posternVersion: "bench",
                previous: nil,
                signer: signer
            )
            milliseconds.append((now() - begin) * 1e3)
            packing.append((packed - begin) * 1e3)
            size = Int(sealed.byteCount)
            try store.remove(contents.name)
        }
        unsafe rmdir(path.string)
        var result = BenchReport("seal")
        result.input("lines of a bundle", lines)
        result.input("bundles", bundles)
        result.input("bytes sealed", size)
        result.add("a bundle", "ms", milliseconds)
        result.add("of it lines and provenance", "ms", packing)
        report.print(result)
    }

    private func made(_ number: Int) -> (Alert, [EvidenceLine], [[UInt8]]) {
        var kept: [EvidenceLine] = []
        var events: [[UInt8]] = []
        var offset: UInt64 = 0
        for index in 0..<lines {
            let message = number * lines + index / 6
            let text =
                index % 6 == 4
                ? "2026-03-01T10:00:00.\(100_000 + index)+00:00 mx1 postfix/smtp[\(message % 30_000)]: "
                    + "4Xy\(message): to=<x\(message)@d\(index % 977).test>, relay=mx.d\(index).test"
                    + "[203.0.113.9]:25, delay=0.\(index), delays=0/0/0/0.1, dsn=2.0.0, status=sent "
                    + "(250 2.0.0 Ok: queued as \(message)ABC)"
                : "2026-03-01T10:00:00.\(100_000 + index)+00:00 mx1 postfix/cleanup[\(index)]: "
                    + "4Xy\(message): message-id=<\(message &* 2_654_435_761)@pc.example>"
            kept.append(
                EvidenceLine(
                    sequence: UInt64(index),
                    source: "/var/log/mail.log",
                    path: "/var/log/mail.log",
                    identity: FileIdentity(
                        device: 2_049,
                        inode: 131_074,
                        headDigest: 0x00ab_cdef_0123_4567,
                        headByteCount: 1_024
                    ),
                    offset: offset,
                    bytes: Array(text.utf8),
                    isShortened: false
                )
            )
            offset += UInt64(text.utf8.count + 1)
            if index % 6 == 5 {
                events.append(
                    Array(
                        (#"{"@timestamp":"2026-03-01T10:00:00.000Z","user.name":"u\#(message % 7)@x.test","#
                            + #""email.to.address":"x\#(message)@d\#(index % 977).test","email.local_id":"4Xy\#(message)","#
                            + #""email.subject":"Not read: Cheap meds \#(message)","postern.delivery":"sent"}"#)
                            .utf8
                    )
                )
            }
        }
        let alert = Alert(
            id: AlertID(
                rule: "r",
                group: [[UInt8(truncatingIfNeeded: number)]],
                earliestMicroseconds: 0
            ),
            sequence: 0,
            action: .opened,
            microseconds: 1_772_359_200_250_000,
            severity: .high,
            ruleID: "r",
            ruleName: "r"
        )
        return (alert, kept, events)
    }

    private func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
