// Where alerts go: a list whose items are maps of one kind each.

/// What the keys of one item of `sinks` say.
private struct SinkItem {
    var kinds: [CheckedSettings.Sink.Kind] = []
    var levels = CheckedSettings.Levels()

    // Properties for the keys of the table; each adds to `kinds`.
    var syslog: CheckedSettings.Syslog {
        get { CheckedSettings.Syslog() }
        set { kinds.append(.syslog(newValue)) }
    }
    var output: CheckedSettings.TextFormat {
        get { .text }
        set { kinds.append(.standardOutput(newValue)) }
    }
    var webhook: CheckedSettings.Webhook {
        get { CheckedSettings.Webhook() }
        set { kinds.append(.webhook(newValue)) }
    }
}

private struct OutputItem {
    var format = CheckedSettings.TextFormat.text
}

extension Reading<[CheckedSettings.Sink]> {
    static var sinks: Reading {
        let table = KeyTable<SinkItem>(
            [
                Key("syslog", \.syslog, .syslog),
                Key("stdout", \.output, .standardOutput),
                Key("webhook", \.webhook, .webhook),
                Key("levels", \.levels, .levels),
            ],
            later: ["rate", "group", "quiet", "storm"]
        )
        return Reading { tree, reader in
            guard !tree.isNull else { return nil }
            guard case .list(let items) = tree.content else {
                reader.expected("a list of sinks such as `- stdout: { format: text }`", at: tree)
                return nil
            }
            var sinks: [CheckedSettings.Sink] = []
            for tree in items {
                let mistakesBefore = reader.mistakes.count
                var item = SinkItem()
                table.read(tree, into: &item, &reader)
                guard item.kinds.count == 1 else {
                    if item.kinds.count > 1 {
                        reader.refuse("one sink for each list item was expected", at: tree.place)
                    } else if reader.mistakes.count == mistakesBefore {
                        reader.expected("`syslog:`, `webhook:` or `stdout:`", at: tree)
                    }
                    continue
                }
                guard reader.mistakes.count == mistakesBefore else { continue }
                let sink = CheckedSettings.Sink(kind: item.kinds[0], levels: item.levels)
                if sinks.contains(where: { $0.name == sink.name }) {
                    let message = "the sink \(quoted(sink.name)) stands in this list before"
                    reader.refuse(message, at: tree.place)
                } else {
                    reader.places[Mention(key: "sinks", word: sink.name)] = tree.place
                    sinks.append(sink)
                }
            }
            return sinks
        }
    }
}

extension Reading<CheckedSettings.Syslog> {
    static var syslog: Reading {
        let table = KeyTable<CheckedSettings.Syslog>([
            Key("address", \.path, .syslogAddress),
            Key("facility", \.facility, .facility),
        ])
        return Reading { tree, reader in
            var syslog = CheckedSettings.Syslog()
            if !tree.isNull { table.read(tree, into: &syslog, &reader) }
            return syslog
        }
    }
}

extension Reading<CheckedSettings.Webhook> {
    static var webhook: Reading {
        let formats = CheckedSettings.WebhookFormat.allCases.map { ($0.rawValue, $0) }
        let file = Reading<String>.text("the path of a file").orNull()
        let wait = Reading<Int64>.span(1...60, named: (lowest: "1s", highest: "1m"))
        let table = KeyTable<CheckedSettings.Webhook>([
            Key("url", \.url, .webhookURL),
            Key("format", \.format, .choice("a format", formats)),
            Key("secret_file", \.secretFile, file),
            Key("key_file", \.keyFile, file),
            Key("headers_file", \.headersFile, file),
            Key("ca_file", \.authorityFile, file),
            Key("certificate_file", \.certificateFile, file),
            Key("certificate_key_file", \.certificateKeyFile, file),
            Key("proxy", \.proxy, Reading<String>.text("the URL of a proxy").orNull()),
            Key("connect_timeout", \.connectTimeout, wait),
            Key("timeout", \.timeout, wait),
            Key("insecure", \.isInsecureAllowed, .flag),
        ])
        return Reading { tree, reader in
            var webhook = CheckedSettings.Webhook()
            let mistakesBefore = reader.mistakes.count
            table.read(tree, into: &webhook, &reader)
            guard reader.mistakes.count == mistakesBefore else { return nil }
            guard !webhook.url.isEmpty else {
                reader.expected("`url:`, the webhook's address", at: tree)
                return nil
            }
            if webhook.url.hasPrefix("http://"), !webhook.isInsecureAllowed,
                !webhook.isOnLoopback
            {
                reader.refuse(
                    "an https URL was expected: alerts name accounts; `insecure: true` allows "
                        + "http beyond this machine",
                    at: tree.place
                )
                return nil
            }
            if webhook.format == .pagerduty, webhook.keyFile == nil {
                reader.expected("`key_file:` with PagerDuty's routing key", at: tree)
                return nil
            }
            if (webhook.certificateFile == nil) != (webhook.certificateKeyFile == nil) {
                reader.expected(
                    "`certificate_file:` and `certificate_key_file:` together",
                    at: tree
                )
                return nil
            }
            return webhook
        }
    }
}

extension CheckedSettings.Webhook {
    /// Whether the URL's host is this machine, by name or address.
    fileprivate var isOnLoopback: Bool {
        let rest = url.drop { $0 != "/" }.dropFirst(2)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else { return false }
        if authority.hasPrefix("[::1]") { return true }
        let host = authority.prefix { $0 != ":" }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
        return host == "localhost" || isAddress && parts.first == "127"
    }
}

extension Reading<CheckedSettings.TextFormat> {
    static var standardOutput: Reading {
        let formats = CheckedSettings.TextFormat.allCases.map { ($0.rawValue, $0) }
        let table = KeyTable<OutputItem>([
            Key("format", \.format, Reading<CheckedSettings.TextFormat>.choice("a format", formats))
        ])
        return Reading { tree, reader in
            var item = OutputItem()
            if !tree.isNull { table.read(tree, into: &item, &reader) }
            return item.format
        }
    }
}

extension Reading<String> {
    /// An http or https URL without a login in it, which would show in logs.
    static var webhookURL: Reading {
        let what = "a URL such as https://alerts.example/postern"
        let text = Reading<String>.text(what)
        return Reading { tree, reader in
            guard let url = text.read(tree, &reader) else { return nil }
            let rest = ["https://", "http://"].first { url.hasPrefix($0) }.map {
                url.dropFirst($0.utf8.count)
            }
            let authority = (rest ?? "").prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            guard !authority.isEmpty, url.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else {
                reader.expected(what, at: tree)
                return nil
            }
            guard !authority.contains("@") else {
                reader.refuse(
                    "a URL without a login was expected; `headers_file:` takes `Authorization`",
                    at: tree.place
                )
                return nil
            }
            return url
        }
    }

    /// The path in `unix:PATH`.
    static var syslogAddress: Reading {
        let what = "an address such as unix:/dev/log"
        let text = Reading<String>.text(what)
        return Reading { tree, reader in
            guard let address = text.read(tree, &reader) else { return nil }
            for scheme in ["udp://", "tcp://", "tls://"] where address.hasPrefix(scheme) {
                let message = "a syslog address \(scheme)… is not supported by this version"
                reader.refuse(message, at: tree.place)
                return nil
            }
            guard address.hasPrefix("unix:") else {
                reader.expected(what, at: tree)
                return nil
            }
            let path = String(address.dropFirst(5))
            // sun_path has 108 bytes with the NUL (unix(7)).
            guard path.hasPrefix("/"), path.utf8.count <= 107 else {
                reader.expected("an absolute path of at most 107 bytes after `unix:`", at: tree)
                return nil
            }
            return path
        }
    }
}

extension Reading<CheckedSettings.Facility> {
    static var facility: Reading {
        let facilities = CheckedSettings.Facility.allCases.map { ($0.name, $0) }
        let choice = Reading<CheckedSettings.Facility>.choice("a syslog facility", facilities)
        return Reading { tree, reader in
            if tree.scalar?.text == "mail" {
                let message = "a facility other than `mail` was expected: Postern would read itself"
                reader.refuse(message, at: tree.place)
                return nil
            }
            return choice.read(tree, &reader)
        }
    }
}

extension Reading<CheckedSettings.Levels> {
    /// `medium..critical`, or one level.
    static var levels: Reading {
        Reading { tree, reader in
            let what = "levels such as medium..critical"
            let known = CheckedSettings.Level.allCases
            guard let scalar = tree.scalar, scalar.value == .text else {
                reader.expected(what, at: tree)
                return nil
            }
            let ends = scalar.text.split(separator: "..", omittingEmptySubsequences: false)
            var levels: [CheckedSettings.Level] = []
            for end in ends {
                guard let level = known.first(where: { $0.name == end }) else {
                    let near = hint(for: String(end), among: known.map(\.name))
                    reader.expected(what, at: tree, near)
                    return nil
                }
                levels.append(level)
            }
            guard let lowest = levels.first, let highest = levels.last, levels.count <= 2 else {
                reader.expected(what, at: tree)
                return nil
            }
            guard lowest <= highest else {
                reader.expected("the lower level first", at: tree)
                return nil
            }
            return CheckedSettings.Levels(lowest: lowest, highest: highest)
        }
    }
}

extension CheckedSettings {
    /// What one key alone cannot tell.
    func checkTogether(_ reader: inout SettingsReader) {
        for prefix in receipts.read where receipts.notRead.contains(prefix) {
            let place = reader.places[Mention(key: "receipts.read", word: prefix)] ?? .start
            let message = "\(quoted(prefix)) cannot mean both read and not read"
            reader.refuse(message, at: place)
        }
        // Names that go out because of a misspelt word are out for good.
        for name in pseudonyms.sinks
        where !sinks.contains(where: { $0.name == name || $0.name.hasPrefix(name + ":") }) {
            let place = reader.places[Mention(key: "pseudonyms.sinks", word: name)] ?? .start
            reader.refuse(
                "the name of a sink was expected, found \(quoted(name)); there are "
                    + sinks.map { "`\($0.name)`" }.joined(separator: ", "),
                at: place
            )
        }
    }
}
