import ArgumentParser
import Detection
import LinuxIO
import LogSources
import MailEvents
import MailLog
import Memory
import Pipeline
import SafeText
import Settings
import Sigma
import SystemPackage

/// What every command that reads logs can be told about them.
struct InputOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "Settings file; without it none is read (postern learn: the daemon's)."
    )
    var config: String?

    @Option(
        name: .long,
        help: "Year of the first record in time order, for stamps that have none."
    )
    var year: Int?

    @Option(
        name: .long,
        help: "Zone of stamps that have none: local, UTC, or a name such as Europe/Berlin."
    )
    var timezone: String?

    @Option(
        name: .long,
        help: """
            Whose log it is: postfix, exim, sendmail, opensmtpd, exchange or microsoft365. (Each line \
            tells without this; with it, tags of no known form count as that server's.)
            """
    )
    var dialect: String?

    @Option(
        name: .long,
        help: "Leave out what lies before this time: 2026-03-01 or 2026-03-01T10:00:00Z."
    )
    var since: String?

    @Option(name: .long, help: "Leave out what lies at or after this time.")
    var until: String?

    func validate() throws {
        if let year, !(1970...9_999).contains(year) {
            throw ValidationError("--year takes a year from 1970 to 9999")
        }
        if let dialect, Dialect(name: dialect) == nil {
            let names = Dialect.allCases.map(\.name).joined(separator: ", ")
            throw ValidationError("--dialect takes one of \(names)")
        }
        for (name, value) in [("--since", since), ("--until", until)] {
            if let value, moment(value) == nil {
                throw ValidationError(
                    "\(name) takes a time such as 2026-03-01 or 2026-03-01T10:00:00Z"
                )
            }
        }
    }

    /// The span that `--since` and `--until` leave.
    var window: TimeWindow {
        TimeWindow(start: since.flatMap(moment), end: until.flatMap(moment))
    }

    /// `YYYY-MM-DD` or RFC 3339 in UTC.
    private func moment(_ text: String) -> Int64? {
        let whole = text.count == 10 ? text + "T00:00:00Z" : text
        return parseRFC3339(whole)
    }

    /// The settings file, if one was named.
    func settings() throws -> CheckedSettings? {
        guard let config else { return nil }
        return try readSettings(config)
    }

    /// What the engine needs to know.
    func engineSettings(_ settings: CheckedSettings?, rules: RuleSet) throws -> EngineSettings {
        let zoneName = timezone ?? settings.map(\.timezone.name) ?? "local"
        guard let zone = TimeZoneSetting(zoneName) else {
            throw Failure(.usage, "there is no time zone \(shown(zoneName))")
        }
        var engine = EngineSettings(timeZone: zone, rules: rules)
        engine.firstYear = year
        engine.dialect = dialect.flatMap(Dialect.init(name:))
        if let settings { engine.apply(settings) }
        return engine
    }
}

/// Reads and checks a settings file. All mistakes end the command with status 78.
func readSettings(_ path: String) throws -> CheckedSettings {
    let bytes: [UInt8]
    do {
        bytes = try readWholeFile(FilePath(path), bytesMax: 1 << 20)
    } catch {
        throw Failure(.settings, "\(shown(path)): \(error.cause)")
    }
    let (settings, mistakes) = CheckedSettings.read(bytes, file: path)
    guard let settings, mistakes.isEmpty else {
        throw Failure(.settings, all: mistakes.map { shown("\($0)") })
    }
    return settings
}

/// Loads the shipped rules and those of further folders; warnings go to standard error, and mistakes
/// end the command with status 78.
///
/// - Parameter settings: give the rules that are off, placeholders and further fields.
func loadAllRules(
    shipped: Bool,
    folders: [String],
    optional: Set<String> = [],
    settings: CheckedSettings?
) throws -> RuleSet {
    let found = try loadCheckedRules(
        shipped: shipped,
        folders: folders,
        optional: optional,
        settings: settings
    )
    for warning in found.warnings { warn("warning: " + safeText(warning)) }
    guard found.mistakes.isEmpty else {
        throw Failure(.settings, all: found.mistakes.map(safeText))
    }
    return found.rules
}

/// A mistake or warning of a rule file, safe to show. Backslashes stay as they are: the message has
/// some of its own, that one is to write.
func safeText(_ mistake: Sigma.Mistake) -> String { shownKeepingBackslashes("\(mistake)") }

/// The same with everything that is wrong or doubtful.
///
/// - Parameter knowsEvents: whether the events are a mail server's, or any JSON objects.
func loadCheckedRules(
    shipped: Bool,
    folders: [String],
    optional: Set<String> = [],
    settings: CheckedSettings?,
    knowsEvents: Bool = true
) throws -> (rules: RuleSet, mistakes: [Sigma.Mistake], warnings: [Sigma.Mistake]) {
    var paths: [FilePath] = []
    if shipped {
        guard let folder = shippedRulesFolder() else {
            throw Failure(
                .settings,
                "the shipped rules were not found beside the program (../share/postern/rules)"
            )
        }
        paths.append(folder)
    }
    paths += folders.map { FilePath($0) }
    let loaded: LoadedRules
    do {
        loaded = try loadRules(
            from: paths,
            optional: Set(optional.map { FilePath($0) }),
            leftOut: settings?.rulesOff ?? [],
            placeholders: settings?.placeholders ?? [:]
        )
    } catch {
        throw Failure(.settings, "\(shown(error.path.string)): \(error.cause.cause)")
    }
    var warnings = loaded.warnings
    if knowsEvents {
        warnings += loaded.rules.warnings(
            forFieldsOtherThan: eventFieldNames + (settings?.fields ?? [])
        )
    }
    let mistakes = (loaded.mistakes + regexMistakes(in: loaded.expressions))
        .inFileOrder(of: loaded.files)
    if mistakes.isEmpty { warnings += doubts(about: loaded.rules, knowsEvents: knowsEvents) }
    return (loaded.rules, mistakes, warnings)
}

/// Opens the inputs, puts them into the order of their time, and tells what is left out. Ends the
/// command when nothing can be read.
func openAll(_ paths: [String], _ engine: EngineSettings) throws -> [Input] {
    var opened: OpenedInputs
    do {
        opened = try openInputs(paths.map { FilePath($0) })
    } catch {
        let path = error.cause.path?.string ?? "input"
        throw Failure(
            error.code == .notFound ? .noInput : .failed,
            "\(shown(path)): \(error.cause.cause)"
        )
    }
    opened = ordered(opened, timeZone: engine.timeZone, firstYear: engine.firstYear)
    var named: [String] = []
    for skipped in opened.skipped {
        if skipped.isNamed {
            named.append(skipped.words)
        } else {
            warn(skipped.words + "; left out")
        }
    }
    if opened.inputs.isEmpty {
        throw Failure(.badData, all: named.isEmpty ? ["no log was found in the input"] : named)
    }
    for message in named { warn(message + "; left out") }
    for path in opened.backwards {
        warn(
            "\(shown(path.string)): its rows go from the latest to the earliest, and are read so; for "
                + "rules that look at some time, sort them first"
        )
    }
    for archive in opened.keptInOrder {
        warn(
            "\(shown(archive.string)): its members are read in its own order, since the order of "
                + "their time would take too many passes over it; unpack it into a folder"
        )
    }
    return opened.inputs
}

extension SkippedInput {
    /// What is not read, and why.
    var words: String { "\(shown(path.string)): \(reason.words)" }
}

extension SkippedInput.Reason {
    /// Why, in words.
    var words: String {
        switch self {
        case .empty: "it is empty"
        case .notALog(let why): "it is not a log: \(shown(why))"
        case .duplicate(let other): "it is the same file as \(shown(other.string))"
        case .linkedFolder: "it is a link to a folder"
        case .notAFile: "it is no file"
        case .unreadable(let error): "\(error.cause)"
        case .nestedTooDeep:
            "it lies more than \(ArchiveLimits.nestingMax) archives deep; unpack the outer one"
        case .tooManyMembers:
            "it has more than \(ArchiveLimits.membersMax) members, of which the rest"
        case .memberLink: "it is a link within the archive"
        case .sparseMember: "it is a sparse file within the archive; unpack it"
        case .encrypted: "it is encrypted; unpack it"
        case .unknownMethod(let name):
            "it is compressed by \(shown(name)), which is not read within a zip; unpack it"
        case .leadsOutside: "its name leads out of the archive"
        case .sameText(let other):
            "it is the same log as \(shown(other.string)), and its lines would count twice"
        case .beginning(let other):
            "it is the beginning of \(shown(other.string)), and its lines would count twice"
        }
    }
}

/// The bytes of a file.
///
/// - Throws: the system's error; `fileTooLarge` when it has more than `bytesMax`.
func readWholeFile(_ path: FilePath, bytesMax: Int) throws(SystemCallError) -> [UInt8] {
    let descriptor = try SystemCalls().open(path, [.read])
    return try descriptor.readFully(count: bytesMax, at: 0)
}

func isFolder(_ path: FilePath) -> Bool {
    (try? SystemCalls().status(of: path))?.kind == .folder
}

extension CheckedSettings.Zone {
    /// As `--timezone` takes it.
    var name: String {
        switch self {
        case .local: "local"
        case .utc: "UTC"
        case .named(let name): name
        }
    }
}

extension EngineSettings {
    /// What the settings file says.
    mutating func apply(_ settings: CheckedSettings) {
        accountDomain = settings.accountDomain
        filters = settings.filters
        notReadPrefixes = settings.receipts.notRead
        readPrefixes = settings.receipts.read
        assembly.openMax = settings.limits.openMessages
        assembly.idleMicrosecondsMax = settings.limits.idleSeconds * 1_000_000
        assembly.recipientsMax = settings.limits.recipients
        assembly.keptLinesMax = settings.limits.keptLines
        assembly.unlinkedMicrosecondsMax = settings.limits.filterWaitSeconds * 1_000_000
        memory.daysMax = settings.memory.domainDays
        memory.pairsMax = settings.memory.pairsMax
        memory.domainsPerAccountMax = settings.limits.domainsPerAccount
        memory.heardPerAccountMax = settings.limits.heardPerAccount
        evidenceLinesMax = settings.evidence.linesMax
        detection.latenessMicroseconds = settings.latenessSeconds * 1_000_000
    }
}
