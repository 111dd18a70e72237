// Where alerts go: a list whose items are maps of one kind each.

/// What the keys of one item of `sinks` say.
private struct SinkItem {
    var kinds: [CheckedSettings.Sink.Kind] = []
    var levels = CheckedSettings.Levels()
    var name: String?
    var rate: CheckedSettings.Quota?
    var group: Int64?
    var quiet: CheckedSettings.Quiet?
    var storm: CheckedSettings.Quota?
    var expire: Int64 = 7 * 86_400

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
    var mail: CheckedSettings.Mail {
        get { CheckedSettings.Mail() }
        set { kinds.append(.mail(newValue)) }
    }
    var command: CheckedSettings.Command {
        get { CheckedSettings.Command() }
        set { kinds.append(.command(newValue)) }
    }
}

private struct OutputItem {
    var format = CheckedSettings.TextFormat.text
}

extension Reading<[CheckedSettings.Sink]> {
    static var sinks: Reading {
        let group = Reading<Int64>.span(1...86_400, named: (lowest: "1s", highest: "1d"))
        let expire = Reading<Int64>.span(
            60...(365 * 86_400),
            named: (lowest: "1m", highest: "365d")
        )
        let table = KeyTable<SinkItem>(
            [
                Key("syslog", \.syslog, .syslog),
                Key("stdout", \.output, .standardOutput),
                Key("webhook", \.webhook, .webhook),
                Key("mail", \.mail, .mail),
                Key("exec", \.command, .command),
                Key("levels", \.levels, .levels),
                Key("name", \.name, Reading<String>.sinkName.asOptional()),
                Key("rate", \.rate, Reading<CheckedSettings.Quota>.quota.orNull()),
                Key("group", \.group, group.orNull()),
                Key("quiet", \.quiet, Reading<CheckedSettings.Quiet>.quiet.orNull()),
                Key("storm", \.storm, Reading<CheckedSettings.Quota>.quota.orNull()),
                Key("expire", \.expire, expire),
            ]
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
                        reader.expected(
                            "`syslog:`, `webhook:`, `mail:`, `exec:` or `stdout:`",
                            at: tree
                        )
                    }
                    continue
                }
                guard reader.mistakes.count == mistakesBefore else { continue }
                var sink = CheckedSettings.Sink(kind: item.kinds[0], levels: item.levels)
                sink.ownName = item.name
                sink.rate = item.rate
                sink.group = item.group
                sink.quiet = item.quiet
                sink.storm = item.storm
                sink.expire = item.expire
                if let message = sink.cannotCombine {
                    reader.refuse(message, at: tree.place)
                    continue
                }
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
        let formats = CheckedSettings.SyslogFormat.allCases.map { ($0.rawValue, $0) }
        let format = Reading<CheckedSettings.SyslogFormat>.choice("a form of syslog", formats)
        let file = Reading<String>.text("the path of a file").orNull()
        let wait = Reading<Int64>.span(1...60, named: (lowest: "1s", highest: "1m"))
        let table = KeyTable<CheckedSettings.Syslog>([
            Key("address", \.address, .syslogAddress),
            Key("facility", \.facility, .facility),
            Key("format", \.format, format.orNull()),
            Key("size_max", \.sizeMax, Reading<Int>.size(1_024...65_000).orNull()),
            Key("ca_file", \.authorityFile, file),
            Key("certificate_file", \.certificateFile, file),
            Key("certificate_key_file", \.certificateKeyFile, file),
            Key("connect_timeout", \.connectTimeout, wait),
            Key("timeout", \.timeout, wait),
        ])
        return Reading { tree, reader in
            var syslog = CheckedSettings.Syslog()
            let mistakesBefore = reader.mistakes.count
            if !tree.isNull { table.read(tree, into: &syslog, &reader) }
            guard reader.mistakes.count == mistakesBefore else { return nil }
            let files = [syslog.authorityFile, syslog.certificateFile, syslog.certificateKeyFile]
            if case .tls = syslog.address {
                if (syslog.certificateFile == nil) != (syslog.certificateKeyFile == nil) {
                    reader.expected(
                        "`certificate_file:` and `certificate_key_file:` together",
                        at: tree
                    )
                    return nil
                }
            } else if files.contains(where: { $0 != nil }) {
                reader.expected("an address with tls:// for these certificates", at: tree)
                return nil
            }
            return syslog
        }
    }
}

extension Reading<CheckedSettings.Canary> {
    static var canary: Reading {
        let what = "the absolute path of a syslog daemon's socket"
        let text = Reading<String>.text(what, bytesMax: 107)
        let socket = Reading<String> { tree, reader in
            guard let path = text.read(tree, &reader) else { return nil }
            guard path.hasPrefix("/") else {
                reader.expected(what, at: tree)
                return nil
            }
            return path
        }
        let table = KeyTable<CheckedSettings.Canary>([
            Key(
                "every",
                \.every,
                .span(10...(30 * 86_400), named: (lowest: "10s", highest: "30d"))
            ),
            Key("socket", \.socket, socket),
        ])
        return Reading { tree, reader in
            var canary = CheckedSettings.Canary()
            let mistakesBefore = reader.mistakes.count
            table.read(tree, into: &canary, &reader)
            return reader.mistakes.count == mistakesBefore ? canary : nil
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
            Key(
                "template",
                \.template,
                Reading<String>.text("the path of a file").noted(under: "template").orNull()
            ),
            Key(
                "content_type",
                \.contentType,
                Reading<String>.text("a content type", bytesMax: 100).noted(under: "content_type")
            ),
            Key("secret_file", \.secretFile, file),
            Key("key_file", \.keyFile, file),
            Key("headers_file", \.headersFile, file),
            Key("ca_file", \.authorityFile, file),
            Key("certificate_file", \.certificateFile, file),
            Key("certificate_key_file", \.certificateKeyFile, file),
            Key("proxy", \.proxy, Reading<String>.proxyURL.orNull()),
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
            if webhook.template != nil, webhook.format != .ecs {
                reader.expected("either `format:` or `template:`", at: tree)
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
    fileprivate var isOnLoopback: Bool { isLoopbackURL(url) }
}

/// Whether the URL's host is this machine, by name or address.
func isLoopbackURL(_ url: String) -> Bool {
    let rest = url.drop { $0 != "/" }.dropFirst(2)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard !authority.contains("@") else { return false }
    if authority.hasPrefix("[::1]") { return true }
    let host = authority.prefix { $0 != ":" }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    let isAddress = parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    return host == "localhost" || isAddress && parts.first == "127"
}

extension Reading<CheckedSettings.Mail> {
    static var mail: Reading {
        let file = Reading<String>.text("the path of a file").orNull()
        let wait = Reading<Int64>.span(1...60, named: (lowest: "1s", highest: "1m"))
        let languages = CheckedSettings.Language.allCases.map { ($0.rawValue, $0) }
        let language = Reading<CheckedSettings.Language>.choice("a language", languages)
        let table = KeyTable<CheckedSettings.Mail>([
            Key("to", \.to, Reading<String>.mailbox.oneOrMore("addresses")),
            Key("from", \.from, Reading<String>.mailbox.orNull()),
            Key("smtp", \.smtp, Reading<String>.smtpURL.orNull()),
            Key("user", \.user, Reading<String>.text("a login", bytesMax: 255).orNull()),
            Key("password_file", \.passwordFile, file),
            Key("sendmail", \.sendmail, .absolutePath),
            Key("letter", \.letter, language.orNull()),
            Key("ca_file", \.authorityFile, file),
            Key("certificate_file", \.certificateFile, file),
            Key("certificate_key_file", \.certificateKeyFile, file),
            Key("connect_timeout", \.connectTimeout, wait),
            Key("timeout", \.timeout, wait),
            Key("insecure", \.isInsecureAllowed, .flag),
        ])
        return Reading { tree, reader in
            var mail = CheckedSettings.Mail()
            let mistakesBefore = reader.mistakes.count
            table.read(tree, into: &mail, &reader)
            guard reader.mistakes.count == mistakesBefore else { return nil }
            guard !mail.to.isEmpty else {
                reader.expected("`to:`, who gets the mail", at: tree)
                return nil
            }
            let files = [mail.authorityFile, mail.certificateFile, mail.certificateKeyFile]
            if mail.smtp == nil, mail.user != nil || files.contains(where: { $0 != nil }) {
                reader.expected("`smtp:`, the server for this login or certificate", at: tree)
                return nil
            }
            if (mail.user == nil) != (mail.passwordFile == nil) {
                reader.expected("`user:` and `password_file:` together", at: tree)
                return nil
            }
            if (mail.certificateFile == nil) != (mail.certificateKeyFile == nil) {
                reader.expected(
                    "`certificate_file:` and `certificate_key_file:` together",
                    at: tree
                )
                return nil
            }
            return mail
        }
    }
}

extension Reading<CheckedSettings.Command> {
    static var command: Reading {
        let wait = Reading<Int64>.span(1...60, named: (lowest: "1s", highest: "1m"))
        let word = Reading<String> { tree, reader in
            if let scalar = tree.scalar, scalar.value == .number { return scalar.text }
            return Reading<String>.text("an argument").read(tree, &reader)
        }
        // Not `list`: an argument may come twice.
        let words = Reading<[String]> { tree, reader in
            guard case .list(let items) = tree.content, (1...100).contains(items.count) else {
                reader.expected("a list such as `[/usr/local/sbin/hold-account, --now]`", at: tree)
                return nil
            }
            guard let program = Reading<String>.absolutePath.read(items[0], &reader) else {
                return nil
            }
            let rest = items.dropFirst().compactMap { word.read($0, &reader) }
            return rest.count == items.count - 1 ? [program] + rest : nil
        }
        let table = KeyTable<CheckedSettings.Command>([
            Key("command", \.words, words), Key("timeout", \.timeout, wait),
        ])
        return Reading { tree, reader in
            var command = CheckedSettings.Command()
            let mistakesBefore = reader.mistakes.count
            table.read(tree, into: &command, &reader)
            guard reader.mistakes.count == mistakesBefore else { return nil }
            guard !command.words.isEmpty else {
                reader.expected("`command:`, the program and its arguments", at: tree)
                return nil
            }
            return command
        }
    }
}

extension CheckedSettings.Sink {
    /// What is wrong where a receiver that joins and ends alerts itself is to get digests.
    fileprivate var cannotCombine: String? {
        guard case .webhook(let webhook) = kind,
            webhook.format == .alertmanager || webhook.format == .pagerduty,
            rate != nil || group != nil || quiet != nil || storm != nil
        else { return nil }
        return "no `rate`, `group`, `quiet` or `storm` was expected: `\(webhook.format.rawValue)` "
            + "groups alerts itself, and must hear of each one's end"
    }
}

extension Reading<CheckedSettings.Quota> {
    /// `30/h`, `20/10m`.
    static var quota: Reading {
        let what = "a number for a time such as 30/h or 20/10m"
        return Reading { tree, reader in
            let parts = (tree.scalar?.text ?? "").split(
                separator: "/",
                omittingEmptySubsequences: false
            )
            guard parts.count == 2, let count = wholeNumber(String(parts[0])),
                let seconds = spanSeconds(String(parts[1])) ?? spanSeconds("1" + parts[1]),
                (1...10_000).contains(count), (1...(7 * 86_400)).contains(seconds)
            else {
                reader.expected(what, at: tree)
                return nil
            }
            return CheckedSettings.Quota(count: count, seconds: seconds)
        }
    }
}

extension Reading<CheckedSettings.Quiet> {
    /// `22:00-07:00`, or a map with `hours` and `below`.
    static var quiet: Reading {
        let hours = Reading<CheckedSettings.Quiet> { tree, reader in
            let ends = (tree.scalar?.text ?? "").split(
                separator: "-",
                omittingEmptySubsequences: false
            )
            .map(minuteOfDay)
            guard ends.count == 2, let start = ends[0], let end = ends[1], start != end else {
                reader.expected("hours such as 22:00-07:00", at: tree)
                return nil
            }
            return CheckedSettings.Quiet(startMinute: start, endMinute: end)
        }
        let levels = CheckedSettings.Level.allCases.map { ($0.name, $0) }
        let table = KeyTable<QuietItem>([
            Key("hours", \.hours, hours.asOptional()),
            Key("below", \.below, Reading<CheckedSettings.Level>.choice("a level", levels)),
        ])
        return Reading { tree, reader in
            guard case .map = tree.content else { return hours.read(tree, &reader) }
            var item = QuietItem()
            let mistakesBefore = reader.mistakes.count
            table.read(tree, into: &item, &reader)
            guard reader.mistakes.count == mistakesBefore else { return nil }
            guard var quiet = item.hours else {
                reader.expected("`hours:`", at: tree)
                return nil
            }
            quiet.below = item.below
            return quiet
        }
    }
}

private struct QuietItem {
    var hours: CheckedSettings.Quiet?
    var below = CheckedSettings.Level.high
}

/// `07:30` in minutes; nil: it is no time of the day.
func minuteOfDay(_ text: Substring) -> Int? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }),
        let hour = UInt8(parts[0]), let minute = UInt8(parts[1]), hour < 24, minute < 60
    else { return nil }
    return Int(hour) * 60 + Int(minute)
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
    /// An address without anything around it: no quoted local part, nothing that ends a header or a
    /// command of SMTP.
    static var mailbox: Reading {
        let what = "an address such as postmaster@example.com"
        let text = Reading<String>.text(what, bytesMax: 254)
        return Reading { tree, reader in
            guard let address = text.read(tree, &reader) else { return nil }
            let parts = address.split(separator: "@", omittingEmptySubsequences: false)
            let isPlain = address.utf8.allSatisfy {
                0x21...0x7e ~= $0 && !"<>()[]\\,;:\"".utf8.contains($0)
            }
            let isWhole =
                parts.count == 1 || parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty
            guard isPlain, isWhole, !address.hasPrefix("-") else {
                reader.expected(what, at: tree)
                return nil
            }
            return address
        }
    }

    /// `smtp://HOST[:PORT]` or `smtps://HOST[:PORT]`.
    static var smtpURL: Reading {
        let what = "a server such as smtp://mail.example.com:587 or smtps://mail.example.com"
        let text = Reading<String>.text(what)
        return Reading { tree, reader in
            guard let url = text.read(tree, &reader) else { return nil }
            let schemes = [("smtp://", 25), ("smtps://", 465)]
            guard let scheme = schemes.first(where: { url.hasPrefix($0.0) }),
                hostAndPort(url.dropFirst(scheme.0.count), usual: scheme.1) != nil
            else {
                reader.expected(what, at: tree)
                return nil
            }
            return url
        }
    }

    static var absolutePath: Reading {
        let what = "the absolute path of a program"
        let text = Reading<String>.text(what)
        return Reading { tree, reader in
            guard let path = text.read(tree, &reader) else { return nil }
            guard path.hasPrefix("/") else {
                reader.expected(what, at: tree)
                return nil
            }
            return path
        }
    }

    /// A name to type: letters, digits, `-`, `_` and `.`.
    static var sinkName: Reading {
        let what = "a name of letters, digits, `-`, `_` and `.`"
        let text = Reading<String>.text(what, bytesMax: 64)
        return Reading { tree, reader in
            guard let name = text.read(tree, &reader) else { return nil }
            let isName = name.unicodeScalars.allSatisfy { scalar in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".": true
                default: false
                }
            }
            guard isName else {
                reader.expected(what, at: tree)
                return nil
            }
            return name
        }
    }

    /// An http or https URL without a login in it, which would show in logs.
    /// A proxy as libcurl takes it (CURLOPT_PROXY(3)). A login would be a secret in the settings.
    static var proxyURL: Reading {
        let what = "the URL of a proxy such as http://proxy.example:3128"
        let schemes = ["http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://"]
        let text = Reading<String>.text(what)
        return Reading { tree, reader in
            guard let url = text.read(tree, &reader) else { return nil }
            let scheme = schemes.first { url.hasPrefix($0) }
            guard let scheme, url.utf8.count > scheme.utf8.count,
                url.utf8.allSatisfy({ 0x21...0x7e ~= $0 })
            else {
                reader.expected(what, at: tree)
                return nil
            }
            guard !url.contains("@") else {
                reader.refuse(
                    "a proxy's URL without a login was expected; `https_proxy` of the service's "
                        + "environment may have one",
                    at: tree.place
                )
                return nil
            }
            return url
        }
    }

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
}

extension Reading<CheckedSettings.SyslogAddress> {
    /// `unix:PATH`, `udp://HOST`, `tcp://HOST` or `tls://HOST`, a port behind it or the usual one.
    static var syslogAddress: Reading {
        let what = "an address such as unix:/dev/log or tls://logs.example:6514"
        let text = Reading<String>.text(what)
        return Reading { tree, reader in
            guard let address = text.read(tree, &reader) else { return nil }
            if address.hasPrefix("unix:") {
                let path = String(address.dropFirst(5))
                // sun_path has 108 bytes with the NUL (unix(7)).
                guard path.hasPrefix("/"), path.utf8.count <= 107, !path.hasSuffix("/") else {
                    reader.expected("an absolute path of at most 107 bytes after `unix:`", at: tree)
                    return nil
                }
                return .unix(path)
            }
            // Ports: RFC 5426 §3.3, RFC 6587 §3.4.1 names none, 601 is that of RFC 3195; RFC 5425 §4.1.
            let schemes = [("udp://", 514), ("tcp://", 601), ("tls://", 6_514)]
            guard let scheme = schemes.first(where: { address.hasPrefix($0.0) }),
                let (host, port) = hostAndPort(address.dropFirst(6), usual: scheme.1)
            else {
                reader.expected(what, at: tree)
                return nil
            }
            return switch scheme.0 {
            case "udp://": .udp(host: host, port: port)
            case "tcp://": .tcp(host: host, port: port)
            default: .tls(host: host, port: port)
            }
        }
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; nil: it is something else.
func hostAndPort(_ text: Substring, usual: Int) -> (host: String, port: Int)? {
    var host = text.prefix { $0 != ":" }
    var rest = text.dropFirst(host.count)
    if text.hasPrefix("[") {
        host = text.dropFirst().prefix { $0 != "]" }
        guard host.contains(":"), text.dropFirst(host.count + 1).hasPrefix("]") else { return nil }
        rest = text.dropFirst(host.count + 2)
    }
    let isName = host.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: ":"):
            true
        default: false
        }
    }
    guard isName, (1...255).contains(host.utf8.count) else { return nil }
    if rest.isEmpty { return (String(host), usual) }
    guard rest.first == ":", let port = wholeNumber(String(rest.dropFirst())),
        (1...65_535).contains(port)
    else { return nil }
    return (String(host), port)
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
        where !sinks.contains(where: { Self.isName(name, of: $0) }) {
            let place = reader.places[Mention(key: "pseudonyms.sinks", word: name)] ?? .start
            reader.refuse(
                "the name of a sink was expected, found \(quoted(name)); there are "
                    + sinks.map { "`\($0.name)`" }.joined(separator: ", "),
                at: place
            )
        }
        checkReports(&reader)
    }
}
