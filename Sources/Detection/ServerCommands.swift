import MailEvents

/// Commands that an operator may paste into a shell of the mail server: to hold what an alert's
/// account still has in the queue, and to end what else it does. Postern runs none of them.
///
/// Names come from the log: what holds more than printable ASCII is left out, everything else stands
/// in single quotes.
struct ServerCommands {
    /// Commands of one alert, and queue IDs of one command.
    private static let commandsMax = 20
    private static let queueIDsMax = 50
    private static let nameBytesMax = 128

    private(set) var commands: [String] = []

    /// - Parameters:
    ///   - events: the alert's proof.
    ///   - accounts: as they logged in.
    ///   - isStolen: whether the login is probably in other hands.
    init(_ events: [SendEvent], accounts: [String], isStolen: Bool) {
        var dialects: [Dialect] = []
        for event in events where !dialects.contains(event.dialect) {
            dialects.append(event.dialect)
        }
        for dialect in dialects.sorted(by: { $0.rawValue < $1.rawValue }) {
            hold(events.filter { $0.dialect == dialect }, dialect)
        }
        for account in accounts {
            guard let login = Self.quoted(account) else { continue }
            for dialect in dialects { block(login, dialect, isStolen: isStolen) }
            if isStolen, dialects.contains(where: { $0.isSyslogged }) {
                add("doveadm kick -- \(login)")
                add("doveadm auth cache flush -- \(login)")
            }
        }
    }

    private mutating func add(_ command: String) {
        guard commands.count < Self.commandsMax, !commands.contains(command) else { return }
        commands.append(command)
    }

    /// Keeps in the queue what has not left it, and shows the rest of the senders' mail there.
    private mutating func hold(_ events: [SendEvent], _ dialect: Dialect) {
        var ids: [String] = []
        var senders: [String] = []
        for event in events where !event.delivery.isFinal {
            if let id = event.string(event.queueID).flatMap(Self.plainID), !ids.contains(id),
                ids.count < Self.queueIDsMax
            {
                ids.append(id)
            }
        }
        for event in events {
            guard let sender = event.string(event.sender), !sender.isEmpty,
                !senders.contains(sender)
            else { continue }
            senders.append(sender)
        }
        let list = ids.joined(separator: " ")
        switch dialect {
        case .postfix:
            if !ids.isEmpty { add("postsuper" + ids.map { " -h \($0)" }.joined()) }
            for sender in senders.prefix(3).compactMap(Self.quoted) {
                add(
                    "postqueue -j | jq -r --arg s \(sender) "
                        + "'select(.sender == $s) | .queue_id' | postsuper -h -"
                )
            }
        case .exim:
            if !ids.isEmpty { add("exim -Mf \(list)") }
            // exiqgrep(8) takes a regular expression.
            for sender in senders.prefix(3).map(Self.pattern).compactMap(Self.quoted) {
                add("exiqgrep -i -f \(sender) | xargs -r exim -Mf")
            }
        case .sendmail:
            // sendmail(8): quarantines by queue ID.
            for id in ids.prefix(5) { add("sendmail -qI\(id) -Q'read receipts'") }
        case .openSMTPD:
            // smtpctl(8): a message by its 32 bits, an envelope by 64.
            for id in ids.prefix(5) { add("smtpctl pause envelope \(id)") }
        case .exchange, .microsoft365: break
        }
    }

    /// Keeps a login from handing in more.
    private mutating func block(_ login: String, _ dialect: Dialect, isStolen: Bool) {
        switch dialect {
        case .postfix:
            // access(5): a key ends at white space; smtpd_client_restrictions = check_sasl_access ….
            guard !login.contains(" ") else { return }
            add(
                "printf '%s REJECT read receipts to strangers\\n' \(login) "
                    + ">> /etc/postfix/sasl_access && postmap /etc/postfix/sasl_access"
            )
        case .exchange, .microsoft365:
            // PowerShell doubles a quote within quotes.
            let name = login.replacing("'\\''", with: "''")
            add("Set-MailboxMessageConfiguration -Identity \(name) -ReadReceiptResponse NeverSend")
            if isStolen { add("Revoke-MgUserSignInSession -UserId \(name)") }
        case .exim, .sendmail, .openSMTPD: break
        }
    }

    /// A name as one word of a shell (POSIX.1-2017, 2.2.2); nil if it holds what no terminal should be
    /// given, or is too long to be a name.
    static func quoted(_ name: String) -> String? {
        let bytes = name.utf8
        guard !bytes.isEmpty, bytes.count <= nameBytesMax, bytes.allSatisfy({ 0x20...0x7e ~= $0 })
        else { return nil }
        return "'" + name.replacing("'", with: "'\\''") + "'"
    }

    /// A name as a regular expression of Perl's that finds nothing else.
    private static func pattern(_ name: String) -> String {
        var pattern = ""
        for character in name {
            if ".+*?()[]{}|^$\\".contains(character) { pattern += "\\" }
            pattern.append(character)
        }
        return pattern
    }

    /// A queue ID, which no server writes with anything but letters, digits and hyphens.
    static func plainID(_ id: String) -> String? {
        let isPlain = id.utf8.allSatisfy { byte in
            UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                || byte == UInt8(ascii: "-")
        }
        guard isPlain, let first = id.utf8.first, first != UInt8(ascii: "-"), id.utf8.count <= 64
        else { return nil }
        return id
    }
}

extension Dialect {
    /// Whether the server is one beside which Dovecot may run.
    fileprivate var isSyslogged: Bool { !isTable }
}
