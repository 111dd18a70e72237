import Foundation
import LogSources
import Pipeline
import SystemPackage
import TestSupport
import Testing

@Suite struct MergeTests {
    /// The corpus with a stamp of its own for each line, so that one order is right.
    private func stampedLines() throws -> [String] {
        let text = try String(contentsOf: corpus("postfix.log"), encoding: .utf8)
        return text.split(separator: "\n").enumerated().map { index, line in
            let seconds = index / 1_000
            let clock = String(format: "%02d:%02d", 10 + seconds / 60, seconds % 60)
            let fraction = String(format: "%06d", index % 1_000 * 1_000)
            return "2026-03-01T\(clock):00.\(fraction)+00:00" + line.dropFirst(15)
        }
    }

    private func replay(_ chains: [(name: String, path: String)]) throws -> Recording {
        var output = Recording()
        var replay = Replay()
        replay.showsEvents = true
        let chains = try chains.map { chain in
            InputChain(name: chain.name, inputs: try openInputs([FilePath(chain.path)]).inputs)
        }
        _ = try replay.run(chains, settings: testSettings(), output: &output)
        return output
    }

    private func withoutRecord(_ events: [String]) -> [Substring] {
        events.map {
            $0.prefix(upTo: $0.range(of: "\"postern.record\"")?.lowerBound ?? $0.endIndex)
        }
    }

    /// forall ways to spread a log's lines over sources: merged, they give what the log gives.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func linesSpreadOverSourcesGiveWhatTheirLogGives(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let scratch = try Scratch()
        let lines = try stampedLines()
        let count = Int.random(in: 2...4, using: &random)
        // Some sources are rare: one may be silent for most of the time.
        let weights = (0..<count).map { _ in Int.random(in: 1...20, using: &random) }
        var parts = [[String]](repeating: [], count: count)
        for line in lines {
            var choice = Int.random(in: 0..<weights.reduce(0, +), using: &random)
            let part = weights.indices.first { index in
                choice -= weights[index]
                return choice < 0
            }
            parts[part ?? 0].append(line)
        }
        let whole = try scratch.write("whole", lines.joined(separator: "\n") + "\n")
        var chains: [(name: String, path: String)] = []
        for (index, part) in parts.enumerated() {
            let text = part.isEmpty ? "" : part.joined(separator: "\n") + "\n"
            guard !text.isEmpty else { continue }
            chains.append(("source\(index)", try scratch.write("part\(index)", text)))
        }
        let expected = try replay([("log", whole)])
        let found = try replay(chains)
        #expect(!expected.events.isEmpty)
        #expect(!expected.alerts.isEmpty)
        #expect(withoutRecord(found.events) == withoutRecord(expected.events))
        #expect(found.alerts == expected.alerts)
    }

    /// Lines of one time come in the order of their sources' names, whatever the order of the chains.
    @Test func linesOfOneTimeStandInTheOrderOfTheNames() throws {
        let scratch = try Scratch()
        let stamp = "2026-03-01T10:00:00.000000+00:00 mx1 postfix/"
        let id = "4XyZbbcdzN9QB1"
        let opening = try scratch.write(
            "opening",
            stamp + "smtpd[1]: \(id): client=pc[192.0.2.7], sasl_username=a@hosted.example\n"
                + stamp + "cleanup[2]: \(id): info: header Subject: x from pc[192.0.2.7]; "
                + "from=<a@hosted.example> to=<b@c.test> proto=ESMTP helo=<pc>\n"
                + stamp
                + "qmgr[3]: \(id): from=<a@hosted.example>, size=1, nrcpt=1 (queue active)\n"
        )
        let delivery = try scratch.write(
            "delivery",
            stamp + "smtp[4]: \(id): to=<b@c.test>, relay=c.test[203.0.113.9]:25, delay=0.1, "
                + "delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)\n"
        )
        let found = try replay([("a", opening), ("b", delivery)])
        #expect(found.events.count == 1)
        #expect(found.events.first?.contains("\"postern.delivery\":\"sent\"") ?? false)
        let other = try replay([("b", delivery), ("a", opening)].sorted { $0.0 < $1.0 })
        #expect(other.events == found.events)
    }
}

@Suite struct InputChainTests {
    private func log(_ host: String, _ stamp: String = "Dec 31 10:00:00") -> String {
        "\(stamp) \(host) postfix/smtpd[1]: 4XyZbbcdzN9QB1: client=pc[192.0.2.7]\n"
    }

    private func chainsOf(_ texts: [String], firstYear: Int? = nil) throws -> [InputChain] {
        let scratch = try Scratch()
        let paths = try texts.enumerated().map { FilePath(try scratch.write("log\($0)", $1)) }
        return chains(of: try openInputs(paths).inputs, firstYear: firstYear)
    }

    @Test func eachHostIsASourceOfItsOwn() throws {
        let found = try chainsOf([log("mx2"), log("mx1"), log("mx2", "Dec 31 11:00:00")])
        #expect(found.map(\.name) == ["mx1", "mx2"])
        #expect(found.map(\.inputs.count) == [1, 2])
    }

    @Test func whatOneHostWroteOrALogHostCollectedIsOneSource() throws {
        #expect(try chainsOf([log("mx1"), log("mx1", "Dec 31 11:00:00")]).map(\.name) == ["log"])
        #expect(try chainsOf([log("mx1"), log("mx2") + log("mx1")]).map(\.name) == ["log"])
    }

    /// `--year` is that of the first record of all.
    @Test func aHostWhoseLogBeginsAfterNewYearHasTheNextYear() throws {
        let found = try chainsOf([log("mx1"), log("mx2", "Jan  1 10:00:00")], firstYear: 2025)
        #expect(found.map(\.firstYear) == [2025, 2026])
    }
}
