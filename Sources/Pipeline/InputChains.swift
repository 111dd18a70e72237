public import LogSources
import MailEvents
import MailLog
import Records
import SystemPackage

/// Divides inputs into the sources that wrote them, each to be read in its own order and merged with
/// the others by event time: one for each host.
///
/// What a log host collected of several hosts is one source, as its lines already have an order. The
/// services of an Exchange server write a log each, `MSGTRK`, `MSGTRKMS`, `MSGTRKMD` and `MSGTRKMA` with date
/// and number behind it; the way of one message is in several of them.
///
/// - Parameters:
///   - inputs: in the order of their log's time.
///   - firstYear: `--year`, the year of the first record of all.
public func chains(of inputs: [Input], firstYear: Int?) -> [InputChain] {
    guard inputs.count > 1 else { return [InputChain(inputs: inputs)] }
    var byHost: [String: [Input]] = [:]
    var months: [String: Int] = [:]
    var firstMonth: Int?
    for input in inputs {
        let head = InputHead(input)
        // A pipe that cannot be looked into, or nothing that a mail server wrote.
        guard head.hosts.count == 1, let host = head.hosts.first else {
            return [InputChain(inputs: inputs)]
        }
        if firstMonth == nil { firstMonth = head.month }
        if months[host] == nil { months[host] = head.month }
        byHost[host, default: []].append(input)
    }
    guard byHost.count > 1 else { return [InputChain(inputs: inputs)] }
    return byHost.keys.sorted().map { host in
        // Over New Year the month falls.
        var year = firstYear
        if let firstYear, let first = firstMonth, let month = months[host], month <= first - 6 {
            year = firstYear + 1
        }
        return InputChain(name: host, inputs: byHost[host] ?? [], firstYear: year)
    }
}

/// What the first lines of an input tell of it.
private struct InputHead {
    var hosts: Set<String> = []
    /// Month of the first stamp that has no year.
    var month: Int?

    /// The folder and the letters with which the log's name begins.
    private static func service(of input: Input) -> String {
        let name = input.path.lastComponent?.string ?? ""
        let folder = input.path.removingLastComponent().string
        return folder + "/" + name.prefix { $0.isLetter }
    }

    init(_ input: Input) {
        var scanner = LogScanner(seed: .constant)
        var facts: [LineFact] = []
        for line in input.peekFirstLines(maxBytes: 65_536) {
            facts.removeAll(keepingCapacity: true)
            scanner.scanLine(line.span, line: 0, into: &facts)
            guard let fact = facts.first else { continue }
            if fact.dialect == .exchange {
                hosts = [Self.service(of: input)]
                return
            }
            if month == nil, fact.stamp.isYearless { month = fact.stamp.month }
            guard fact.host.isPresent else { continue }
            hosts.insert(String(decoding: line[fact.host.indices], as: UTF8.self))
        }
    }
}
