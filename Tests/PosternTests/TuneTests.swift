import Foundation
import TestSupport
import Testing

/// `postern tune` with the built program.
@Suite struct TuneTests {
    /// Receipts of several accounts: many within minutes, a few, and some that are far apart.
    private func log(_ scratch: Scratch) throws -> String {
        var text: [(second: Int, lines: String)] = []
        func add(_ user: String, _ numbers: Range<Int>, every step: Int, from start: Int) {
            for (index, number) in numbers.enumerated() {
                let second = start + index * step
                text.append((second, receipt(number, second: second - number, user: user)))
            }
        }
        add("alice@hosted.example", 0..<9, every: 20, from: 60)
        add("bob@hosted.example", 20..<23, every: 30, from: 120)
        add("carol@hosted.example", 30..<32, every: 40, from: 200)
        add("<script>alert(1)</script>@hosted.example", 40..<42, every: 40, from: 250)
        add("dave@hosted.example", 50..<54, every: 700, from: 100)
        let sorted = text.sorted { $0.second < $1.second }.map(\.lines).joined()
        return try scratch.write("mail.log", sorted)
    }

    /// Each variant gives what a rule of that threshold and timespan gives when it is replayed.
    @Test func everyVariantIsARuleOfItsOwn() throws {
        let scratch = try Scratch()
        let path = try log(scratch)
        let program = try Program()
        let result = try program.run([
            "tune", "--json", "--timezone", "UTC", "--rule", "receipt_burst", "--thresholds",
            "2,3,4",
            "--timespans", "10m,1h", path,
        ])
        #expect(result.status == 0, "\(result.error)")
        let rows = try result.objects
        #expect(rows.count == 6)
        let shipped = try String(
            contentsOf: sourceTree.appendingPathComponent("rules/receipt_burst.yml"),
            encoding: .utf8
        )
        let id = "7a1f3f52-9f43-4d1e-8a77-4b1f2b1d9e10"
        for row in rows {
            let threshold = try #require(row["postern.threshold"] as? Int)
            let seconds = try #require(row["postern.timespan_seconds"] as? Int)
            let rule =
                shipped
                .replacingOccurrences(of: "0d7c51b2-6a35-4f0e-8d0a-3f6f3f0a6f52", with: id)
                .replacingOccurrences(of: "name: receipt_burst", with: "name: own_burst")
                .replacingOccurrences(of: "timespan: 1h", with: "timespan: \(seconds)s")
                .replacingOccurrences(of: "gte: 3", with: "gte: \(threshold)")
            _ = try scratch.write("rules/own.yml", rule)
            let replay = try program.run([
                "replay", "--json", "--timezone", "UTC", "--rules", scratch.path("rules"), path,
            ])
            let alerts = try replay.objects.filter { $0["rule.id"] as? String == id }
            let opened = alerts.filter {
                ["opened", "reopened"].contains($0["event.action"] as? String)
            }
            let accounts = Set(alerts.flatMap { $0["related.user"] as? [String] ?? [] })
            #expect(row["postern.alerts"] as? Int == opened.count, "\(row)")
            #expect(row["postern.accounts"] as? Int == accounts.count, "\(row)")
        }
        #expect(Set(rows.map { $0["postern.alerts"] as? Int ?? 0 }).count > 2)
        // The rule as it is names nobody new; a lower threshold does.
        let current = rows.filter { $0["postern.is_current"] as? Bool ?? false }
        #expect(current.count == 1)
        #expect(current.first?["postern.new_accounts"] as? [String] == [])
        let lower = rows.first {
            $0["postern.threshold"] as? Int == 2 && $0["postern.timespan_seconds"] as? Int == 3_600
        }
        let new = lower?["postern.new_accounts"] as? [String] ?? []
        #expect(new.contains("carol@hosted.example"))
        #expect(!new.contains("alice@hosted.example"))
    }

    @Test func theBudgetChoosesTheLowestThresholdThatKeepsToIt() throws {
        let scratch = try Scratch()
        let path = try log(scratch)
        func chosen(_ budget: String) throws -> [Int] {
            let result = try Program().run([
                "tune", "--json", "--timezone", "UTC", "--rule", "receipt_burst", "--thresholds",
                "1,2,3,4,5,9,20", "--timespans", "1h", "--budget", budget, path,
            ])
            #expect(result.status == 0, "\(result.error)")
            let rows = try result.objects.filter { $0["postern.is_chosen"] as? Bool ?? false }
            for row in rows {
                #expect((row["postern.alerts"] as? Int ?? .max) <= (budget == "0/day" ? 0 : 1))
            }
            return rows.compactMap { $0["postern.threshold"] as? Int }
        }
        #expect(try chosen("1/day") == [5])
        #expect(try chosen("0/day") == [20])
    }

    @Test func thePictureIsWholeAndShowsHostileTextAsText() throws {
        let scratch = try Scratch()
        let path = try log(scratch)
        let result = try Program().run([
            "tune", "--timezone", "UTC", "--budget", "1/week", "--html", scratch.path("a.html"),
            "--svg", scratch.path("a.svg"), path,
        ])
        #expect(result.status == 0, "\(result.error)")
        #expect(result.output.contains("as it is"))
        let page = try String(contentsOfFile: scratch.path("a.html"), encoding: .utf8)
        #expect(page.contains("&lt;script&gt;alert(1)"))
        #expect(!page.contains("<script"))
        #expect(!page.contains("http://") || page.components(separatedBy: "http://").count == 2)
        let picture = try Data(contentsOf: URL(fileURLWithPath: scratch.path("a.svg")))
        #expect(XMLCheck.isWellFormed(picture))
    }

    @Test func whatMakesNoSenseIsRefused() throws {
        let scratch = try Scratch()
        let path = try log(scratch)
        for options in [
            ["--budget", "often"], ["--thresholds", "0"], ["--timespans", "soon"],
            ["--rule", "receipt_brust"], ["--thresholds", "1,,2"],
        ] {
            #expect(try Program().run(["tune"] + options + [path]).status == 64, "\(options)")
        }
    }
}

/// Whether every element of an XML text ends where it should: enough for a picture without
/// declarations, comments or entities of its own.
private enum XMLCheck {
    static func isWellFormed(_ data: Data) -> Bool {
        var open: [Substring] = []
        var rest = Substring(String(decoding: data, as: UTF8.self))
        while let start = rest.firstIndex(of: "<") {
            rest = rest[rest.index(after: start)...]
            guard let end = rest.firstIndex(of: ">") else { return false }
            let tag = rest[..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else if !tag.hasSuffix("/") {
                open.append(tag.prefix { $0 != " " })
            }
        }
        return open.isEmpty
    }
}
