import ArgumentParser
import Evidence
import Findings
import LinuxIO
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
        subcommands: [
            List.self, Show.self, EvidenceVerify.self, EvidenceExtract.self, EvidenceExport.self,
            EvidenceReveal.self, EvidenceKeyCommand.self, EvidenceRotateKey.self,
        ]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the bundles in a folder.",
            discussion: "EXAMPLE\n  postern evidence list /var/lib/postern/evidence"
        )

        @Flag(name: .long, help: "Print JSON, one object a line.")
        var json = false

        @OptionGroup var state: StateFolderOptions

        @Argument(help: "The folder of the bundles. Default: that of the state folder.")
        var folder: String?

        func run() throws {
            let path = try folder.map { FilePath($0) } ?? state.path().appending("evidence")
            guard isFolder(path) else {
                throw Failure(.noInput, "\(shown(path.string)): no such folder")
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
            let opened = try openBundle(bundle)
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
}
