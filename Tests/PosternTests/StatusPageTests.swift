import Foundation
import TestSupport
import Testing

/// A daemon with its status page, and curl to look at it.
private final class Site {
    let daemon: Daemon
    let port: Int?
    let socket: String

    enum Place { case tcp, unix }

    init(_ place: Place, settings: String = "", lines: String = "") async throws {
        let scratch = try Scratch()
        socket = scratch.path("s")
        port = place == .tcp ? try await freePort() : nil
        let listen = port.map { "tcp:127.0.0.1:\($0)" } ?? "unix:" + socket
        daemon = try Daemon(settings: "http: { listen: \"\(listen)\" }\n\(settings)")
        self.scratch = scratch
        if !lines.isEmpty { try daemon.append(lines) }
        try daemon.start()
    }

    private let scratch: Scratch

    var token: String {
        let text = try? String(
            contentsOfFile: daemon.scratch.path("state/http.token"),
            encoding: .utf8
        )
        return (text ?? "").trimmingCharacters(in: .newlines)
    }

    struct Answer {
        var status: Int
        var head: String
        var body: String
        var object: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:]
        }

        func header(_ name: String) -> String? {
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name + ":") }
                .map { String($0.dropFirst(name.count + 1)).trimmingCharacters(in: .whitespaces) }
        }
    }

    func get(_ path: String, _ more: String..., withToken: Bool = true) async throws -> Answer {
        var arguments = ["--silent", "--include", "--path-as-is", "--max-time", "20"] + more
        if let port {
            if withToken { arguments += ["--header", "Authorization: Bearer " + token] }
            arguments.append("http://127.0.0.1:\(port)\(path)")
        } else {
            arguments += ["--unix-socket", socket, "http://localhost\(path)"]
        }
        let result = try await runToEnd("/usr/bin/curl", arguments)
        let parts = result.said.components(separatedBy: "\r\n\r\n")
        let status = parts[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return Answer(
            status: status,
            head: parts[0],
            body: parts.dropFirst().joined(separator: "\r\n\r\n")
        )
    }

    /// Lines of the log are in the figures.
    func settled(lines: Int) async throws -> Bool {
        for _ in 0..<100 {
            if try await get("/api/v1/now").object["lines"] as? Int == lines { return true }
            try await Task.sleep(for: .milliseconds(100))
        }
        return false
    }
}

private let threeReceipts = (0..<3).map { receipt($0, second: 0) }.joined()

private func alertIDs(_ answer: Site.Answer) -> [String] {
    (answer.object["alerts"] as? [[String: Any]] ?? []).compactMap { $0["event.id"] as? String }
}

@Suite(.serialized) struct StatusPageTests {
    @Test func onTCPOnlyMetricsAndHealthAreOpen() async throws {
        let site = try await Site(.tcp)
        let paths = [
            "/", "/page.js", "/page.css", "/icon.svg", "/readyz", "/api/v1/now", "/api/v1/alerts",
            "/api/v1/accounts", "/api/v1/continuity", "/api/v1/sinks",
        ]
        for path in paths {
            let locked = try await site.get(path, withToken: false)
            #expect(locked.status == 401, "\(path)")
            #expect(!locked.body.contains("mail.log"))
            let open = try await site.get(path)
            #expect(open.status == 200, "\(path): \(open.body)")
            for (name, value) in [
                ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"),
                ("cache-control", "no-store"), ("cross-origin-resource-policy", "same-origin"),
            ] {
                #expect(open.header(name) == value, "\(path): \(name)")
            }
            let policy = open.header("content-security-policy") ?? ""
            #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'"))
            #expect(!policy.contains("unsafe"))
            #expect(open.header("access-control-allow-origin") == nil)
        }
        #expect(try await site.get("/api/v1/events", withToken: false).status == 401)
        for path in ["/metrics", "/healthz"] {
            #expect(try await site.get(path, withToken: false).status == 200)
            let wrong = try await site.get(path, "-H", "Authorization: Bearer x", withToken: false)
            #expect(wrong.status == 401)
        }
        let foreign = try await site.get("/metrics", "-H", "Host: evil.example")
        #expect(foreign.status == 421)
        #expect(try await site.get("/", "--request", "POST").status == 405)
        #expect(try await site.get("/api/v1/alerts", "--request", "DELETE").status == 405)
        #expect(try await site.get("/nothing").status == 404)
        let mode =
            try FileManager.default.attributesOfItem(
                atPath: site.daemon.scratch.path("state/http.token")
            )[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(site.daemon.stop() == 0)
    }

    @Test func theLinkOfStatusSetsACookieAndOpensThePage() async throws {
        let site = try await Site(.tcp)
        let status = try site.daemon.command("status")
        #expect(status.status == 0, "\(status.error)")
        let link = "http://127.0.0.1:\(site.port ?? 0)/?token=\(site.token)"
        #expect(status.output.contains(link + "\n"), "\(status.output)")
        let signedIn = try await site.get("/?token=" + site.token, withToken: false)
        #expect(signedIn.status == 303)
        #expect(signedIn.header("location") == "/")
        let cookie = try #require(signedIn.header("set-cookie"))
        #expect(cookie.contains("; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200"))
        #expect(!cookie.contains(site.token))
        let pair = String(cookie.prefix { $0 != ";" })
        #expect(try await site.get("/", "--cookie", pair, withToken: false).status == 200)
        #expect(try await site.get("/", "--cookie", pair + "0", withToken: false).status == 401)
        let elsewhere = try await site.get("//evil.example/?token=" + site.token, withToken: false)
        #expect(elsewhere.header("location") == "/")
        #expect(site.daemon.stop() == 0)
        let stopped = try site.daemon.command("status")
        #expect(stopped.status == 1)
        #expect(stopped.error.contains("no daemon runs"))
    }

    @Test func metricsAreCleanToPromtoolAndNameNobody() async throws {
        let site = try await Site(.tcp, lines: threeReceipts)
        #expect(try await site.settled(lines: 18))
        let metrics = try await site.get("/metrics", withToken: false)
        let path = try site.daemon.scratch.write("metrics", metrics.body)
        let checked = try await runToEnd("/bin/sh", ["-c", "promtool check metrics <'\(path)'"])
        #expect(checked.status == 0, "\(checked.said)")
        #expect(checked.said.isEmpty, "\(checked.said)")
        let sizes = metrics.body.split(separator: "\n").filter {
            $0.hasPrefix("postern_state_bytes ") || $0.hasPrefix("postern_evidence_bytes ")
                || $0.hasPrefix("process_resident_memory_bytes ")
        }
        #expect(sizes.count == 3)
        #expect(sizes.allSatisfy { !$0.hasSuffix(" 0") }, "\(sizes)")
        for word in ["alice", "hosted.example", "d0.test", "Cheap meds", "192.0.2.7"] {
            #expect(!metrics.body.contains(word), "\(word)")
        }
        for line in [
            "postern_lines_total 18", "postern_sends_total 3", "postern_receipts_total 3",
            "postern_alerts_open{level=\"high\"} 1",
            "postern_alert_changes_total{action=\"opened\"} 1",
            "postern_ready 1", "postern_alive 1",
            "postern_coverage_submissions{part=\"subject\"} 3",
        ] {
            #expect(metrics.body.contains(line + "\n"), "\(line)")
        }
        #expect(site.daemon.stop() == 0)
    }

    /// The dashboard asks for nothing that the daemon does not tell, and in words that Prometheus reads.
    @Test func theDashboardAndTheRulesAskForWhatThereIs() async throws {
        let site = try await Site(.tcp, lines: threeReceipts)
        #expect(try await site.settled(lines: 18))
        let metrics = try await site.get("/metrics", withToken: false).body
        let known = Set(
            metrics.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
                .map { String($0.split(separator: " ")[2]) }
        )
        #expect(known.count > 25)
        let examples = sourceTree.appendingPathComponent("deploy/examples")
        let dashboard = try Data(
            contentsOf: examples.appendingPathComponent("grafana-dashboard.json")
        )
        let object = try #require(
            try JSONSerialization.jsonObject(with: dashboard) as? [String: Any]
        )
        let panels = try #require(object["panels"] as? [[String: Any]])
        let expressions = panels.flatMap { panel in
            (panel["targets"] as? [[String: Any]] ?? []).compactMap { $0["expr"] as? String }
        }
        #expect(expressions.count > 15)
        let rules = expressions.enumerated().map { index, expression in
            "      - { record: \"panel:\(index)\", expr: '"
                + expression.replacingOccurrences(of: "'", with: "''") + "' }\n"
        }
        let path = try site.daemon.scratch.write(
            "dashboard.yml",
            "groups:\n  - name: dashboard\n    rules:\n" + rules.joined()
        )
        let checked = try await runToEnd("/usr/bin/promtool", ["check", "rules", path])
        #expect(checked.status == 0, "\(checked.said)")
        let file = examples.appendingPathComponent("prometheus-rules.yml")
        let words =
            try String(contentsOf: file, encoding: .utf8) + expressions.joined(separator: "\n")
        let asked = Set(words.matches(of: /(?:postern|process)_[a-z_]+/).map { String($0.output) })
            .subtracting(["postern_limit", "postern_source_lost"])
        #expect(asked.count > 15)
        #expect(asked.subtracting(known).isEmpty, "\(asked.subtracting(known))")
        for arguments in [
            ["check", "rules", file.path], ["check", "config", examples.path + "/prometheus.yml"],
            ["test", "rules", examples.path + "/prometheus-rules.test.yml"],
        ] {
            let result = try await runToEnd("/usr/bin/promtool", arguments)
            #expect(result.status == 0, "\(result.said)")
        }
        #expect(site.daemon.stop() == 0)
    }

    @Test func aSocketGivesTheAlertWithItsMessagesAndItsEvidence() async throws {
        let site = try await Site(.unix, lines: threeReceipts)
        #expect(eventually { site.daemon.alerts.count == 1 })
        #expect(try await site.settled(lines: 18))
        let mode =
            try FileManager.default.attributesOfItem(atPath: site.socket)[.posixPermissions] as? Int
        #expect(mode == 0o660)
        let list = try await site.get("/api/v1/alerts?status=open")
        let alert = try #require((list.object["alerts"] as? [[String: Any]])?.first)
        #expect(alert["user.name"] as? String == "alice@hosted.example")
        #expect(alert["event.action"] as? String == "opened")
        #expect(alert["postern.status"] as? String == "open")
        let id = try #require(alert["event.id"] as? String)
        let detail = try await site.get("/api/v1/alerts/" + id).object
        let events = try #require(detail["events"] as? [[String: Any]])
        #expect(
            events.map { $0["email.to.address"] as? String } == [
                "x@d0.test", "x@d1.test", "x@d2.test",
            ]
        )
        let bundle = try #require((detail["bundles"] as? [String])?.first)
        let copy = site.daemon.scratch.path(bundle)
        let curl = try await runToEnd(
            "/usr/bin/curl",
            [
                "--silent", "--fail", "--unix-socket", site.socket, "--output", copy,
                "http://localhost/api/v1/evidence/" + bundle,
            ]
        )
        #expect(curl.status == 0)
        let original = site.daemon.scratch.path("state/evidence/" + bundle)
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: copy))
                == Data(contentsOf: URL(fileURLWithPath: original))
        )
        #expect(try Program().run(["evidence", "verify", copy]).status == 0)
        for path in [
            "/api/v1/evidence/../http.token", "/api/v1/evidence/..%2fstate.sqlite",
            "/api/v1/evidence/", "/api/v1/evidence/x.tar.zst", "/api/v1/alerts/nobody",
            "/api/v1/evidence/" + String(repeating: "a", count: 26) + ".0.tar.zst",
        ] {
            #expect(try await site.get(path).status == 404, "\(path)")
        }
        for query in [
            "alerts?limit=0", "alerts?limit=x", "alerts?limit=201", "alerts?status=closed",
            "alerts?cursor=1", "alerts?cursor=x_" + id, "continuity?cursor=-1", "accounts?cursor=x",
        ] {
            #expect(try await site.get("/api/v1/" + query).status == 400, "\(query)")
        }
        let accounts = try await site.get("/api/v1/accounts").object["accounts"] as? [[String: Any]]
        #expect(accounts?.first?["receipts"] as? Int == 3)
        let days = try await site.get("/api/v1/continuity").object["days"] as? [[String: Any]]
        #expect(days?.first?["lines"] as? Int == 18)
        let sinks = try await site.get("/api/v1/sinks").object["sinks"] as? [[String: Any]]
        #expect(sinks?.first?["name"] as? String == "stdout")
        #expect(site.daemon.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: site.socket))
    }

    /// forall page sizes: the pages together are the list.
    @Test func pagesGiveEachAlertOnce() async throws {
        let lines = ["ann", "ben", "cia", "dov", "eva"].enumerated().map { place, name in
            (0..<3).map {
                receipt($0 + 10 * place, second: 100 * place, user: name + "@hosted.example")
            }
            .joined()
        }
        let site = try await Site(.unix, lines: lines.joined())
        #expect(eventually { site.daemon.alerts.count >= 5 }, "\(site.daemon.messages)")
        let all = alertIDs(try await site.get("/api/v1/alerts?limit=200"))
        #expect(all.count >= 5)
        for limit in 1...3 {
            var found: [String] = []
            var cursor = ""
            while true {
                let page = try await site.get("/api/v1/alerts?limit=\(limit)" + cursor)
                let ids = alertIDs(page)
                #expect(ids.count <= limit)
                found += ids
                guard let next = page.object["next"] as? String, found.count <= all.count else {
                    break
                }
                cursor = "&cursor=" + next
            }
            #expect(found == all)
        }
        #expect(site.daemon.stop() == 0)
    }

    @Test func anAlertComesToThePageAsItIsRaised() async throws {
        let site = try await Site(.unix)
        let heard = site.daemon.scratch.path("events")
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        curl.arguments = [
            "--silent", "--no-buffer", "--unix-socket", site.socket, "--output", heard,
            "http://localhost/api/v1/events",
        ]
        try curl.run()
        defer { kill(curl.processIdentifier, SIGKILL) }
        let text = { (try? String(contentsOfFile: heard, encoding: .utf8)) ?? "" }
        #expect(eventually { text().contains("retry:") })
        try site.daemon.append(threeReceipts)
        #expect(eventually { text().contains("event: alert\ndata: {") }, "\(text())")
        let data =
            text().split(separator: "\n").first { $0.hasPrefix("data: ") }?.dropFirst(6) ?? ""
        let object = try JSONSerialization.jsonObject(with: Data(data.utf8)) as? [String: Any]
        #expect(object?["event.action"] as? String == "opened")
        #expect(site.daemon.stop() == 0)
    }

    @Test func withPseudonymsNobodyIsNamed() async throws {
        let site = try await Site(
            .unix,
            settings: "pseudonyms: { http: true }",
            lines: threeReceipts
        )
        #expect(eventually { site.daemon.alerts.count == 1 })
        #expect(try await site.settled(lines: 18))
        let list = try await site.get("/api/v1/alerts")
        let id = try #require(alertIDs(list).first)
        for path in ["now", "accounts", "alerts", "alerts/" + id] {
            let answer = try await site.get("/api/v1/" + path)
            #expect(answer.status == 200)
            #expect(!answer.body.contains("alice"), "\(path): \(answer.body)")
            #expect(path == "now" || answer.body.contains("p-"))
        }
        let bundles = try FileManager.default.contentsOfDirectory(
            atPath: site.daemon.scratch.path("state/evidence")
        )
        let name = try #require(bundles.first)
        #expect(try await site.get("/api/v1/evidence/" + name).status == 403)
        #expect(site.daemon.stop() == 0)
    }

    /// Somebody who sends a byte now and then keeps no connection.
    @Test func aRequestThatDoesNotEndLosesItsConnection() async throws {
        let site = try await Site(.unix)
        let slow = """
            import socket, sys, time
            one = socket.socket(socket.AF_UNIX)
            one.connect(sys.argv[1])
            start = time.monotonic()
            try:
                one.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n")
                while time.monotonic() - start < 40:
                    one.sendall(b"X-A: b\\r\\n")
                    one.settimeout(1)
                    try:
                        if not one.recv(100): break
                    except TimeoutError: pass
            except OSError: pass
            print(int(time.monotonic() - start))
            """
        let result = try await runToEnd("/usr/bin/python3", ["-c", slow, site.socket])
        let seconds = Int(result.said.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 99
        #expect((10...25).contains(seconds), "\(result.said)")
        let long = "X-Long: " + String(repeating: "x", count: 40_000)
        let refused = try await site.get("/healthz", "-H", long)
        #expect(refused.status != 200)
        #expect(try await site.get("/healthz", "--data", "body", "--request", "GET").status != 200)
        #expect(try await site.get("/healthz").status == 200)
        #expect(site.daemon.stop() == 0)
    }

    @Test func anAddressThatCannotBeIsAnErrorWhenTheSettingsNameIt() async throws {
        let daemon = try Daemon(settings: "http: { listen: \"unix:/proc/none/http.sock\" }")
        try daemon.spawn()
        #expect(daemon.exitStatus() == 1)
        #expect(daemon.messages.contains("http: /proc/none"), "\(daemon.messages)")
        let first = try await Site(.unix)
        let second = try Daemon(settings: "http: { listen: \"unix:\(first.socket)\" }")
        try second.spawn()
        #expect(second.exitStatus() == 1)
        #expect(second.messages.contains("another process listens there"), "\(second.messages)")
        #expect(first.daemon.stop() == 0)
    }

    /// Killed, it leaves its socket behind; the next start takes it over.
    @Test func aSocketThatAKilledDaemonLeftIsTakenOver() async throws {
        let site = try await Site(.unix)
        site.daemon.kill()
        #expect(FileManager.default.fileExists(atPath: site.socket))
        try site.daemon.start()
        #expect(
            eventually { site.daemon.messages.components(separatedBy: "ready:").count == 3 },
            "\(site.daemon.messages)"
        )
        #expect(try await site.get("/healthz").status == 200)
        #expect(site.daemon.stop() == 0)
    }

    /// In Chromium, as a postmaster sees it; names of accounts are markup that must stay text.
    @Test func thePageShowsWhatThereIsAndTheBrowserHasNoComplaint() async throws {
        let hostile = "<img/src=x/onerror=alert(1)>@hosted.example"
        let lines = (0..<3).map { receipt($0, second: 0, user: hostile) }.joined()
        let site = try await Site(
            .tcp,
            lines: threeReceipts.replacingOccurrences(of: "4Xy", with: "4Xz") + lines
        )
        // The page shows what the engine published last, which it does once a second.
        var isShown = false
        for _ in 0..<300 where !isShown {
            isShown = try await site.get("/api/v1/now").body.contains("\"open_alerts\":2")
            if !isShown { try await Task.sleep(for: .milliseconds(100)) }
        }
        #expect(isShown, "\(site.daemon.messages)")
        let scripts = [
            "document.getElementById('verdict-title').textContent",
            "[...document.querySelectorAll('#alerts .who')].map((one) => one.textContent).sort().join(' ')",
            "document.querySelectorAll('main img, main script, main iframe').length",
            "document.querySelector('.alert-head').click()",
            "new Promise((done) => setTimeout(() => done(document.querySelectorAll('.detail svg circle').length), 2000))",
            "document.querySelectorAll('.detail .files a').length",
            "[...document.querySelectorAll('#sight li')].map((one) => one.textContent).join(' ')",
            "document.querySelectorAll('#accounts tr').length",
            "[...document.querySelectorAll('section')].every((one) => one.getAttribute('aria-labelledby') === null || document.getElementById(one.getAttribute('aria-labelledby')) !== null)",
            "document.documentElement.scrollWidth <= innerWidth",
            "document.cookie",
            "location.search",
        ]
        for width in ["390", "1200"] {
            let before = try openCount(site)
            let result = try await runToEnd(
                sourceTree.appendingPathComponent("Tests/Rigs/page").path,
                ["--width", width] + scripts.flatMap { ["--script", $0] }
                    + ["http://127.0.0.1:\(site.port ?? 0)/?token=\(site.token)"]
            )
            #expect(result.status == 0, "\(result.said)")
            let object =
                try JSONSerialization.jsonObject(with: Data(result.said.utf8)) as? [String: Any]
            let values = try #require(object?["values"] as? [Any])
            // Further rules may have matched meanwhile.
            let after = try openCount(site)
            let counts = min(before, after)...max(before, after)
            let verdict = values[0] as? String ?? ""
            #expect(counts.contains { verdict == "\($0) alerts are open" }, "\(verdict) \(counts)")
            #expect((values[1] as? String)?.contains(hostile) == true, "\(values[1])")
            #expect(values[2] as? Int == 0)
            #expect(values[4] as? Int ?? 0 >= 3)
            #expect(values[5] as? Int == 1)
            #expect((values[6] as? String)?.contains("subjects100 %") == true, "\(values[6])")
            #expect(values[7] as? Int == 2)
            #expect(values[8] as? Bool == true)
            #expect(values[9] as? Bool == true, "wider than a screen of \(width)")
            #expect(values[10] as? String == "")
            #expect(values[11] as? String == "")
        }
        #expect(site.daemon.stop() == 0)
    }

    private func openCount(_ site: Site) throws -> Int {
        try site.daemon.command("alerts", "list", "--open", "--json").output
            .split(separator: "\n").count
    }

    @Test func withoutTheTokenThePageTellsWhereItIs() async throws {
        let site = try await Site(.tcp)
        let answer = try await site.get("/", withToken: false)
        #expect(answer.status == 401)
        #expect(answer.body.contains("sudo postern status"))
        #expect(site.daemon.stop() == 0)
    }
}

/// A port of loopback that nobody has now.
private func freePort() async throws -> Int {
    let result = try await runToEnd(
        "/usr/bin/python3",
        [
            "-c",
            "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])",
        ]
    )
    return try #require(Int(result.said.trimmingCharacters(in: .whitespacesAndNewlines)))
}

extension StatusPageTests {
    /// More accounts than a page of the API or the status page has.
    @Test func allAccountsOfTheHourComePageByPage() async throws {
        var lines = ""
        for number in 0..<260 {
            lines += receipt(number, second: 0, user: "user\(number)@hosted.example")
        }
        for number in 260..<263 { lines += receipt(number, second: 0, user: "busy@hosted.example") }
        let site = try await Site(.unix, lines: lines)
        #expect(try await site.settled(lines: 263 * 6))
        var names: [String] = []
        var cursor = "0"
        var pages = 0
        while pages < 9 {
            let page = try await site.get("/api/v1/accounts?limit=100&cursor=" + cursor).object
            pages += 1
            let accounts = page["accounts"] as? [[String: Any]] ?? []
            #expect(accounts.count <= 100)
            names += accounts.compactMap { $0["user.name"] as? String }
            #expect(page["active_accounts"] as? Int == 261)
            guard let next = page["next"] as? String else { break }
            cursor = next
        }
        #expect(pages == 3)
        #expect(names.first == "busy@hosted.example")
        #expect(Set(names) == Set((0..<260).map { "user\($0)@hosted.example" } + [names[0]]))
        #expect(names.count == 261)
        #expect(names.dropFirst().elementsEqual(names.dropFirst().sorted()))
        let beyond = try await site.get("/api/v1/accounts?cursor=5000").object
        #expect((beyond["accounts"] as? [Any])?.isEmpty == true)
        #expect(site.daemon.stop() == 0)
    }
}

extension StatusPageTests {
    /// An open alert shows the messages that came with its updates, over a restart too.
    @Test func anOpenAlertShowsWhatItGrewBy() async throws {
        let site = try await Site(.unix, lines: threeReceipts)
        #expect(try await site.settled(lines: 18))
        let id = try #require(alertIDs(try await site.get("/api/v1/alerts")).first)
        func alert() async throws -> [String: Any] {
            try await site.get("/api/v1/alerts/" + id).object
        }
        func events(_ answer: [String: Any]) -> [String] {
            (answer["events"] as? [[String: Any]] ?? [])
                .compactMap { $0["email.to.address"] as? String }
        }
        #expect(events(try await alert()).count == 3)
        #expect(try await alert()["is_sealed"] as? Bool == true)
        // Growth is told a quarter of an hour after the opening at the earliest.
        try site.daemon.append((3..<8).map { receipt($0, second: 1_000) }.joined())
        #expect(try await site.settled(lines: 48))
        var grown = try await alert()
        for _ in 0..<100 where (grown["steps"] as? [Any])?.count ?? 0 < 2 {
            try await Task.sleep(for: .milliseconds(50))
            grown = try await alert()
        }
        let steps = grown["steps"] as? [[String: Any]] ?? []
        #expect(steps.map { $0["action"] as? String } == ["opened", "updated"])
        let count = try #require(steps.last?["count"] as? Int)
        #expect(count >= 6)
        #expect(events(grown) == (0..<count).map { "x@d\($0).test" })
        #expect(grown["is_sealed"] as? Bool == false)
        #expect(site.daemon.stop() == 0)
        try site.daemon.start()
        // The page is there a moment after the first words of a run.
        #expect(try await site.settled(lines: 48))
        #expect(events(try await alert()) == events(grown))
        // Its last bundle has all of them.
        try site.daemon.append("2026-03-01T12:00:00+00:00 mx1 postfix/anvil[1]: statistics: x\n")
        #expect(try await site.settled(lines: 49))
        let resolved = try await alert()
        #expect(resolved["is_sealed"] as? Bool == true)
        #expect(events(resolved) == (0..<8).map { "x@d\($0).test" })
        #expect(site.daemon.stop() == 0)
    }
}
