import Findings
import Mustache
import SafeText

/// A site's own form of a webhook's body: a Mustache template, whose fields are those of the alert.
///
/// Each value is escaped for the content type when it is put in, so that text of a log stays text; a
/// template that wants one unescaped is refused. `://` becomes `[:]//`, and an `@` or `<!` that could
/// call somebody in a chat is taken apart.
public struct WebhookTemplate: Sendable {
    /// What is wrong with a template, and in which line of its file.
    public struct Mistake: Error, Sendable, Hashable {
        public var line: Int
        public var message: String
    }

    /// How values are escaped.
    public enum Escaping: Sendable, Hashable {
        case json, form, markup, text

        /// By the content type, without its parameters; nil: of one that is not known.
        public init?(contentType: String) {
            let type = contentType.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
            switch type {
            case "application/json": self = .json
            case "application/x-www-form-urlencoded": self = .form
            case "text/html", "text/xml", "application/xml": self = .markup
            case "text/plain": self = .text
            default:
                if type.hasSuffix("+json") {
                    self = .json
                } else if type.hasSuffix("+xml") {
                    self = .markup
                } else {
                    return nil
                }
            }
        }
    }

    public let contentType: String
    private let escaping: Escaping
    private let template: MustacheTemplate

    /// Bytes of a template.
    public static let bytesMax = 262_144

    /// Reads a template, and tries it with alerts of every kind.
    ///
    /// - Throws: where it is no template, wants a value unescaped, or does not give valid JSON for a
    ///   content type that is JSON.
    public init(_ text: String, contentType: String) throws(Mistake) {
        guard let escaping = Escaping(contentType: contentType) else {
            throw Mistake(
                line: 1,
                message:
                    "the content type \(shown(contentType)) is none that values are escaped for"
            )
        }
        self.escaping = escaping
        self.contentType = contentType
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            if let message = Self.refused(line) { throw Mistake(line: index + 1, message: message) }
        }
        _ = Self.register
        do {
            template = try MustacheTemplate(
                string: "{{% CONTENT_TYPE:POSTERN_\(escaping) }}" + text
            )
        } catch let error as MustacheTemplate.ParserError {
            throw Mistake(
                line: error.context.lineNumber,
                message: "a Mustache template was expected: \(error.error)"
            )
        } catch {
            throw Mistake(line: 1, message: "a Mustache template was expected: \(error)")
        }
        for body in Self.samples {
            let rendered: [UInt8]
            do {
                rendered = try render(body)
            } catch {
                throw Mistake(line: error.line, message: error.message)
            }
            guard rendered.contains(where: { $0 > 0x20 }) else {
                throw Mistake(line: 1, message: "it gives nothing for a sample alert")
            }
        }
    }

    /// What a line may not have in it.
    private static func refused(_ line: Substring) -> String? {
        var rest = line
        while let start = rest.firstRange(of: "{{")?.upperBound {
            rest = rest[start...]
            let tag = rest.drop { $0 == " " }
            switch tag.first {
            case "{", "&": return "`{{{` and `{{&` put log text in unescaped"
            case "%", "=": return "a change of content type or of the tags' marks was not expected"
            case ">", "<", "$": return "there are no other templates to put in"
            default: break
            }
        }
        return nil
    }

    /// The body for an alert.
    ///
    /// - Parameter body: the alert's JSON.
    /// - Throws: where what comes out is not valid JSON, though it should be.
    func render(_ body: [UInt8]) throws(Mistake) -> [UInt8] {
        let object: JSONObject
        do {
            object = try JSONObjectReader.read(body)
        } catch {
            throw Mistake(line: 1, message: "the alert cannot be read: \(error)")
        }
        let rendered = Array(template.render(Self.tree(object)).utf8)
        guard escaping == .json else { return rendered }
        // Whatever the outermost value is.
        let start = Array("{\"a\":".utf8)
        do {
            _ = try JSONObjectReader.read(start + rendered + [UInt8(ascii: "}")])
        } catch {
            let offset = max(0, min(error.offset - start.count, rendered.count))
            throw Mistake(
                line: rendered[..<offset].count { $0 == UInt8(ascii: "\n") } + 1,
                message:
                    "for a sample alert it gives no valid JSON: byte \(offset) of what it gives: "
                    + "\(error.expected) was expected"
            )
        }
        return rendered
    }

    // MARK: Fields

    /// The object with a level for each dot of its names, as Mustache looks names up; and some of which
    /// a template can decide: `level`, `is_resolved`, `is_notice`, `is_digest`; `@timestamp` is `timestamp`.
    private static func tree(_ object: JSONObject) -> [String: Any] {
        var tree: [String: Any] = [:]
        for member in object.members {
            let path = member.name.split(separator: ".").map(String.init)
            put(value(member.value), at: path[...], in: &tree)
        }
        // A name of Mustache has no `@`.
        tree["timestamp"] = tree.removeValue(forKey: "@timestamp")
        let severity = Int(object["event.severity"]?.integer ?? 0)
        tree["level"] =
            (Severity.allCases.last { $0.rawValue <= severity } ?? .informational).name
        let action = object["event.action"]?.string
        tree["is_resolved"] = action == AlertAction.resolved.name
        tree["is_notice"] = action == "notice"
        tree["is_digest"] = action == "digest"
        return tree
    }

    private static func put(
        _ value: Any,
        at path: ArraySlice<String>,
        in tree: inout [String: Any]
    ) {
        guard let first = path.first else { return }
        if path.count == 1 {
            tree[first] = value
            return
        }
        var inner = tree[first] as? [String: Any] ?? [:]
        put(value, at: path.dropFirst(), in: &inner)
        tree[first] = inner
    }

    private static func value(_ value: JSONValue) -> Any {
        switch value {
        case .null: return ""
        case .boolean(let flag): return flag
        case .integer(let number): return "\(number)"
        case .number(let number): return number
        case .string(let text): return harmless(text)
        case .array(let values): return values.map { Self.value($0) }
        case .object(let object):
            var tree: [String: Any] = [:]
            for member in object.members {
                put(
                    Self.value(member.value),
                    at: member.name.split(separator: ".").map(String.init)[...],
                    in: &tree
                )
            }
            return tree
        }
    }

    /// Text that calls nobody in a chat and is no link.
    private static func harmless(_ text: String) -> String {
        var safe = ""
        var former: Unicode.Scalar = " "
        for scalar in shown(text.replacing("://", with: "[:]//")).unicodeScalars {
            // An address has something before its `@`, a mention has not.
            if scalar == "@", !former.properties.isAlphabetic, former.properties.numericType == nil,
                former != ".", former != "_", former != "-", former != "+"
            {
                safe += "(at)"
            } else if scalar == "!", former == "<" {
                safe += " !"
            } else {
                safe.unicodeScalars.append(scalar)
            }
            former = scalar
        }
        return safe
    }

    // MARK: Content types

    private struct Values: MustacheContentType {
        let escaping: Escaping

        func escapeText(_ text: String) -> String {
            switch escaping {
            case .json:
                var bytes: [UInt8] = []
                JSONObjectWriter.append(string: text, to: &bytes)
                // Without the quotes, which are the template's.
                return String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self)
            case .form:
                var safe = ""
                for byte in text.utf8 {
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"):
                        safe.unicodeScalars.append(Unicode.Scalar(byte))
                    default: safe += "%" + hex([byte]).uppercased()
                    }
                }
                return safe
            case .markup:
                return text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
                    .replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
                    .replacing("'", with: "&#39;")
            case .text: return text
            }
        }
    }

    /// Done once: the names are the program's, and two threads would write the same.
    private static let register: Void = {
        for escaping in [Escaping.json, .form, .markup, .text] {
            MustacheContentTypes.register(Values(escaping: escaping), named: "POSTERN_\(escaping)")
        }
    }()

    // MARK: Samples

    /// Alerts of every kind, with text that would break a body that does not escape it.
    private static let samples: [[UInt8]] = {
        let hostile = "a\"b\\c\n</x>&=@here {{x}} \u{1b}[31m"
        var samples: [[UInt8]] = []
        for action in AlertAction.allCases {
            for isFull in [true, false] {
                guard let id = AlertID(String(repeating: "a", count: 26)) else { continue }
                var alert = Alert(
                    id: id,
                    sequence: 0,
                    action: action,
                    microseconds: 1_772_359_450_250_000,
                    severity: .high,
                    ruleID: "00000000-0000-0000-0000-000000000000",
                    ruleName: "sample"
                )
                alert.message = hostile
                if isFull {
                    alert.account = hostile
                    alert.accounts = [hostile, "b@example.com"]
                    alert.hosts = [hostile, "example.net", "example.org"]
                    alert.diagnosisFacts = [hostile, "x"]
                    alert.group = [hostile]
                    alert.remediation = hostile
                    alert.commands = [hostile, "x"]
                    alert.degraded = [hostile]
                    alert.blocklists = [hostile]
                }
                samples.append(alert.json())
            }
        }
        samples.append(
            Notice(
                name: "postern_test",
                id: "sample",
                microseconds: 0,
                severity: .low,
                message: hostile
            ).json()
        )
        return samples
    }()
}
