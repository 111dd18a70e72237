import LinuxIO
import Pipeline
import SafeText
import SystemPackage

/// How the daemon says that it goes, as `postern status` and `postern top` read it from the control
/// socket. What is missing in an answer of another version is left out.
struct LiveReading {
    struct Source {
        var name = ""
        var kind = ""
        var isCaughtUp = true
        var last: String?
        var failure: String?
    }
    struct Account {
        var name = ""
        var sends = 0
        var unseen = 0
        var receipts = 0
        var last = ""
    }
    struct Sink {
        var name = ""
        var state = ""
        var error: String?
    }

    let json: String
    let object: JSONObject
    var sources: [Source] = []
    var accounts: [Account] = []
    var sinks: [Sink] = []
    var notices: [(time: String, message: String)] = []

    init?(_ json: String) {
        guard let object = try? JSONObjectReader.read(Array(json.utf8)) else { return nil }
        self.json = json
        self.object = object
        sources = (object["sources"]?.objects ?? []).map {
            Source(
                name: $0["name"]?.string ?? "",
                kind: $0["kind"]?.string ?? "",
                isCaughtUp: $0["caught_up"] == .boolean(true),
                last: $0["last"]?.string,
                failure: $0["failure"]?.string
            )
        }
        accounts = (object["accounts"]?.objects ?? []).map {
            Account(
                name: $0["user.name"]?.string ?? "",
                sends: Int($0["sends"]?.integer ?? 0),
                unseen: Int($0["unseen"]?.integer ?? 0),
                receipts: Int($0["receipts"]?.integer ?? 0),
                last: $0["last"]?.string ?? ""
            )
        }
        sinks = (object["sinks"]?.objects ?? []).map {
            Sink(
                name: $0["name"]?.string ?? "",
                state: $0["state"]?.string ?? "",
                error: $0["error"]?.string
            )
        }
        notices = (object["notices"]?.objects ?? []).map {
            ($0["@timestamp"]?.string ?? "", $0["message"]?.string ?? "")
        }
    }

    func number(_ name: String) -> Int { Int(object[name]?.integer ?? 0) }

    func text(_ name: String) -> String? { object[name]?.string }

    private var hour: JSONObject? { object["hour"]?.object }

    func hour(_ name: String) -> Int { Int(hour?[name]?.integer ?? 0) }

    func series(_ name: String) -> [Int] {
        guard case .array(let values)? = hour?[name] else { return [] }
        return values.map { Int($0.integer ?? 0) }
    }

    var isCaughtUp: Bool { object["caught_up"] == .boolean(true) }

    /// `1d 04:12` since the start.
    var uptime: String {
        guard let started = text("started").flatMap({ parseRFC3339($0) }) else { return "" }
        let seconds = max(0, (Clocks.realtimeMicroseconds() - started) / 1_000_000)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let days = seconds / 86_400
        let clock = two(seconds / 3_600 % 24) + ":" + two(seconds / 60 % 60)
        return days > 0 ? "\(days)d \(clock)" : clock + ":" + two(seconds % 60)
    }

    /// Whether the log tells what is needed, each part with a word for how often.
    var coverage: [(part: String, words: String, isMissing: Bool)] {
        guard let seen = object["coverage"]?.object else { return [] }
        func number(_ name: String) -> Int { Int(seen[name]?.integer ?? 0) }
        let missing = seen["missing"]?.strings ?? []
        let submissions = number("submissions")
        func share(_ count: Int, _ all: Int) -> String {
            all == 0 ? "no mail yet" : "\(count * 100 / all) %"
        }
        return [
            (
                "account", submissions == 0 ? "no mail yet" : "yes", missing.contains("silence")
            ),
            ("subject", share(number("subjects"), submissions), missing.contains("subject")),
            (
                "recipient", share(number("recipients"), submissions), missing.contains("recipient")
            ),
            ("outcome", share(number("outcomes"), number("ended")), false),
        ]
    }
}

/// Asks the daemon that has the folder how it goes; nil when none runs.
func liveReading(_ folder: FilePath) throws -> LiveReading? {
    guard let answer = try askDaemon(.status, author: authorName(), folder: folder) else {
        return nil
    }
    guard answer.outcome == .done, let json = answer.details.first,
        let reading = LiveReading(json)
    else {
        throw Failure(.failed, "the daemon does not tell how it goes: is it of another version?")
    }
    return reading
}

/// `1,234,567`.
func grouped(_ number: Int) -> String {
    var digits = String(abs(number))
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits = String(digits.dropLast(3))
    }
    groups.insert(digits, at: 0)
    return (number < 0 ? "-" : "") + groups.joined(separator: ",")
}
