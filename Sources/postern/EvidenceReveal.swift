import Alerting
import ArgumentParser
import Evidence
import Findings
import LinuxIO
import Pipeline
import Reports
import SafeText
import State
import SystemPackage

struct EvidenceReveal: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reveal",
        abstract: "Tells whom a pseudonym stands for.",
        discussion: """
            Pseudonyms are keyed hashes; the key lies in the state folder (pseudonym.key), and nobody \
            without it can undo them. With it, every name in the alerts and bundles of the state \
            folder, and in further bundles, is tried: there is no list of who is who to be stolen.

            EXAMPLES
              postern evidence reveal p-4k2mzi7c6nqq3x5a@example.com
              postern evidence reveal s-qz5zl3c2h4f6x7aa --bundle ./old/ALERTID.1.tar.zst
            """
    )

    @OptionGroup var folder: StateFolderOptions

    @Option(name: .long, help: "A further bundle whose names are tried. May be repeated.")
    var bundle: [String] = []

    @Argument(help: "Pseudonyms, as they were sent.")
    var pseudonyms: [String]

    func run() throws {
        let path = try folder.path()
        guard let keeping = try pseudonymKey(path, keepsDomains: true),
            let hiding = try pseudonymKey(path, keepsDomains: false)
        else {
            throw Failure(.noInput, "\(shown(path.string)): no pseudonyms were ever given here")
        }
        var wanted = Set(pseudonyms.map { Self.stem($0) })
        func take(_ name: String) {
            guard !name.isEmpty, !wanted.isEmpty else { return }
            for known in [
                hiding.address(name), hiding.domain(name), hiding.subject(name),
                hiding.client(name), keeping.address(name),
            ] where wanted.remove(Self.stem(known)) != nil {
                StandardStream.output.write("\(Self.stem(known))  \(shown(name))\n")
            }
        }
        do {
            // Reports of foreign bundles may have been made with a folder that has only the key.
            let database = path.appending("postern.sqlite")
            let hasState = (try? SystemCalls().status(of: database)) != nil
            for row in hasState ? try readState(path).alerts(limit: .max) : [] {
                guard let facts = try? AlertFacts(json: row.body) else { continue }
                for name in facts.accounts + facts.hosts { take(name) }
                let object = try? JSONObjectReader.read(row.body)
                for name in object?["postern.group"]?.strings ?? [] { take(name) }
                for sentence in [facts.message] + facts.diagnosisFacts {
                    for word in sentence.split(whereSeparator: { " ,;<>()[]".contains($0) })
                    where word.contains("@") || word.contains(".") || word.contains(":") {
                        take(String(word).trimmingEnd)
                    }
                }
            }
        } catch let error as StateError {
            throw Failure(reading: error)
        }
        var files = bundle
        let evidence = path.appending("evidence")
        for stored in (try? BundleStore(folder: evidence).list()) ?? [] {
            files.append(evidence.appending(stored.name.description).string)
        }
        for file in files where !wanted.isEmpty {
            let opened = try openBundle(file)
            for line in (opened[.events] ?? []).split(separator: UInt8(ascii: "\n")) {
                guard let object = try? JSONObjectReader.read(Array(line)),
                    let event = ReportedEvent(object)
                else { continue }
                for name in [
                    event.account, event.recipient, event.domain, event.subject ?? "",
                    event.client ?? "", event.sender ?? "", event.baitSender ?? "",
                ] { take(name) }
            }
        }
        guard wanted.isEmpty else {
            throw Failure(
                .noInput,
                all: wanted.sorted().map { "\(shown($0)): none of the names that are known here" }
            )
        }
    }

    /// The pseudonym without a domain.
    private static func stem(_ text: String) -> String {
        let end = text.firstIndex(of: "@")
        let stem = String(end.map { text[..<$0] } ?? text[...])
        return stem.hasSuffix(".invalid") ? String(stem.dropLast(8)) : stem
    }
}

extension String {
    /// Without the punctuation of a sentence at its end.
    fileprivate var trimmingEnd: String {
        var text = self
        while let last = text.last, ".,:;".contains(last) { text.removeLast() }
        return text
    }
}

/// The key of the pseudonyms of a state folder; nil when there is none.
func pseudonymKey(
    _ folder: FilePath,
    keepsDomains: Bool,
    makesOne: Bool = false
) throws -> Pseudonyms? {
    do {
        return try PseudonymKey.open(
            folder: folder,
            keepsDomains: keepsDomains,
            makesOne: makesOne
        )
    } catch {
        throw Failure(.failed, shown("\(error)"))
    }
}

/// `--pseudonyms`, for what is exported.
struct PseudonymOptions: ParsableArguments {
    @Flag(
        name: .long,
        help: "Put pseudonyms in place of addresses, logins, and subjects; leave raw lines out."
    )
    var pseudonyms = false

    @Flag(name: .long, help: "Hide domains too.")
    var hideDomains = false

    func validate() throws {
        if hideDomains, !pseudonyms {
            throw ValidationError("--hide-domains goes with --pseudonyms")
        }
    }

    func apply(to incident: Incident, _ folder: StateFolderOptions) throws -> Incident {
        try key(folder).map { incident.withPseudonyms($0) } ?? incident
    }

    func apply(to overview: Overview, _ folder: StateFolderOptions) throws -> Overview {
        try key(folder).map { overview.withPseudonyms($0) } ?? overview
    }

    /// Nil: names stay.
    private func key(_ folder: StateFolderOptions) throws -> Pseudonyms? {
        guard pseudonyms else { return nil }
        let path = try folder.path()
        guard isFolder(path) else {
            throw Failure(
                .noInput,
                "\(shown(path.string)): no state folder, which keeps the key of pseudonyms; name one "
                    + "with --state"
            )
        }
        return try pseudonymKey(path, keepsDomains: !hideDomains, makesOne: true)
    }
}
