import Alerting
import Glibc
import LinuxIO
import Pipeline
import SafeText
import Settings
import SystemPackage

extension CheckedSettings.Webhook {
    /// The sink, with what its secret files hold. A file that is missing, that others may read, or that
    /// holds something else is a mistake of the settings (78).
    func sink(named name: String) throws -> WebhookSink {
        var secrets = WebhookSecrets()
        if let secretFile {
            var badLine = 0
            guard let read = WebhookSecrets(try secretText(secretFile), badLine: &badLine) else {
                let what = "a secret such as whsec_MfKQ… of 24 to 64 bytes was expected"
                throw Failure(.settings, "\(shown(secretFile)):\(badLine): \(what)")
            }
            secrets = read
        }
        var headers: [(name: String, value: String)] = []
        if let headersFile {
            headers = try Self.headers(try secretText(headersFile), of: headersFile)
        }
        var routingKey: String?
        if let keyFile {
            let lines = try secretText(keyFile).split(whereSeparator: \.isNewline)
            guard lines.count == 1, lines[0].utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else {
                throw Failure(.settings, "\(shown(keyFile)): one line with a key was expected")
            }
            routingKey = String(lines[0])
        }
        var transfer = TransferSettings()
        transfer.connectMilliseconds = Int(connectTimeout) * 1_000
        transfer.wholeMilliseconds = Int(timeout) * 1_000
        transfer.authorityFile = authorityFile
        transfer.certificateFile = certificateFile
        transfer.keyFile = certificateKeyFile
        transfer.proxy = proxy
        transfer.userAgent = "Postern/\(Version.text)"
        try transfer.checkFiles()
        return WebhookSink(
            name: name,
            url: url,
            format: WebhookFormat(rawValue: format.rawValue) ?? .ecs,
            secrets: secrets,
            headers: headers,
            routingKey: routingKey,
            template: try checkedTemplate(),
            settings: transfer
        )
    }

    /// The template, if there is one. Its mistakes are told with file and line.
    func checkedTemplate() throws -> WebhookTemplate? {
        guard let template else { return nil }
        let bytes: [UInt8]
        do {
            bytes = try readWholeFile(FilePath(template), bytesMax: WebhookTemplate.bytesMax)
        } catch {
            throw Failure(.settings, shown("\(error)"))
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.settings, "\(shown(template)):1: text in UTF-8 was expected")
        }
        do {
            return try WebhookTemplate(text, contentType: contentType)
        } catch {
            throw Failure(.settings, "\(shown(template)):\(error.line): " + error.message)
        }
    }

    /// Lines such as `Authorization: Bearer …`. Names are tokens (RFC 9110, 5.6.2), values visible ASCII
    /// and blanks.
    private static func headers(
        _ text: String,
        of path: String
    ) throws -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        where !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = (parts.last ?? "").drop { $0 == " " }
            let isName = parts[0].utf8.allSatisfy { byte in
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: "_")
            }
            guard parts.count == 2, !parts[0].isEmpty, isName, !value.isEmpty,
                value.utf8.allSatisfy({ 0x20...0x7e ~= $0 })
            else {
                throw Failure(.settings, "\(shown(path)):\(index + 1): `NAME: VALUE` was expected")
            }
            headers.append((String(parts[0]), String(value)))
        }
        return headers
    }
}

extension CheckedSettings.Syslog {
    /// The sink. A certificate that cannot be read is a mistake of the settings (78).
    func sink(named name: String) throws -> SyslogSink {
        var transfer = TransferSettings()
        transfer.connectMilliseconds = Int(connectTimeout) * 1_000
        transfer.wholeMilliseconds = Int(timeout) * 1_000
        transfer.authorityFile = authorityFile
        transfer.certificateFile = certificateFile
        transfer.keyFile = certificateKeyFile
        try transfer.checkFiles()
        let address: SyslogAddress =
            switch address {
            case .unix(let path): .unix(path)
            case .udp(let host, let port): .udp(host: host, port: port)
            case .tcp(let host, let port): .tcp(host: host, port: port)
            case .tls(let host, let port): .tls(host: host, port: port)
            }
        let format: SyslogFormat? =
            switch format {
            case .rfc3164: .rfc3164
            case .rfc5424: .rfc5424
            case nil: nil
            }
        return SyslogSink(
            name: name,
            address: address,
            facility: facility.rawValue,
            format: format,
            host: hostName(),
            bytesMax: sizeMax,
            settings: transfer
        )
    }
}

extension CheckedSettings.Mail {
    /// The sink, with what its secret file holds.
    func sink(named name: String) throws -> MailSink {
        var letters: [String: String] = [:]
        if let letter, let folder = shippedRulesFolder() {
            for (diagnosis, file) in [
                ("outlook-receipts", "outlook-read-receipts"), ("stolen-login", "stolen-login"),
            ] {
                let path = folder.appending("remediation/\(file).\(letter.rawValue).txt")
                do {
                    let bytes = try readWholeFile(path, bytesMax: 65_536)
                    letters[diagnosis] = String(decoding: bytes, as: UTF8.self)
                } catch {
                    throw Failure(.settings, shown("\(error)"))
                }
            }
        }
        let host = hostName()
        return MailSink(
            name: name,
            from: from ?? "postern@\(host)",
            to: to,
            host: host,
            letters: letters,
            way: try way()
        )
    }

    private func way() throws -> MailWay {
        guard let smtp else { return .sendmail(sendmail) }
        var server = SMTPSettings(url: smtp)
        server.allowsPlain = isInsecureAllowed || isOnLoopback
        server.user = user
        if let passwordFile {
            let lines = try secretText(passwordFile).split(whereSeparator: \.isNewline)
            guard lines.count == 1 else {
                throw Failure(
                    .settings,
                    "\(shown(passwordFile)): one line with a password was expected"
                )
            }
            server.password = String(lines[0])
        }
        server.transfer.connectMilliseconds = Int(connectTimeout) * 1_000
        server.transfer.wholeMilliseconds = Int(timeout) * 1_000
        server.transfer.authorityFile = authorityFile
        server.transfer.certificateFile = certificateFile
        server.transfer.keyFile = certificateKeyFile
        try server.transfer.checkFiles()
        return .smtp(server)
    }
}

extension TransferSettings {
    /// Certificates must be there when the daemon starts, not when the first alert is to be sent.
    func checkFiles() throws {
        for file in [authorityFile, certificateFile, keyFile].compactMap(\.self) {
            do {
                _ = try readWholeFile(FilePath(file), bytesMax: 1 << 20)
            } catch {
                throw Failure(.settings, shown("\(error)"))
            }
        }
    }
}

/// The text of a file with a secret in it, which nobody but its owner and group may read.
///
/// A name without a folder is that of a credential of the service (systemd.exec(5),
/// `LoadCredential=`).
private func secretText(_ name: String) throws -> String {
    var path = name
    if !name.contains("/") {
        guard let folder = unsafe getenv("CREDENTIALS_DIRECTORY") else {
            throw Failure(
                .settings,
                "\(shown(name)): there are no credentials of a service here (LoadCredential=); "
                    + "a file needs its whole path"
            )
        }
        path = unsafe String(cString: folder) + "/" + name
    }
    let bytes: [UInt8]
    do {
        let status = try SystemCalls().status(of: FilePath(path))
        guard status.mode & 0o007 == 0 else {
            throw Failure(.settings, "\(shown(path)): others may read this secret; chmod 600 it")
        }
        bytes = try readWholeFile(FilePath(path), bytesMax: 65_536)
    } catch let error as SystemCallError {
        throw Failure(.settings, shown("\(error)"))
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw Failure(.settings, "\(shown(path)): text in UTF-8 was expected")
    }
    return text
}
