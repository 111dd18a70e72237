import LinuxIO
import Records

/// Decides which journal entries are the mail server's (architecture §6, *Journal, followed live*).
///
/// Anybody on the machine may write an entry that calls itself `postfix/smtpd`. What tells are the
/// trusted fields, which journald takes from the kernel. They decide alone; what an entry calls
/// itself only decides whether one that is not believed is counted as forged.
struct JournalTrust: Sendable {
    enum Verdict: Hashable, Sendable {
        /// The mail server's: it becomes a line.
        case line
        /// It claims to be the mail server's, and its trusted fields say otherwise.
        case forged
        /// Another program's, not selected, or our own.
        case passedOver
    }

    let matches: FieldMatches
    private let isLive: Bool
    private let identifiers: [[UInt8]]
    private let units: [UnitPattern]
    private let userIDs: [UInt64]
    private let asksForUserID: Bool

    /// - Parameters:
    ///   - isLive: whether the journal is followed on the machine that writes it. Then a trusted
    ///     field that is missing counts against the entry; in files it does not, since an export may
    ///     leave them out, and user IDs are those of another machine.
    ///   - userIDs: root's and the mail server's, see ``serverUserIDs()``.
    init(_ selection: JournalSelection, isLive: Bool, userIDs: [UInt32]) {
        self.isLive = isLive
        matches = FieldMatches(selection.matches)
        identifiers = selection.identifiers.map { Array($0.utf8) }
        units = selection.units.map { UnitPattern($0) }
        self.userIDs = userIDs.map { UInt64($0) }
        asksForUserID = matches.name("_UID")
    }

    func verdict(_ entry: borrowing JournalEntry) -> Verdict {
        // Whoever else calls itself so is found out by what it says.
        if isLive, entry.has(.identifier, Self.canaryName) { return .line }
        if isOurs(entry) { return .passedOver }
        let isSelected = matches.areAll(in: entry.metMatches) && isIdentified(entry)
        if isSelected {
            if isTrusted(entry) { return .line }
        } else if !isLive || !units.isEmpty {
            return .passedOver
        }
        // Without units it is the matches that tell the mail server's entries from forged ones.
        return Self.claimsToBeMailServer(entry) && !isServersOwnUser(entry) ? .forged : .passedOver
    }

    /// Nobody but the mail server's own programs runs as its user; where a setuid one was started
    /// from, as Exim's by cron, says nothing against it. It is not forged, only not selected. Nor is
    /// what root's commands log from a session, as `postfix reload` does.
    private func isServersOwnUser(_ entry: borrowing JournalEntry) -> Bool {
        guard isLive, let userID = entry.number(.userID) else { return false }
        guard userID == 0 else { return userIDs.contains(userID) }
        guard let range = entry.range(of: .identifier) else { return false }
        let tag = entry.storage.span.extracting(range)
        let program = tag.extracting(Self.programRange(tag))
        for command in Self.rootsCommands where program.hasBytes(command) { return true }
        return false
    }

    /// Whether something that happened to this unit matters: it is the mail server's, or may be.
    func concerns(unit: String) -> Bool {
        if unit.isEmpty { return true }
        let name = Array(unit.utf8)
        if !units.isEmpty { return units.contains { $0.matches(name.span) } }
        // Without units, matches tell what is read, and nothing tells from which units it comes.
        return isLive || Self.serverNames.contains { name.starts(with: $0) }
    }

    private func isTrusted(_ entry: borrowing JournalEntry) -> Bool {
        isLive
            ? hasUnit(entry) && hasUser(entry)
            : !contradictsUnit(entry) && !contradictsUser(entry) && !contradictsCommand(entry)
    }

    // MARK: Live

    private func hasUnit(_ entry: borrowing JournalEntry) -> Bool {
        if units.isEmpty { return true }
        guard let range = entry.range(of: .unit) else { return false }
        let unit = entry.storage.span.extracting(range)
        for pattern in units where pattern.matches(unit) { return true }
        return false
    }

    private func hasUser(_ entry: borrowing JournalEntry) -> Bool {
        if asksForUserID { return true }
        guard let userID = entry.number(.userID) else { return false }
        return userIDs.contains(userID)
    }

    // MARK: Files

    private func contradictsUnit(_ entry: borrowing JournalEntry) -> Bool {
        guard let range = entry.range(of: .unit) else { return false }
        let unit = entry.storage.span.extracting(range)
        if !units.isEmpty {
            for pattern in units where pattern.matches(unit) { return false }
            return true
        }
        // The name of a unit can be trusted: only root makes one. A user's own units are all within
        // `user@UID.service`; what they are called stands in `_SYSTEMD_USER_UNIT`.
        for prefix in Self.serverNames where unit.begins(with: prefix) { return false }
        return true
    }

    /// The mail server's user has another number on every machine, but always that of a system
    /// user: below 1000 (`UID_MIN` of login.defs(5) where Debian, Red Hat and SUSE set it).
    private func contradictsUser(_ entry: borrowing JournalEntry) -> Bool {
        guard !asksForUserID, let userID = entry.number(.userID) else { return false }
        return userID >= 1_000 && !userIDs.contains(userID)
    }

    private func contradictsCommand(_ entry: borrowing JournalEntry) -> Bool {
        guard let range = entry.range(of: .command) else { return false }
        return !Self.isServerProgram(entry.storage.span.extracting(range))
    }

    // MARK: Names

    private func isIdentified(_ entry: borrowing JournalEntry) -> Bool {
        if identifiers.isEmpty { return true }
        guard let range = entry.range(of: .identifier) else { return false }
        let identifier = entry.storage.span.extracting(range)
        for wanted in identifiers where identifier.begins(with: wanted) {
            if identifier.count == wanted.count { return true }
            if identifier[wanted.count] == UInt8(ascii: "/") { return true }
        }
        return false
    }

    /// Our own lines quote those of the log.
    private func isOurs(_ entry: borrowing JournalEntry) -> Bool {
        if entry.has(.identifier, Self.ownName) { return true }
        guard let range = entry.range(of: .unit), range.count > Self.ownName.count else {
            return false
        }
        let unit = entry.storage.span.extracting(range)
        let next = unit[Self.ownName.count]
        return unit.begins(with: Self.ownName)
            && (next == UInt8(ascii: ".") || next == UInt8(ascii: "@"))
    }

    private static let ownName = Array("postern".utf8)
    private static let canaryName = Array("postern-canary".utf8)

    /// Whether its identifier (without one, its command) is one that a mail server has: the tag of
    /// Postfix under whatever `syslog_name`, or a name that begins like another server's.
    static func claimsToBeMailServer(_ entry: borrowing JournalEntry) -> Bool {
        guard let range = entry.range(of: .identifier) ?? entry.range(of: .command) else {
            return false
        }
        let name = entry.storage.span.extracting(range)
        let program = name.extracting(programRange(name))
        for userProgram in userPrograms where program.hasBytes(userProgram) { return false }
        for prefix in serverNames where name.begins(with: prefix) { return true }
        return program.count < name.count && isServerProgram(program)
    }

    /// What follows the last slash of a tag; all of it when there is none.
    private static func programRange(_ tag: Span<UInt8>) -> Range<Int> {
        let slash = tag.indices.last { tag[$0] == UInt8(ascii: "/") }
        return (slash.map { $0 + 1 } ?? 0)..<tag.count
    }

    /// Postfix's programs that anybody runs, and that log under their own names as that user: their
    /// lines say nothing of a submission by login.
    private static let userPrograms = [
        "postalias", "postcat", "postconf", "postdrop", "postlog", "postmap", "postqueue",
        "sendmail",
    ].map { Array($0.utf8) }

    /// Those that an administrator runs from a session, and that log as root. (The same started by the
    /// unit is read.)
    private static let rootsCommands = [
        "postfix-script", "postfix-tls-script", "postfix-wrapper", "postkick", "postlock",
        "postmulti", "postmulti-script", "postsuper",
    ].map { Array($0.utf8) }

    /// How the units and the tags of mail servers begin.
    private static let serverNames = [
        "exim", "opensmtpd", "postfix", "sendmail", "sm-client", "sm-msp", "sm-mta", "smtpd",
    ].map { Array($0.utf8) }

    /// `_COMM` has at most 15 bytes (`TASK_COMM_LEN` in proc_pid_comm(5)).
    private static func isServerProgram(_ name: Span<UInt8>) -> Bool {
        let end = min(name.count, 15)
        let short = name.extracting(0..<end)
        for program in serverPrograms where short.hasBytes(program) { return true }
        return false
    }

    /// What Postfix 3.10 installs in its daemon and command folders (its conf/postfix-files), and the
    /// programs of Exim, Sendmail and OpenSMTPD.
    private static let serverPrograms = [
        "anvil", "bounce", "cleanup", "defer", "discard", "dnsblog", "error", "flush", "lmtp",
        "local", "master", "nqmgr", "oqmgr", "pickup", "pipe", "postalias", "postcat", "postconf",
        "postdrop", "postfix", "postfix-script", "postfix-tls-script", "postfix-wrapper",
        "postkick", "postlock", "postlog", "postlogd", "postmap", "postmulti", "postmulti-script",
        "postqueue",
        "postscreen", "postsuper", "proxymap", "proxywrite", "qmgr", "qmqpd", "relay", "retry",
        "scache", "showq", "smtp", "smtpd", "spawn", "tlsmgr", "tlsproxy", "trace",
        "trivial-rewrite", "verify", "virtual", "exim", "exim4", "exim-daemon", "sendmail",
        "sm-client", "sm-msp-queue", "sm-mta", "opensmtpd", "smtpctl",
    ].map { Array($0.utf8.prefix(15)) }

    /// Root, and those users of this machine under whom mail servers run.
    static func serverUserIDs() -> [UInt32] {
        let names = [
            "postfix", "Debian-exim", "exim", "exim4", "mail", "mailnull", "sendmail", "smmsp",
            "smmta", "opensmtpd", "opensmtpq", "smtpd", "smtpq", "_smtpd", "_smtpq",
        ]
        return [0] + names.compactMap { UserAccounts.userID(named: $0) }
    }
}

/// A unit's name in which `*` stands for any characters and `?` for one.
private struct UnitPattern: Sendable {
    private let bytes: [UInt8]
    private let isPlain: Bool

    init(_ name: String) {
        bytes = Array(name.utf8)
        isPlain = !bytes.contains(UInt8(ascii: "*")) && !bytes.contains(UInt8(ascii: "?"))
    }

    func matches(_ name: Span<UInt8>) -> Bool {
        if isPlain { return name.hasBytes(bytes) }
        // The last star takes one byte more each time that what follows it does not fit.
        var index = 0
        var place = 0
        var star: (place: Int, index: Int)?
        while index < name.count {
            if place < bytes.count, bytes[place] == UInt8(ascii: "*") {
                star = (place, index)
                place += 1
            } else if place < bytes.count,
                bytes[place] == UInt8(ascii: "?") || bytes[place] == name[index]
            {
                place += 1
                index += 1
            } else if let last = star {
                star = (last.place, last.index + 1)
                place = last.place + 1
                index = last.index + 1
            } else {
                return false
            }
        }
        return bytes[place...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

extension Span<UInt8> {
    func begins(with bytes: [UInt8]) -> Bool {
        guard count >= bytes.count else { return false }
        for index in bytes.indices where self[index] != bytes[index] { return false }
        return true
    }
}
