/// The settings file as one checked value: every key has a value, and every value is possible.
///
/// The room is called `Settings`, so its value cannot be. `CheckedSettings()` is what an empty
/// file gives.
public struct CheckedSettings: Sendable {
    /// The logs to follow, at least one; nil: the journal if the mail server logs there, with
    /// ``JournalSource/defaultUnits``, else the first of ``defaultLogs`` that exists.
    public var sources: [Source]?
    /// How long an event of one source waits for another source to show a later time, by the
    /// observed clock.
    public var mergeHoldSeconds: Int64 = 1
    /// The zone of stamps that name none.
    public var timezone = Zone.local
    /// How much later than another an event may come and still count in its windows.
    public var latenessSeconds: Int64 = 300
    /// Completes logins without a domain; nil: they stay as they are.
    public var accountDomain: String?
    /// Content filters that are not on loopback: addresses and names of hosts, names of transports.
    public var filters: [String] = []
    /// Folders of rules besides the shipped ones; nil: ``defaultRules``, empty when it is missing.
    public var rules: [String]?
    /// Names of shipped rules that are not to be used.
    public var rulesOff: [String] = []
    /// Values of Sigma's `expand`: each name without its `%`, and one or more texts.
    public var placeholders: [String: [String]] = [:]
    /// Fields that rules may name besides those of events.
    public var fields: [String] = []
    public var receipts = Receipts()
    public var memory = Memory()
    public var limits = Limits()
    /// The state folder.
    public var state = "/var/lib/postern"
    public var evidence = Evidence()
    public var pseudonyms = Pseudonyms()
    /// Nil: the way of an alert is not tried.
    public var canary: Canary?
    /// Alerts about events older than this are kept and not sent; nil: all are sent.
    public var dispatchAgeSecondsMax: Int64? = 86_400
    /// Where alerts go; empty: nowhere, they are only kept.
    public var sinks = [Sink(kind: .syslog(Syslog()), levels: Levels())]

    /// What goes to sinks from time to time; empty: nothing.
    public var reports: [Report] = []
    public var http = HTTP()

    /// Where the file says what it says, for mistakes that other rooms find.
    var places: [Mention: Place] = [:]
    var file = ""

    public init() {}

    /// Looked for in this order when the file names no sources.
    public static let defaultLogs = [
        "/var/log/mail.log", "/var/log/maillog", "/var/log/exim4/mainlog",
    ]
    public static let defaultRules = "/etc/postern/rules"

    public enum Zone: Sendable, Hashable {
        /// That of this machine.
        case local
        case utc
        /// A zone of the tz database that exists, as in `Europe/Berlin`.
        case named(String)
    }

    /// Subject prefixes of receipts besides the built-in ones.
    public struct Receipts: Sendable, Hashable {
        public var notRead: [String] = []
        public var read: [String] = []
    }

    public struct Memory: Sendable, Hashable {
        /// A domain not written to for this many days is unseen again.
        public var domainDays = 400
        /// Pairs of an account and a domain; beyond it the least recently used leave.
        public var pairsMax = 10_000_000
    }

    /// Bounds of what is kept while running (architecture §6).
    public struct Limits: Sendable, Hashable {
        /// Assemblies open at one time.
        public var openMessages = 200_000
        /// An assembly without a line for this long closes as incomplete.
        public var idleSeconds: Int64 = 8 * 3_600
        /// Recipients of one message.
        public var recipients = 10_000
        /// Raw lines kept of one message.
        public var keptLines = 32
        /// How long a message from a filter waits for the line that links it.
        public var filterWaitSeconds: Int64 = 600
        /// Domains remembered that one account wrote to, and that wrote to it.
        public var domainsPerAccount = 5_000
        public var heardPerAccount = 4_096
        /// Alerts that wait for sinks, and bytes of them.
        public var outbox = 10_000
        public var outboxBytes = 64 << 20
    }

    public struct Pseudonyms: Sendable, Hashable {
        /// Names of sinks that get pseudonyms, or the word before the colon in them.
        public var sinks: [String] = []
        /// Whether domains stay as they are.
        public var keepsDomains = true
        /// Whether the status page shows pseudonyms.
        public var http = false
    }

    /// A line that is logged from time to time to see whether an alert would come.
    public struct Canary: Sendable, Hashable {
        /// Seconds from one to the next.
        public var every: Int64 = 3_600
        /// Where the syslog daemon of this machine listens.
        public var socket = "/dev/log"
    }

    public struct Evidence: Sendable, Hashable {
        /// Lines in one bundle.
        public var linesMax = 10_000
        /// How long bundles are kept, and how many bytes of them; those of open alerts always are.
        public var keepSeconds: Int64 = 90 * 86_400
        public var bytesMax = 1 << 30
    }

    /// ECS `event.severity` of Sigma's levels (architecture §9).
    public enum Level: Int, Sendable, CaseIterable, Comparable {
        case informational = 1
        case low = 21
        case medium = 47
        case high = 73
        case critical = 99

        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        var name: String { "\(self)" }
    }

    /// Which alerts a sink gets, both ends included.
    public struct Levels: Sendable, Hashable {
        public var lowest = Level.medium
        public var highest = Level.critical
    }

    public struct Sink: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            case syslog(Syslog)
            case standardOutput(TextFormat)
            case webhook(Webhook)
            case mail(Mail)
            case command(Command)
        }
        public var kind: Kind
        public var levels: Levels
        /// As the settings name it; nil: by where it sends.
        public var ownName: String?
        public var rate: Quota?
        /// Seconds whose alerts go out together.
        public var group: Int64?
        public var quiet: Quiet?
        public var storm: Quota?
        /// Seconds after which what is not taken is given up.
        public var expire: Int64 = 7 * 86_400

        public init(kind: Kind, levels: Levels) {
            self.kind = kind
            self.levels = levels
        }

        /// Names the sink in the outbox, so it depends on where it sends and on nothing else: an
        /// alert that waits finds its sink again when the list is put in another order. It is shown,
        /// so that it holds no path of a URL, which is a secret with some services.
        public var name: String {
            if let ownName { return ownName }
            return switch kind {
            case .syslog(let syslog): "syslog:" + syslog.address.text
            case .standardOutput: "stdout"
            case .webhook(let webhook): "webhook:" + webhook.shownURL
            case .mail(let mail): "mail:" + mail.to.joined(separator: ",")
            case .command(let command): "exec:" + (command.words.first ?? "")
            }
        }
    }

    /// So many in so many seconds.
    public struct Quota: Sendable, Hashable {
        public var count: Int
        public var seconds: Int64
    }

    /// Hours in which levels below one wait: minutes of the day, by the machine's clock.
    public struct Quiet: Sendable, Hashable {
        public var startMinute = 0
        public var endMinute = 0
        public var below = Level.high
    }

    public struct Webhook: Sendable, Hashable {
        public var url = ""
        public var format = WebhookFormat.ecs
        /// A file with a Mustache template, in place of the format.
        public var template: String?
        /// Of what the template gives.
        public var contentType = "application/json"
        /// Files with secrets, which nobody else may read: for signatures, PagerDuty's routing key,
        /// further headers.
        public var secretFile: String?
        public var keyFile: String?
        public var headersFile: String?
        /// Certificates that are trusted in place of the system's.
        public var authorityFile: String?
        public var certificateFile: String?
        public var certificateKeyFile: String?
        public var proxy: String?
        public var connectTimeout: Int64 = 5
        public var timeout: Int64 = 10
        /// Whether http may go farther than loopback.
        public var isInsecureAllowed = false

        /// The URL without its path, in whose place stands a number that tells it from others.
        var shownURL: String {
            let bytes = Array(url.utf8)
            guard
                let start = bytes.indices.dropFirst(8).first(where: { index in
                    "/?#".utf8.contains(bytes[index])
                }), start < bytes.count - 1
            else { return url }
            // FNV-1a, 32 bits: says nothing of a long path and tells two of them apart.
            var hash: UInt32 = 2_166_136_261
            for byte in bytes[start...] { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
            return String(decoding: bytes[..<start], as: UTF8.self) + "/…"
                + String(hash, radix: 16)
        }
    }

    public struct Mail: Sendable, Hashable {
        public var to: [String] = []
        /// Nil: `postern@` and this host's name.
        public var from: String?
        /// An smtp or smtps URL; nil: ``sendmail``.
        public var smtp: String?
        public var user: String?
        public var passwordFile: String?
        /// Program that takes a message.
        public var sendmail = "/usr/sbin/sendmail"
        public var letter: Language?
        public var authorityFile: String?
        public var certificateFile: String?
        public var certificateKeyFile: String?
        public var connectTimeout: Int64 = 5
        public var timeout: Int64 = 30
        /// Whether a login or an alert may go over a connection without TLS, farther than loopback.
        public var isInsecureAllowed = false

        /// Whether the server is this machine.
        public var isOnLoopback: Bool { smtp.map(isLoopbackURL) ?? true }
    }

    /// Of the letters to users.
    public enum Language: String, Sendable, CaseIterable {
        case en, de
    }

    public struct Command: Sendable, Hashable {
        /// The program, an absolute path, and its arguments.
        public var words: [String] = []
        public var timeout: Int64 = 10
    }

    public enum WebhookFormat: String, Sendable, CaseIterable {
        case ecs, alertmanager, slack, teams, ntfy, pagerduty
    }

    public struct Syslog: Sendable, Hashable {
        public var address = SyslogAddress.unix("/dev/log")
        public var facility = Facility.daemon
        /// Nil: RFC 3164 to a Unix socket, RFC 5424 elsewhere.
        public var format: SyslogFormat?
        /// Bytes of a message; nil: 8,000, by UDP 2 KiB.
        public var sizeMax: Int?
        /// For TLS: certificates that are trusted in place of the system's, and our own.
        public var authorityFile: String?
        public var certificateFile: String?
        public var certificateKeyFile: String?
        public var connectTimeout: Int64 = 5
        public var timeout: Int64 = 10
    }

    public enum SyslogAddress: Sendable, Hashable {
        /// Absolute path of a socket.
        case unix(String)
        case udp(host: String, port: Int)
        case tcp(host: String, port: Int)
        case tls(host: String, port: Int)

        /// As the settings write it.
        public var text: String {
            func authority(_ host: String, _ port: Int) -> String {
                (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
            }
            return switch self {
            case .unix(let path): "unix:" + path
            case .udp(let host, let port): "udp://" + authority(host, port)
            case .tcp(let host, let port): "tcp://" + authority(host, port)
            case .tls(let host, let port): "tls://" + authority(host, port)
            }
        }
    }

    public enum SyslogFormat: String, Sendable, CaseIterable {
        case rfc3164, rfc5424
    }

    /// Facilities of RFC 3164 §4.1.1 by their codes. Not `mail`: Postern would read itself. Not
    /// `kern`: a process cannot use it (syslog(3)).
    public enum Facility: Int, Sendable, CaseIterable {
        case user = 1
        case daemon = 3
        case auth = 4
        case syslog = 5
        case lpr = 6
        case news = 7
        case uucp = 8
        case cron = 9
        case authpriv = 10
        case ftp = 11
        case local0 = 16
        case local1, local2, local3, local4, local5, local6, local7

        var name: String { "\(self)" }
    }

    public enum TextFormat: String, Sendable, CaseIterable {
        /// For people.
        case text
        /// One JSON object a line.
        case json
    }
}

/// A word under a key of the file.
struct Mention: Hashable, Sendable {
    var key: String
    var word: String
}

extension CheckedSettings {
    /// Reads a settings file and finds all mistakes in it.
    ///
    /// Never fails and never traps, whatever the bytes. A file whose YAML itself is broken gives one
    /// mistake, since what follows has no certain meaning.
    ///
    /// - Parameters:
    ///   - bytes: the file; at most 1 MiB of UTF-8.
    ///   - file: how mistakes name it.
    ///   - zoneFolder: the tz database, looked into for a `timezone`.
    /// - Returns: the settings, or nil and the mistakes in the order of the file.
    public static func read(
        _ bytes: [UInt8],
        file: String,
        zoneFolder: String = "/usr/share/zoneinfo"
    ) -> (settings: CheckedSettings?, mistakes: [Mistake]) {
        let (settings, mistakes) = readPartly(bytes, file: file, zoneFolder: zoneFolder)
        return (mistakes.isEmpty ? settings : nil, mistakes)
    }

    /// The same, but with mistakes too there are settings: what is wrong has its default. They are
    /// for looking for further mistakes, not for use.
    public static func readPartly(
        _ bytes: [UInt8],
        file: String,
        zoneFolder: String = "/usr/share/zoneinfo"
    ) -> (settings: CheckedSettings, mistakes: [Mistake]) {
        var reader = SettingsReader(zones: ZoneFolder(path: zoneFolder))
        var settings = CheckedSettings()
        if let tree = YAMLFile.tree(of: bytes, into: &reader.mistakes), !tree.isNull {
            KeyTable.settings.read(tree, into: &settings, &reader)
            settings.checkTogether(&reader)
        }
        let mistakes = reader.mistakes.inOrder(file: file)
        settings.places = reader.places
        settings.file = file
        return (settings, mistakes)
    }

    /// A mistake that another room finds in what the file says.
    ///
    /// - Parameters:
    ///   - message: what was expected, in one sentence without a full stop.
    ///   - word: the value, as these settings give it.
    ///   - key: where it stands, as in `rules_off` or `receipts.not_read`; when it does not stand
    ///     there (a default), the mistake is at the file's start.
    public func mistake(_ message: String, about word: String, under key: String) -> Mistake {
        Mistake(message, file: file, at: places[Mention(key: key, word: word)] ?? .start)
    }

    /// Names in `rules_off` that no shipped rule has.
    public func mistakes(ofRulesOff shipped: [String]) -> [Mistake] {
        rulesOff.filter { !shipped.contains($0) }.map { name in
            mistake(
                "the name of a shipped rule was expected, found \(quoted(name))"
                    + hint(for: name, among: shipped),
                about: name,
                under: "rules_off"
            )
        }
    }
}
