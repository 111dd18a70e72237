import Detection
public import Evidence
import Findings
import LogSources
import MailEvents
import MailLog
import Memory
import Records
import SafeText
import Sigma

/// What checking a bundle came to.
public struct BundleVerification: Sendable {
    /// What does not hold, each as a sentence; empty when everything does.
    public var findings: [String] = []
    /// The alert that the engine came to from the bundle's own lines.
    public var alertID: String?
    public var lineCount = 0
    public var eventCount = 0

    public var holds: Bool { findings.isEmpty }
}

/// Checks a bundle's digests, then runs the engine over its lines from its stated prior facts: the
/// alert must come out with the same ID (architecture §9).
public func verify(_ bundle: EvidenceBundle) -> BundleVerification {
    var result = BundleVerification()
    result.findings = bundle.check().map { "\($0)" }
    guard result.findings.isEmpty else { return result }
    let lines: [EvidenceLine]
    do {
        lines = try bundle.lines()
    } catch {
        result.findings.append("\(error)")
        return result
    }
    result.lineCount = lines.count
    guard let settings = bundle[.settings].flatMap({ try? JSONObjectReader.read($0) }),
        let state = bundle[.state].flatMap({ StatedFacts(json: $0) }),
        let alert = bundle[.alert].flatMap({ try? JSONObjectReader.read($0) }),
        let rule = bundle[.rule]
    else {
        result.findings.append(
            "settings.json, state.json, alert.json or rule.yml is not of its form"
        )
        return result
    }
    var placeholders: [String: [String]] = [:]
    for member in settings.members where member.name.hasPrefix(EngineSettings.placeholderPrefix) {
        let name = String(member.name.dropFirst(EngineSettings.placeholderPrefix.count))
        placeholders[name] = member.value.strings
    }
    let reading = RuleReading(
        [RuleFile(name: "rule.yml", bytes: rule)],
        placeholders: placeholders
    )
    for mistake in reading.mistakes { result.findings.append("\(mistake)") }
    guard let zoneName = settings["timezone"]?.string,
        let zone = TimeZoneSetting(zoneName)
    else {
        result.findings.append("settings.json names a time zone that is not known here")
        return result
    }
    guard result.findings.isEmpty else { return result }
    var engineSettings = EngineSettings(timeZone: zone, rules: reading.rules)
    engineSettings.firstYear = state.firstYear
    engineSettings.accountDomain = settings["account_domain"]?.string
    engineSettings.filters = settings["filters"]?.strings ?? []
    engineSettings.dialect = (settings["dialect"]?.string).flatMap(Dialect.init(name:))
    engineSettings.notReadPrefixes = settings["receipts.not_read"]?.strings ?? []
    engineSettings.readPrefixes = settings["receipts.read"]?.strings ?? []
    if let lateness = settings["lateness_seconds"]?.integer, lateness >= 0, lateness < 1 << 32 {
        engineSettings.detection.latenessMicroseconds = lateness * 1_000_000
    }
    if let count = settings["limits.window_events"]?.integer, count > 0, count < 1 << 24 {
        engineSettings.detection.windowEventsMax = Int(count)
    }
    let wanted = alert["event.id"]?.string ?? ""
    do {
        let output = try rerun(
            lines,
            settings: engineSettings,
            state: state,
            ruleID: alert["rule.id"]?.string ?? "",
            group: alert["postern.group"]?.strings ?? []
        )
        result.eventCount = output.events.count
        result.alertID = output.alerts.first { $0.id.description == wanted }?.id.description
        if result.alertID == nil {
            let others = output.alerts.map(\.id.description)
            result.findings.append(
                others.isEmpty
                    ? "the engine raises no alert from these lines"
                    : "the engine comes to the alert \(others[0]), not to \(wanted)"
            )
        }
        result.findings += differences(of: bundle[.events] ?? [], from: output)
        if result.alertID != nil {
            let same = output.alerts.filter { $0.id.description == wanted }
            result.findings += differences(of: alert, from: same, output)
        }
    } catch {
        result.findings.append("the engine cannot run over these lines: \(error)")
    }
    return result
}

private struct RerunOutput: EngineOutput {
    var alerts: [Alert] = []
    /// By queue ID and recipient; of two with the same, as after a queue ID came back, each.
    var events: [[String?]: [JSONObject]] = [:]

    mutating func finished(_ event: SendEvent, record: String) {
        let json = event.json(record: record, timestamp: event.submittedMicroseconds)
        guard let object = try? JSONObjectReader.read(json) else { return }
        events[Self.key(object), default: []].append(object)
    }

    static func key(_ event: JSONObject) -> [String?] {
        [event["email.local_id"]?.string, event["email.to.address"]?.string]
    }

    mutating func changed(_ alert: Alert, bundle: BundleContents?) { alerts.append(alert) }
    mutating func raised(_ notice: Notice) {}
}

/// What an event says of who sent what to whom: all of it stands in lines of its message.
private let provenFields = [
    "user.name", "source.ip", "email.message_id", "email.sender.address", "email.subject",
    "destination.domain", "postern.dialect",
]

/// How many differences are told.
private let differencesMax = 10

/// Where `events.jsonl` says something that the bundle's lines do not.
private func differences(of events: [UInt8], from output: RerunOutput) -> [String] {
    var findings: [String] = []
    for (index, line) in events.split(separator: UInt8(ascii: "\n")).enumerated() {
        guard findings.count < differencesMax else { return findings }
        let place = "\(BundleMember.events.rawValue):\(index + 1)"
        guard let event = try? JSONObjectReader.read(Array(line)) else {
            findings.append("\(place) is no JSON object")
            continue
        }
        let key = RerunOutput.key(event)
        guard let same = output.events[key] else {
            findings.append(
                "\(place) is of a message \(key[0] ?? "without a queue ID") to \(key[1] ?? "nobody"), "
                    + "of which the lines do not tell"
            )
            continue
        }
        for field in provenFields where !same.contains(where: { $0[field] == event[field] }) {
            findings.append(
                "\(place) says \(field) \(event[field]?.string ?? "none"), the lines say "
                    + (same.first?[field]?.string ?? "none")
            )
        }
    }
    return findings
}

/// Where `alert.json` says more than the engine came to.
///
/// The engine does not see how the episode went on: what came later is held to its events.
///
/// - Parameter transitions: of the same alert, at least one.
private func differences(
    of alert: JSONObject,
    from transitions: [Alert],
    _ output: RerunOutput
) -> [String] {
    var findings: [String] = []
    let member = BundleMember.alert.rawValue
    if let first = transitions.first, let name = alert["rule.name"]?.string,
        name != first.ruleName
    {
        findings.append("\(member) says rule.name \(name), the rule says \(first.ruleName)")
    }
    guard (alert["postern.degraded"]?.strings ?? []).isEmpty else { return findings }
    let events = output.events.values.reduce(0) { $0 + $1.count }
    if let stated = alert["postern.count"]?.integer, stated > events {
        findings.append("\(member) counts \(stated), the lines tell of \(events) messages")
    }
    var accounts = Set(transitions.flatMap(\.accounts))
    for event in output.events.values.joined() {
        if let account = event["user.name"]?.string { accounts.insert(account) }
    }
    for account in (alert["related.user"]?.strings ?? []).filter({ !accounts.contains($0) })
        .prefix(differencesMax)
    {
        findings.append("\(member) names the account \(account), which the lines do not bring up")
    }
    return findings
}

private func rerun(
    _ lines: [EvidenceLine],
    settings: EngineSettings,
    state: StatedFacts,
    ruleID: String,
    group: [String]
) throws -> RerunOutput {
    let source = LaneSource(name: "bundle", table: FileTable())
    var engine = try Engine(settings, sources: [source], stated: state)
    engine.showsEvents = true
    if let prior = state.prior {
        engine.restore(prior: prior, ruleID: ruleID, group: group.map { Array($0.utf8) })
    }
    var scanner = engine.makeScanner()
    var output = RerunOutput()
    let batch = Batch(of: lines.map(\.bytes))
    var facts: [LineFact] = []
    scanner.scan(batch, into: &facts)
    try engine.take(batch, facts: facts, to: &output)
    engine.finish(to: &output)
    return output
}

extension Batch {
    /// These lines and no others.
    init(of lines: [[UInt8]]) {
        self.init(
            byteCapacity: max(1, lines.reduce(0) { $0 + $1.count }),
            lineCapacity: max(1, lines.count)
        )
        for line in lines {
            let start = byteCount
            bytes.replaceSubrange(start..<(start + line.count), with: line)
            byteCount += line.count
            self.lines.append(LineRange(start: UInt32(start), length: UInt32(line.count)))
        }
    }
}
