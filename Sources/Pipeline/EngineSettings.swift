public import Detection
public import MailEvents
public import MailLog
public import Memory
import SafeText
public import Sigma

/// What decides about the engine's answers, besides the lines themselves: the same settings, rules,
/// state and bytes give the same alerts (architecture §2).
public struct EngineSettings: Sendable {
    public var timeZone: TimeZoneSetting
    /// The year of the first record in time order, for stamps without one.
    public var firstYear: Int?
    public var accountDomain: String?
    /// Content filters that are not on loopback, see ``FilterList``.
    public var filters: [String] = []
    /// `--dialect`: whose lines all of them are; nil: each line tells.
    public var dialect: Dialect?
    /// Receipt prefixes besides the shipped table.
    public var notReadPrefixes: [String] = []
    public var readPrefixes: [String] = []
    public var assembly = AssemblyLimits()
    public var memory = MemoryLimits()
    public var detection = DetectionLimits()
    /// Lines of one bundle; the first stay, the alert says what was left out.
    public var evidenceLinesMax = 10_000
    public var rules: RuleSet

    public init(timeZone: TimeZoneSetting, rules: RuleSet) {
        self.timeZone = timeZone
        self.rules = rules
    }

    /// Before the name of a placeholder in `settings.json`.
    static let placeholderPrefix = "placeholders."

    /// `settings.json` of a bundle: what the engine needs to be run again.
    func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("timezone", timeZone.name)
        object.member("account_domain", accountDomain)
        object.member("filters", filters)
        object.member("dialect", dialect?.name)
        object.member("receipts.not_read", notReadPrefixes)
        object.member("receipts.read", readPrefixes)
        for (name, values) in rules.placeholders.sorted(by: { $0.key < $1.key }) {
            object.member(Self.placeholderPrefix + name, values)
        }
        object.member("lateness_seconds", detection.latenessMicroseconds / 1_000_000)
        object.member("limits.window_events", detection.windowEventsMax)
        object.member("limits.recipients", assembly.recipientsMax)
        object.member("memory.days", memory.daysMax)
        return object.finished() + [UInt8(ascii: "\n")]
    }
}

/// Why an engine cannot be made.
public enum EngineError: Error, Sendable {
    /// The rules have mistakes.
    case rules([Mistake])
    /// A receipt prefix of the settings cannot be used.
    case prefix(String)
}
