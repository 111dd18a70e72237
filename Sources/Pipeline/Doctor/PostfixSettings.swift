/// What `postconf -n` and `postconf -M` say of a Postfix, as far as it matters here.
public struct PostfixSettings: Sendable, Equatable {
    /// A line of master.cf.
    public struct Service: Sendable, Equatable {
        public var name: String
        /// `inet`, `unix`, …
        public var type: String
        /// The column `chroot`.
        public var chroot: String
        public var command: String
        /// `-o NAME=VALUE`.
        public var overrides: [String: String]

        /// Whether it takes mail from the network, perhaps by way of postscreen(8).
        var isServer: Bool { (type == "inet" || type == "pass") && command == "smtpd" }
    }

    /// Settings of main.cf that are not the default.
    public private(set) var main: [String: String] = [:]
    public private(set) var services: [Service] = []

    /// - Parameters:
    ///   - main: what `postconf -n` wrote.
    ///   - master: what `postconf -M` wrote.
    public init(main: String, master: String) {
        for line in main.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            self.main[Self.trimmed(line[..<equals])] = Self.trimmed(
                line[line.index(after: equals)...]
            )
        }
        for line in master.split(separator: "\n") {
            if let service = Self.service(line) { services.append(service) }
        }
    }

    private static func service(_ line: Substring) -> Service? {
        let words = words(line)
        guard words.count >= 8 else { return nil }
        var service = Service(
            name: words[0],
            type: words[1],
            chroot: words[4],
            command: words[7],
            overrides: [:]
        )
        var index = 8
        while index + 1 < words.count {
            if words[index] == "-o" {
                let setting = words[index + 1][...]
                if let equals = setting.firstIndex(of: "=") {
                    let name = trimmed(setting[..<equals])
                    service.overrides[name] = trimmed(setting[setting.index(after: equals)...])
                }
                index += 1
            }
            index += 1
        }
        return service
    }

    /// Words between white space; what stands in braces is one (master(5)).
    private static func words(_ line: Substring) -> [String] {
        var words: [String] = []
        var word = ""
        var depth = 0
        for character in line {
            if character == "{" {
                depth += 1
                if depth == 1 { continue }
            } else if character == "}", depth > 0 {
                depth -= 1
                if depth == 0 { continue }
            }
            if character.isWhitespace, depth == 0 {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace ?? false { text = text.dropFirst() }
        while text.last?.isWhitespace ?? false { text = text.dropLast() }
        return String(text)
    }

    // MARK: What matters here

    /// Services by which users hand mail in: named after it, or with logins and without strangers.
    public var submissionServices: [Service] {
        services.filter { $0.isServer && isSubmission($0) }
    }

    /// Services by which other servers hand mail in. Those that take it back from a filter are told
    /// by what they leave out.
    public var inboundServices: [Service] {
        services.filter { service in
            service.isServer && !isSubmission(service)
                && service.overrides["receive_override_options"] == nil
                && service.overrides["content_filter"] == nil
        }
    }

    private func isSubmission(_ service: Service) -> Bool {
        let port = service.name.split(separator: ":").last.map(String.init) ?? service.name
        if ["submission", "submissions", "smtps", "587", "465"].contains(port) { return true }
        let restrictions = service.overrides.filter { $0.key.hasSuffix("_restrictions") }.values
        return service.overrides["smtpd_sasl_auth_enable"] == "yes"
            || service.overrides["syslog_name"]?.contains("submission") ?? false
            || restrictions.contains { list in
                let words = list.split { $0 == "," || $0.isWhitespace }
                return words.contains("permit_sasl_authenticated") && words.last == "reject"
            }
    }

    /// The cleanup service that a smtpd service hands its mail to (postconf(5),
    /// `cleanup_service_name`).
    public func cleanup(of service: Service) -> String {
        service.overrides["cleanup_service_name"] ?? main["cleanup_service_name"] ?? "cleanup"
    }

    /// Whether some cleanup service gets mail of users and mail of other servers; nil when main.cf
    /// and master.cf name no service of one of the two.
    public var isCleanupShared: Bool? {
        let submission = Set(submissionServices.map { cleanup(of: $0) })
        let inbound = Set(inboundServices.map { cleanup(of: $0) })
        guard !submission.isEmpty, !inbound.isEmpty else { return nil }
        return !submission.isDisjoint(with: inbound)
    }

    /// The names of the cleanup services that get the users' mail, each once.
    public var submissionCleanups: [String] {
        var names: [String] = []
        for service in submissionServices {
            let name = cleanup(of: service)
            if !names.contains(name) { names.append(name) }
        }
        return names.isEmpty ? [main["cleanup_service_name"] ?? "cleanup"] : names
    }

    public func service(_ name: String, _ command: String) -> Service? {
        services.first { $0.name == name && $0.command == command }
    }

    /// A setting as it is in force for a service; nil: the default.
    public func value(_ name: String, for service: Service?) -> String? {
        service?.overrides[name] ?? main[name]
    }

    /// The tables that a cleanup service looks headers up in.
    public func tables(_ name: String, ofCleanup cleanup: String) -> [Table] {
        let service = service(cleanup, "cleanup")
        let inherited = name == "header_checks" ? nil : value("header_checks", for: service)
        let value = value(name, for: service) ?? inherited ?? ""
        if value == "$header_checks" { return tables("header_checks", ofCleanup: cleanup) }
        return Self.words(value[...]).flatMap { $0.split(separator: ",") }.map { Table(String($0)) }
    }

    /// All tables with patterns that headers of any mail are looked up in, each once.
    public var patternTables: [Table] {
        var tables: [Table] = []
        for cleanup in ["cleanup"] + submissionCleanups {
            for name in ["header_checks", "mime_header_checks", "nested_header_checks"] {
                for table in self.tables(name, ofCleanup: cleanup)
                where table.path != nil && !tables.contains(table) {
                    tables.append(table)
                }
            }
        }
        return tables
    }

    /// Whether header checks are turned off for a smtpd service.
    public func hasNoHeaderChecks(_ service: Service) -> Bool {
        (value("receive_override_options", for: service) ?? "").contains("no_header_body_checks")
    }

    /// One table, as in `pcre:/etc/postfix/header_checks`.
    public struct Table: Sendable, Equatable {
        /// As it stands in the setting.
        public var name: String

        public init(_ name: String) { self.name = name }

        public var type: String { String(name.prefix { $0 != ":" }) }

        /// Of the kinds that have patterns, the file; nil for others, and for tables without one.
        public var path: String? {
            guard type == "pcre" || type == "regexp", let colon = name.firstIndex(of: ":") else {
                return nil
            }
            let path = String(name[name.index(after: colon)...])
            return path.hasPrefix("/") ? path : nil
        }
    }
}
