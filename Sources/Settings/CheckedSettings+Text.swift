// The settings as a file that says all of them: `postern check --effective`.

extension CheckedSettings {
    /// A settings file that gives these settings. It names the files of secrets, never what is in
    /// them.
    public func text() -> String {
        var text = SettingsText()
        if let sources {
            text.list("sources", sources) { $0.text(indent: "      ") }
        } else {
            text.comment("sources: the journal if the mail server logs there, else the first of")
            text.comment("    " + Self.defaultLogs.joined(separator: ", "))
        }
        text.line("timezone: " + timezone.text)
        text.line("lateness: " + span(latenessSeconds))
        text.line("merge_hold: " + span(mergeHoldSeconds))
        text.line("account_domain: " + (accountDomain.map(yaml) ?? "null"))
        text.list("filters", filters) { yaml($0) }
        if let rules {
            text.list("rules", rules) { yaml($0) }
        } else {
            text.comment("rules: [\(Self.defaultRules)], if it is there")
        }
        text.list("rules_off", rulesOff) { yaml($0) }
        text.map("placeholders", placeholders.sorted { $0.key < $1.key }) { name, values in
            yaml(name) + ": " + flow(values)
        }
        text.list("fields", fields) { yaml($0) }
        text.line("receipts:")
        text.line("    not_read: " + flow(receipts.notRead))
        text.line("    read: " + flow(receipts.read))
        text.line("memory:")
        text.line("    domains: \(memory.domainDays)d")
        text.line("    pairs_max: \(memory.pairsMax)")
        text.line("limits:")
        for (name, value) in limits.texts { text.line("    \(name): \(value)") }
        text.line("state: " + yaml(state))
        text.line("evidence:")
        text.line("    lines_max: \(evidence.linesMax)")
        text.line("    keep: \(span(evidence.keepSeconds))")
        text.line("    bytes_max: \(evidence.bytesMax)")
        text.line("pseudonyms:")
        text.line("    sinks: " + flow(pseudonyms.sinks))
        text.line("    domains: " + (pseudonyms.keepsDomains ? "keep" : "hide"))
        text.line("    http: \(pseudonyms.http)")
        if let canary {
            text.line("canary:")
            text.line("    every: " + span(canary.every))
            text.line("    socket: " + yaml(canary.socket))
        } else {
            text.line("canary: null")
        }
        text.line("dispatch_age_max: " + (dispatchAgeSecondsMax.map(span) ?? "null"))
        text.list("sinks", sinks) { $0.text(indent: "      ") }
        text.list("reports", reports) { $0.text }
        text.line("http:")
        text.line("    listen: " + (http.listen.map { yaml($0.text) } ?? "null"))
        text.line("    hosts: " + flow(http.hosts))
        return text.text
    }
}

/// Lines of YAML.
private struct SettingsText {
    private(set) var text = ""

    mutating func line(_ line: String) { text += line + "\n" }

    mutating func comment(_ words: String) { line("# " + words) }

    mutating func list<Value>(_ key: String, _ values: [Value], _ body: (Value) -> String) {
        guard !values.isEmpty else {
            line("\(key): []")
            return
        }
        line("\(key):")
        for value in values { line("    - " + body(value)) }
    }

    mutating func map<Value>(_ key: String, _ values: [Value], _ body: (Value) -> String) {
        guard !values.isEmpty else {
            line("\(key): {}")
            return
        }
        line("\(key):")
        for value in values { line("    " + body(value)) }
    }
}

/// A text in double quotes, so that no reader of YAML takes it for something else.
private func yaml(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": quoted += "\\" + String(scalar)
        case "\u{0}"..<" ", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}", "\u{FEFF}":
            let digits = String(scalar.value, radix: 16)
            quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: quoted.unicodeScalars.append(scalar)
        }
    }
    return quoted + "\""
}

/// A list on one line.
private func flow(_ texts: [String]) -> String {
    "[" + texts.map(yaml).joined(separator: ", ") + "]"
}

/// In the largest unit that divides it.
private func span(_ seconds: Int64) -> String {
    for (size, name) in [(Int64(86_400), "d"), (3_600, "h"), (60, "m")]
    where seconds != 0 && seconds % size == 0 {
        return "\(seconds / size)\(name)"
    }
    return "\(seconds)s"
}

extension CheckedSettings.Zone {
    fileprivate var text: String {
        switch self {
        case .local: "local"
        case .utc: "UTC"
        case .named(let name): yaml(name)
        }
    }
}

extension CheckedSettings.Limits {
    /// Each key with its value.
    fileprivate var texts: [(String, String)] {
        [
            ("open_messages", "\(openMessages)"), ("idle", span(idleSeconds)),
            ("recipients", "\(recipients)"), ("kept_lines", "\(keptLines)"),
            ("filter_wait", span(filterWaitSeconds)),
            ("domains_per_account", "\(domainsPerAccount)"),
            ("heard_per_account", "\(heardPerAccount)"), ("outbox", "\(outbox)"),
            ("outbox_bytes", "\(outboxBytes)"),
        ]
    }
}

extension CheckedSettings.Source {
    /// As an item of a list, whose lines are indented by `indent`.
    fileprivate func text(indent: String) -> String {
        var lines: [String]
        switch kind {
        case .file(let path, let backfill):
            lines = ["file: " + yaml(path), "backfill: " + backfill.rawValue]
        case .journal(let journal):
            lines = ["journal:"]
            switch journal.place {
            case .local: break
            case .directory(let path): lines.append("    directory: " + yaml(path))
            case .files(let paths): lines.append("    file: " + flow(paths))
            case .namespace(let name): lines.append("    namespace: " + yaml(name))
            }
            lines.append("    units: " + flow(journal.units))
            if !journal.matches.isEmpty {
                lines.append("    match:")
                for match in journal.matches {
                    lines.append("        \(match.field): " + flow(match.values))
                }
            }
            if !journal.identifiers.isEmpty {
                lines.append("    identifiers: " + flow(journal.identifiers))
            }
        }
        lines.append("name: " + yaml(name))
        lines.append("allow_duplicate: \(allowDuplicate)")
        return lines.joined(separator: "\n" + indent)
    }
}

extension CheckedSettings.Syslog {
    fileprivate func text(indent: String) -> String {
        var lines = [
            "address: " + yaml(address.text), "facility: " + facility.name,
            "format: " + (format?.rawValue ?? "null"),
            "size_max: " + (sizeMax.map { "\($0)" } ?? "null"),
        ]
        for (key, file) in [
            ("ca_file", authorityFile), ("certificate_file", certificateFile),
            ("certificate_key_file", certificateKeyFile),
        ] {
            lines.append(key + ": " + (file.map(yaml) ?? "null"))
        }
        lines.append("connect_timeout: " + span(connectTimeout))
        lines.append("timeout: " + span(timeout))
        return "syslog:" + lines.map { "\n\(indent)    " + $0 }.joined()
    }
}

extension CheckedSettings.Mail {
    fileprivate func text(indent: String) -> String {
        var lines = ["to: " + flow(to), "from: " + (from.map(yaml) ?? "null")]
        for (key, value) in [
            ("smtp", smtp), ("user", user), ("password_file", passwordFile),
            ("sendmail", sendmail), ("letter", letter?.rawValue), ("ca_file", authorityFile),
            ("certificate_file", certificateFile), ("certificate_key_file", certificateKeyFile),
        ] {
            lines.append(key + ": " + (value.map(yaml) ?? "null"))
        }
        lines.append("connect_timeout: " + span(connectTimeout))
        lines.append("timeout: " + span(timeout))
        lines.append("insecure: \(isInsecureAllowed)")
        return "mail:" + lines.map { "\n\(indent)    " + $0 }.joined()
    }
}

extension CheckedSettings.Webhook {
    /// The path of a URL is a secret with some services, so it does not come out.
    fileprivate func text(indent: String) -> String {
        let authorityEnd = url.utf8.indices.dropFirst(8).first { url.utf8[$0] == UInt8(ascii: "/") }
        let shown = authorityEnd.map { String(url[..<$0]) + "/…" } ?? url
        var lines = ["url: " + yaml(shown), "format: " + format.rawValue]
        for (key, file) in [
            ("template", template), ("content_type", contentType), ("secret_file", secretFile),
            ("key_file", keyFile), ("headers_file", headersFile),
            ("ca_file", authorityFile), ("certificate_file", certificateFile),
            ("certificate_key_file", certificateKeyFile),
        ] {
            lines.append(key + ": " + (file.map(yaml) ?? "null"))
        }
        // A proxy's address may have a password in it.
        lines.append("proxy: " + (proxy == nil ? "null" : yaml("…")))
        lines.append("connect_timeout: " + span(connectTimeout))
        lines.append("timeout: " + span(timeout))
        lines.append("insecure: \(isInsecureAllowed)")
        return "webhook:" + lines.map { "\n\(indent)    " + $0 }.joined()
    }
}

extension CheckedSettings.Quota {
    fileprivate var text: String { "\(count)/" + span(seconds) }
}

/// A minute of the day as `07:30`.
private func clock(_ minute: Int) -> String {
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return two(minute / 60) + ":" + two(minute % 60)
}

extension CheckedSettings.Report {
    fileprivate var text: String {
        let on =
            switch period {
            case .day: ""
            case .week(let day): ", on: " + Self.weekdays[day]
            case .month(let day): ", on: \(day)"
            }
        return "{ every: \(every)\(on), at: \"\(clock(minute))\", to: \(flow(to)) }"
    }
}

extension CheckedSettings.Quiet {
    fileprivate var text: String {
        "{ hours: \"\(clock(startMinute))-\(clock(endMinute))\", below: \(below.name) }"
    }
}

extension CheckedSettings.Sink {
    fileprivate func text(indent: String) -> String {
        let kind =
            switch kind {
            case .syslog(let syslog): syslog.text(indent: indent)
            case .standardOutput(let format): "stdout: { format: \(format.rawValue) }"
            case .webhook(let webhook): webhook.text(indent: indent)
            case .mail(let mail): mail.text(indent: indent)
            case .command(let command):
                "exec: { command: \(flow(command.words)), timeout: \(span(command.timeout)) }"
            }
        var lines = ["levels: \(levels.lowest.name)..\(levels.highest.name)"]
        if let ownName { lines.append("name: " + yaml(ownName)) }
        lines.append("rate: " + (rate?.text ?? "null"))
        lines.append("group: " + (group.map(span) ?? "null"))
        lines.append("quiet: " + (quiet?.text ?? "null"))
        lines.append("storm: " + (storm?.text ?? "null"))
        lines.append("expire: " + span(expire))
        return kind + lines.map { "\n\(indent)" + $0 }.joined()
    }
}
