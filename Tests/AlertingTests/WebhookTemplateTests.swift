import Findings
import Foundation
import TestSupport
import Testing

@testable import Alerting

@Suite struct WebhookTemplateTests {
    private let good = """
        {
          "text": "{{level}}: {{message}}",
          "id": "{{event.id}}.{{event.sequence}}",
          "when": "{{timestamp}}",
          "who": [{{#related.user}}"{{.}}"{{^last()}}, {{/last()}}{{/related.user}}],
          "over": {{is_resolved}}
        }
        """

    /// forall text of strangers: what comes out is JSON whose texts are those of the alert, and calls
    /// nobody.
    @Test(arguments: 1...100 as ClosedRange<UInt64>)
    func whatStrangersTypeStaysText(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var alert = hostileAlert(&random)
        alert.message += " @here <!channel> <@U1> https://evil.example/ alice@example.com\"},{"
        let template = try WebhookTemplate(good, contentType: "application/json")
        let rendered = try template.render(alert.json())
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(rendered)) as? [String: Any]
        )
        #expect(object.count == 5)
        let text = try #require(object["text"] as? String)
        #expect(text.hasPrefix("\(alert.severity.name): "))
        #expect(
            text.hasSuffix(
                " (at)here < !channel> <(at)U1> https[:]//evil.example/ alice@example.com\"},{"
            )
        )
        #expect(object["over"] as? Bool == (alert.action == .resolved))
        #expect((object["who"] as? [String])?.count == alert.accounts.count)
        #expect(object["id"] as? String == "\(alert.id).\(alert.sequence)")
    }

    @Test(
        arguments: [
            (
                "application/x-www-form-urlencoded", "text={{message}}",
                "text=a%3Db%26c%20%3Cx%3E%22%27"
            ),
            ("text/html; charset=utf-8", "<p>{{message}}", "<p>a=b&amp;c &lt;x&gt;&quot;&#39;"),
            ("text/plain", "{{message}}!", "a=b&c <x>\"'!"),
            ("application/vnd.x+json", "\"{{message}}\"", "\"a=b&c <x>\\\"'\""),
        ]
    )
    func valuesAreEscapedForTheContentType(type: String, text: String, expected: String) throws {
        var alert = exampleAlert()
        alert.message = "a=b&c <x>\"'"
        let template = try WebhookTemplate(text, contentType: type)
        #expect(String(decoding: try template.render(alert.json()), as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            ("{\n\"a\": {{message}}\n}", 2, "no valid JSON"), ("{\"a\": \"x\"", 1, "no valid JSON"),
            ("{\"a\":\n\"{{{message}}}\"}", 2, "unescaped"),
            ("{\"a\":\n\n\"{{& message}}\"}", 3, "unescaped"),
            ("{\"a\": \"{{#x}}\"}", 1, "a Mustache template"),
            ("{{% CONTENT_TYPE:TEXT}}{}", 1, "content type"), ("{{> other}}", 1, "other templates"),
            ("{{=<% %>=}}{}", 1, "marks"), ("", 1, "no valid JSON"),
            ("{\"a\": [{{#related.hosts}}\"{{.}}\",{{/related.hosts}}]}", 1, "no valid JSON"),
        ]
    )
    func aMistakeHasItsLine(text: String, line: Int, words: String) {
        do throws(WebhookTemplate.Mistake) {
            _ = try WebhookTemplate(text, contentType: "application/json")
            Issue.record("taken")
        } catch {
            #expect(error.line == line)
            #expect(error.message.contains(words), "\(error.message)")
        }
    }

    @Test func aContentTypeThatNothingIsEscapedForIsRefused() {
        #expect(throws: WebhookTemplate.Mistake.self) {
            try WebhookTemplate("x", contentType: "image/png")
        }
    }
}
