import ArgumentParser
import Evidence
import LinuxIO
import Reports
import SafeText
import SystemPackage

struct EvidenceExtract: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "extract",
        abstract: "Gives the raw lines of a bundle, or its members.",
        discussion: """
            Without an option: the lines to standard output, byte by byte as they were logged, so that \
            other tools, or postern replay -, can read them. They are what strangers wrote: do not \
            send them to a terminal.

            EXAMPLES
              postern evidence extract ALERTID.0.tar.zst > lines
              postern evidence extract --member rule.yml ALERTID.0.tar.zst
              postern evidence extract --to ./unpacked ALERTID.0.tar.zst
            """
    )

    @Option(name: .long, help: "Write this member to standard output, such as alert.json.")
    var member: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Write all members into this folder, which is made.",
            valueName: "FOLDER"
        )
    )
    var to: String?

    @Argument(help: "A bundle.")
    var bundle: String

    func validate() throws {
        if member != nil, to != nil {
            throw ValidationError("--member and --to exclude each other")
        }
    }

    func run() throws {
        let opened = try openBundle(bundle)
        if let to {
            try extract(opened, to: FilePath(to))
            return
        }
        var output = BufferedOutput()
        if let member {
            guard let known = BundleMember(rawValue: member), let bytes = opened[known] else {
                let names = BundleMember.allCases.filter { opened[$0] != nil }.map(\.rawValue)
                throw Failure(
                    .noInput,
                    "the bundle has no \(shown(member)); it has \(names.joined(separator: ", "))"
                )
            }
            output.write(bytes)
        } else {
            do {
                for line in try opened.lines() {
                    output.write(line.bytes)
                    output.write("\n")
                }
            } catch {
                throw Failure(.failed, "\(shown(bundle)): \(error.mismatch)")
            }
        }
        output.flush()
    }

    private func extract(_ bundle: EvidenceBundle, to folder: FilePath) throws {
        let calls = SystemCalls()
        do {
            try calls.makeFolders(folder, mode: 0o700)
            // The names are ours, not the archive's; nothing that is there is written over.
            for member in BundleMember.allCases {
                guard let bytes = bundle[member] else { continue }
                let file = try calls.open(
                    folder.appending(member.rawValue),
                    [.write, .create, .exclusive, .noFollow],
                    mode: 0o600
                )
                try file.writeAll(bytes)
            }
        } catch {
            throw Failure(.failed, shown("\(error)"))
        }
    }
}

struct EvidenceExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Gives an alert and its proof in other forms.",
        discussion: """
            timeline: what happened, one line each, in the order of time. stix: STIX 2.1, with a \
            sighting, the observed data and an indicator, for other sites and platforms. abuse: a \
            letter to each domain that receipts went to, without names of yours.

            EXAMPLES
              postern evidence export 4k2m
              postern evidence export --format stix 4k2m > incident.json
              postern evidence export --format stix --pseudonyms --hide-domains 4k2m
              postern evidence export ./bundles/ALERTID.*.tar.zst
            """
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case timeline, stix, abuse }

    @OptionGroup var folder: StateFolderOptions

    @OptionGroup var names: PseudonymOptions

    @Option(name: .long, help: "timeline, stix or abuse.")
    var format = Format.timeline

    @Argument(help: "An alert's ID, or its bundles.")
    var alert: [String]

    func run() throws {
        let incident = try names.apply(to: reportedIncident(alert, folder), folder)
        var output = BufferedOutput()
        switch format {
        case .timeline: output.write(incident.timelineText())
        case .stix: output.writeLine(incident.stix())
        case .abuse:
            let letters = incident.abuseReports()
            guard !letters.isEmpty else {
                throw Failure(.noInput, "none of the alert's messages is a read receipt")
            }
            output.write(letters)
        }
        output.flush()
    }
}
