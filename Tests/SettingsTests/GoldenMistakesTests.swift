import Testing

@testable import Settings

/// One file of settings and all that is wrong in it.
struct MistakeCase: CustomTestStringConvertible {
    let text: String
    let mistakes: [String]

    init(_ text: String, _ mistakes: String...) {
        self.text = text
        self.mistakes = mistakes
    }

    var testDescription: String { String(text.prefix(40)) }
}

@Suite struct GoldenMistakesTests {
    @Test(arguments: [
        // Keys
        MistakeCase(
            "latenes: 5m\n",
            "1:1: unknown key `latenes`; did you mean `lateness`?"
        ),
        MistakeCase(
            "mailboxes: {}\ninternal_domains: []\n",
            "1:1: `mailboxes` is not supported by this version",
            "2:1: `internal_domains` is not supported by this version"
        ),
        MistakeCase(
            "http: {listen: \"tcp:mx1.example:8025\", host: x}\n",
            "1:16: unix:/run/postern/http.sock or tcp:127.0.0.1:PORT was expected, found "
                + "`tcp:mx1.example:8025`",
            "1:40: unknown key `host`; did you mean `hosts`?"
        ),
        MistakeCase(
            "http: {listen: \"tcp:127.0.0.1\", hosts: [\"a b\"]}\n",
            "1:16: unix:/run/postern/http.sock or tcp:127.0.0.1:PORT was expected, found "
                + "`tcp:127.0.0.1`",
            "1:41: a domain such as example.com was expected, found `a b`"
        ),
        MistakeCase(
            "http: {listen: \"unix:http.sock\"}\npseudonyms: {http: maybe}\n",
            "1:16: an absolute path of at most 107 bytes after `unix:` was expected, found "
                + "`unix:http.sock`",
            "2:20: `true` or `false` was expected, found `maybe`"
        ),
        MistakeCase(
            "reports: [{every: year, at: \"7:00\", on: sonday, to: ops}]\n",
            "1:19: a period was expected, found `year`; expected one of `day`, "
                + "`week`, `month`",
            "1:29: a time of the day such as \"07:00\" was expected, found `7:00`",
            "1:41: a day of the week, or of the month from 1 to 28, was expected, "
                + "found `sonday`; did you mean `monday`?"
        ),
        MistakeCase(
            "reports: [{every: day, on: monday, to: x}, {on: 3, to: x}, {every: month, on: 29, to: x}]\n",
            "1:28: no `on:` was expected with `every: day`",
            "1:49: a day of the week such as `monday` was expected with `every: week`",
            "1:79: a number from 1 to 28 was expected, found `29`"
        ),
        MistakeCase(
            "sinks: [{stdout: }, {mail: {to: a@b.example}}]\n"
                + "reports:\n  - to: [stdout, mial]\n  - every: week\n  - to: mail\n  - {at: \"08:00\", to: mail}\n",
            "3:10: a sink that takes reports was expected, found `stdout`: "
                + "`mail:`, `exec:`, and `webhook:` but for Alertmanager and PagerDuty do",
            "3:18: the name of a sink was expected, found `mial`; there are "
                + "`stdout`, `mail:a@b.example`",
            "4:5: `to:`, the sink that gets the report was expected, found a map",
            "6:5: the sink `mail:a@b.example` has a report for every week already"
        ),
        MistakeCase(
            "merge_hodl: 1s\n",
            "1:1: unknown key `merge_hodl`; did you mean `merge_hold`?"
        ),
        MistakeCase(
            "memory: {colour: blue}\n",
            "1:10: unknown key `colour`; expected `domains`, `pairs_max`"
        ),
        MistakeCase(
            "memory: {windows_bytes_max: 3}\n",
            "1:10: `windows_bytes_max` is not supported by this version"
        ),
        MistakeCase(
            "sinks:\n    - webhook: {url: \"https://alerts.example/\"}\n      rate: 30\n"
                + "      group: 2d\n      quiet: 22-7\n      storm: 0/m\n      name: a b\n"
                + "      expire: 1s\n",
            "3:13: a number for a time such as 30/h or 20/10m was expected, found `30`",
            "4:14: a time span from 1s to 1d was expected, found `2d`",
            "5:14: hours such as 22:00-07:00 was expected, found `22-7`",
            "6:14: a number for a time such as 30/h or 20/10m was expected, found `0/m`",
            "7:13: a name of letters, digits, `-`, `_` and `.` was expected, found `a b`",
            "8:15: a time span from 1m to 365d was expected, found `1s`"
        ),
        MistakeCase(
            "sinks:\n    - webhook: {url: \"https://alerts.example/\", format: alertmanager}\n"
                + "      storm: 20/10m\n",
            "2:7: no `rate`, `group`, `quiet` or `storm` was expected: `alertmanager` groups alerts "
                + "itself, and must hear of each one's end"
        ),
        MistakeCase(
            "filters: [\"[192.0.2.40]:10025\", 192.0.2.0/24, unknown]\n",
            "1:11: the IP address, host name or transport of a filter, such as 192.0.2.40 was "
                + "expected, found `[192.0.2.40]:10025`",
            "1:33: the IP address, host name or transport of a filter, such as 192.0.2.40 was "
                + "expected, found `192.0.2.0/24`",
            "1:47: the IP address, host name or transport of a filter, such as 192.0.2.40 was "
                + "expected, found `unknown`"
        ),
        MistakeCase("evil\u{1b}: 1\n", "1:5: a control character; YAML does not allow it"),
        MistakeCase(
            "\"evil\\e[31m\": 1\n",
            "1:1: unknown key `evil\\u{1b}[31m`; expected `sources`, `timezone`, `lateness`, "
                + "`merge_hold`, `account_domain`, `filters`, `rules`, `rules_off`, `placeholders`, `fields`, `receipts`, `memory`, "
                + "`limits`, `state`, `evidence`, `pseudonyms`, `canary`, `dispatch_age_max`, `sinks`, `reports`, `http`"
        ),

        MistakeCase(
            "pseudonyms: { sinks: [webhook], domains: maybe }\n"
                + "evidence: { keep: 5m, bytes_max: 1 }\n",
            "1:23: the name of a sink was expected, found `webhook`; there are "
                + "`syslog:unix:/dev/log`",
            "1:42: keep or hide was expected, found `maybe`; expected one of `keep`, `hide`",
            "2:19: a time span from 1h to 36500d was expected, found `5m`",
            "2:34: a size from 1048576 to 1125899906842624 bytes was expected, found `1`"
        ),

        // Types
        MistakeCase("[1, 2]\n", "1:1: a map was expected, found a list"),
        MistakeCase("hello\n", "1:1: a map was expected, found `hello`"),
        MistakeCase(
            "lateness: {}\nstate: []\nrules: /etc\nmemory: 400d\n",
            "1:11: a time span such as 90s, 5m, 6h or 7d was expected, found a map",
            "2:8: the path of a folder was expected, found a list",
            "3:8: a list of folders was expected, found `/etc`",
            "4:9: a map was expected, found `400d`"
        ),
        MistakeCase(
            "lateness:\nstate:\n",
            "1:10: a time span such as 90s, 5m, 6h or 7d was expected, found nothing",
            "2:7: the path of a folder was expected, found nothing"
        ),
        MistakeCase(
            "rules_off: [on, 12, \"12\", '']\n",
            "1:13: the name of a rule was expected, found `on`; put it in quotes if it is one",
            "1:17: the name of a rule was expected, found `12`; put it in quotes if it is one",
            "1:27: the name of a rule was expected, found empty text"
        ),
        MistakeCase("rules: [/a, /b, /a]\n", "1:17: `/a` stands in this list before"),

        // Values
        MistakeCase(
            "lateness: 5\n",
            "1:11: a time span such as 90s, 5m, 6h or 7d was expected, found `5`"
        ),
        MistakeCase("lateness: 8d\n", "1:11: a time span from 0s to 7d was expected, found `8d`"),
        MistakeCase(
            "lateness: 99999999999999999999d\n",
            "1:11: a time span such as 90s, 5m, 6h or 7d was expected, "
                + "found `99999999999999999999d`"
        ),
        MistakeCase(
            "memory: {domains: 36h}\n",
            "1:19: a time span in days such as 400d was expected, found `36h`"
        ),
        MistakeCase(
            "memory: {domains: 0d}\n",
            "1:19: a time span from 1d to 36500d was expected, found `0d`"
        ),
        MistakeCase(
            "dispatch_age_max: 1s\n",
            "1:19: a time span from 1m to 3650d was expected, found `1s`"
        ),
        MistakeCase(
            "limits: {recipients: 0, kept_lines: 010, open_messages: \"5000\", outbox_bytes: 1GB}\n",
            "1:22: a number from 1 to 1000000 was expected, found `0`",
            "1:37: a whole number was expected, found `010`",
            "1:57: a whole number was expected, found `5000`",
            "1:79: a size such as 64MiB was expected, found `1GB`"
        ),
        MistakeCase(
            "limits: {outbox_bytes: 1KiB, outbox: 1.5, kept_lines: -1}\n",
            "1:24: a size from 65536 to 68719476736 bytes was expected, found `1KiB`",
            "1:38: a whole number was expected, found `1.5`",
            "1:55: a whole number was expected, found `-1`"
        ),
        MistakeCase(
            "timezone: Europe/Brelin\n",
            "1:11: `local`, `UTC` or a name of the tz database such as Europe/Berlin was expected, "
                + "found `Europe/Brelin`; /usr/share/zoneinfo has none of that name"
        ),
        MistakeCase(
            "timezone: utc\n",
            "1:11: `local`, `UTC` or a name of the tz database such as Europe/Berlin was expected, "
                + "found `utc`; did you mean `UTC`?"
        ),
        MistakeCase(
            "timezone: ../../../etc/passwd\n",
            "1:11: `local`, `UTC` or a name of the tz database such as Europe/Berlin was expected, "
                + "found `../../../etc/passwd`; /usr/share/zoneinfo has none of that name"
        ),
        MistakeCase(
            "timezone: Europe\n",
            "1:11: `local`, `UTC` or a name of the tz database such as Europe/Berlin was expected, "
                + "found `Europe`; /usr/share/zoneinfo has none of that name"
        ),
        MistakeCase(
            "account_domain: \"@example.com\"\n",
            "1:17: a domain such as example.com was expected, found `@example.com`"
        ),
        MistakeCase(
            "account_domain: example..com\n",
            "1:17: a domain such as example.com was expected, found `example..com`"
        ),
        MistakeCase(
            "receipts: {not_read: [\": \", \"a: b\", Lu], read: [Lu]}\n",
            "1:23: a subject prefix was expected, found `: `",
            "1:29: a subject prefix with at most one colon, at its end was expected, found `a: b`",
            "1:49: `Lu` cannot mean both read and not read"
        ),

        // Sources and sinks
        MistakeCase(
            "sources: []\n",
            "1:10: a list of sources such as `- file: /var/log/mail.log` was expected, found a list"
        ),
        MistakeCase(
            "sinks:\n    - syslog: {address: \"udp://loghost:0\"}\n"
                + "    - syslog: {facility: mail}\n",
            "2:25: an address such as unix:/dev/log or tls://logs.example:6514 was expected, "
                + "found `udp://loghost:0`",
            "3:26: a facility other than `mail` was expected: Postern would read itself"
        ),
        MistakeCase(
            "sinks:\n    - syslog: {address: /dev/log, facility: deamon}\n",
            "2:25: an address such as unix:/dev/log or tls://logs.example:6514 was expected, "
                + "found `/dev/log`",
            "2:45: a syslog facility was expected, found `deamon`; did you mean `daemon`?"
        ),
        MistakeCase(
            "sinks:\n    - syslog: {address: \"unix:log\", facility: cronn}\n",
            "2:25: an absolute path of at most 107 bytes after `unix:` was expected, "
                + "found `unix:log`",
            "2:47: a syslog facility was expected, found `cronn`; did you mean `cron`?"
        ),
        MistakeCase(
            "sinks:\n    - levels: low\n    - {syslog: , stdout: }\n    - stdout:\n    - stdout:\n",
            "2:7: `syslog:`, `webhook:`, `mail:`, `exec:` or `stdout:` was expected, found a map",
            "3:7: one sink for each list item was expected",
            "5:7: the sink `stdout` stands in this list before"
        ),
        MistakeCase(
            "sinks:\n    - stdout: {format: xml}\n      levels: critical..medium\n"
                + "    - syslog:\n      levels: medum..critical\n",
            "2:24: a format was expected, found `xml`; expected one of `text`, `json`",
            "3:15: the lower level first was expected, found `critical..medium`",
            "5:15: levels such as medium..critical was expected, found `medum..critical`; "
                + "did you mean `medium`?"
        ),
        MistakeCase(
            "sinks: [{stdout: , levels: low..high..critical}]\n",
            "1:28: levels such as medium..critical was expected, found `low..high..critical`"
        ),

        // YAML
        MistakeCase("state: /a\nstate: /b\n", "1:1: the key `state` stands here more than once"),
        MistakeCase("limits:\n\trecipients: 5\n", "2:1: a tab cannot indent YAML; use spaces"),
        MistakeCase(
            "state: &a /x\nrules: [*a]\n",
            "1:8: YAML anchors and aliases are not allowed in settings"
        ),
        MistakeCase(
            "rules: [*a]\n",
            "1:9: YAML anchors and aliases are not allowed in settings; "
                + "quote a value that begins with `*`"
        ),
        MistakeCase(
            "lateness: !!int 5\n",
            "1:11: the YAML tag `tag:yaml.org,2002:int` is not allowed in settings"
        ),
        MistakeCase("? [a]\n: b\n", "1:3: a key must be one word, not a list"),
        MistakeCase(
            "state: /a\n---\nstate: /b\n",
            "2:1: one document was expected, here begins a second"
        ),
        MistakeCase(
            "state: [\n",
            "2:1: YAML: while parsing a flow node did not find expected node content"
        ),
    ])
    func allMistakesOfAFileAreToldAtOnce(one: MistakeCase) {
        let (settings, mistakes) = read(one.text)
        #expect(settings == nil)
        #expect(mistakes == one.mistakes.map { "p.yml:" + $0 })
    }

    @Test func bytesThatAreNoUTF8AreShownTheirPlace() {
        let bytes = Array("state: /a\n# caf".utf8) + [0xe9, 0x0a]
        let (settings, mistakes) = CheckedSettings.read(bytes, file: "p.yml")
        #expect(settings == nil)
        #expect(mistakes.map(\.description) == ["p.yml:2:6: UTF-8 was expected"])
    }
}
