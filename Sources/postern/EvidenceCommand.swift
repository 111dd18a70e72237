import ArgumentParser
import Evidence
import Findings
import LinuxIO
import Pipeline
import SafeText
import SystemPackage

struct EvidenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evidence",
        abstract: "Lists, shows and verifies the sealed proof of alerts.",
        discussion: """
            EXAMPLES
              postern evidence list ./bundles
              postern evidence show ./bundles/ALERTID.0.tar.zst
              postern evidence verify ./bundles/*.tar.zst
            """,
        subcommands: [List.self, Show.self, Verify.self]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the bundles in a folder.",
            discussion: "EXAMPLE\n  postern evidence list /var/lib/postern/evidence"
        )

        @Flag(name: .long, help: "Print JSON, one object a line.")
        var json = false

        @Argument(help: "The folder of the bundles.")
        var folder = "/var/lib/postern/evidence"

        func run() throws {
            let path = FilePath(folder)
            guard isFolder(path) else {
                throw Failure(.noInput, "\(shown(folder)): no such folder")
            }
            let bundles: [StoredBundle]
            do {
                bundles = try BundleStore(folder: path).list()
            } catch {
                throw Failure(.failed, "\(error)")
            }
            var output = BufferedOutput()
            for bundle in bundles {
                if json {
                    var object = JSONObjectWriter()
                    object.member("event.id", bundle.name.alert.description)
                    object.member("event.sequence", bundle.name.sequence)
                    object.member("postern.evidence", bundle.name.description)
                    object.member("file.size", bundle.byteCount)
                    output.writeLine(object.finished())
                } else {
                    output.write("\(bundle.name)  \(bundle.byteCount) bytes\n")
                }
            }
            output.flush()
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows what is in a bundle.",
            discussion: "EXAMPLE\n  postern evidence show ./bundles/ALERTID.0.tar.zst"
        )

        @Argument(help: "A bundle.")
        var bundle: String

        func run() throws {
            let opened = try open(bundle)
            var output = BufferedOutput()
            output.write("\(opened.name)\n")
            output.write("manifest sha256 \(opened.manifestDigest)\n\n")
            for member in BundleMember.listed {
                guard let bytes = opened[member] else { continue }
                output.write("== \(member.rawValue) (\(bytes.count) bytes)\n")
                for line in String(decoding: bytes, as: UTF8.self).split(
                    separator: "\n",
                    omittingEmptySubsequences: false
                ) {
                    // lines.log is escaped already; a backslash stays one.
                    output.write(shownKeepingBackslashes(String(line)) + "\n")
                }
            }
            output.flush()
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks bundles and runs the engine over them again.",
            discussion: """
                Every digest must hold, and the engine, run over the bundle's own lines from its \
                stated prior facts, must come to the same alert. Any failed check: status 1.

                EXAMPLE
                  postern evidence verify ./bundles/*.tar.zst
                """
        )

        @Argument(help: "Bundles.")
        var bundles: [String]

        func run() throws {
            var failures = 0
            for path in bundles {
                let opened: EvidenceBundle
                do {
                    opened = try open(path)
                } catch let failure as Failure where failure.status == .failed {
                    failure.print()
                    failures += 1
                    continue
                }
                let result = verify(opened)
                if result.holds {
                    StandardStream.output.write(
                        "\(shown(path)): self-consistent, unsigned; \(result.lineCount) lines give "
                            + "the alert \(result.alertID ?? "") again\n"
                    )
                } else {
                    failures += 1
                    for finding in result.findings { warn("\(shown(path)): \(shown(finding))") }
                }
            }
            if failures > 0 { throw Failure(.failed) }
        }
    }
}

private func open(_ path: String) throws -> EvidenceBundle {
    do {
        return try BundleReader().open(FilePath(path))
    } catch .system(let error) where error.cause == .noSuchFileOrDirectory {
        throw Failure(.noInput, "\(shown(path)): no such file")
    } catch {
        throw Failure(.failed, "\(error)")
    }
}
