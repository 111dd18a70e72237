import SafeText
public import State

/// The silences of a state: few, and all of them in memory.
public struct SilenceBook: Sendable {
    /// In the order of their IDs.
    public private(set) var silences: [Silence] = []

    /// Completes logins without a domain.
    var accountDomain: String?

    public static let countMax = 10_000
    /// An expired one is still shown for so long.
    static let keptMicroseconds: Int64 = 7 * 86_400_000_000

    public init() {}

    /// What the state holds.
    public init(from store: StateReader) throws(StateError) {
        var found: [Silence] = []
        try store.forEachPiece(.silence) { _, body in
            if let silence = Silence(json: body.copied) { found.append(silence) }
            return true
        }
        silences = found.sorted { $0.id < $1.id }
    }

    public subscript(id: String) -> Silence? { silences.first { $0.id == id } }

    /// The first silence that keeps an alert from the sinks.
    func first(covering alert: AlertSubject, nowMicroseconds: Int64) -> Silence? {
        silences.first {
            $0.covers(alert, nowMicroseconds: nowMicroseconds, accountDomain: accountDomain)
        }
    }

    /// Takes one in; those that expired long ago leave.
    ///
    /// - Returns: false when there are too many.
    mutating func add(_ silence: Silence, to changes: inout Changes) -> Bool {
        let bound = silence.createdMicroseconds - Self.keptMicroseconds
        for old in silences where old.untilMicroseconds < bound { remove(old.id, &changes) }
        guard silences.count < Self.countMax else { return false }
        silences.append(silence)
        silences.sort { $0.id < $1.id }
        changes.setPiece(.silence, key: Array(silence.id.utf8).span, body: silence.json().span)
        return true
    }

    mutating func remove(_ id: String, _ changes: inout Changes) {
        silences.removeAll { $0.id == id }
        changes.removePiece(.silence, key: Array(id.utf8).span)
    }
}

/// What somebody said of an alert: that it was seen, and by whom.
public struct Acknowledgement: Sendable, Hashable {
    public var alert: String
    /// Wall clock, microseconds since 1970.
    public var microseconds: Int64
    public var author: String
    public var note: String?

    /// Of one alert.
    static let countMax = 64

    var key: [UInt8] {
        var key = Array("\(alert).".utf8)
        for shift in stride(from: 56, through: 0, by: -8) {
            key.append(UInt8(truncatingIfNeeded: microseconds >> Int64(shift)))
        }
        return key
    }

    public func json() -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("@timestamp", rfc3339(microseconds: microseconds))
        object.member("event.action", "acknowledged")
        object.member("event.id", alert)
        object.member("postern.author", author)
        object.member("message", note)
        return object.finished()
    }

    init(alert: String, microseconds: Int64, author: String, note: String?) {
        self.alert = alert
        self.microseconds = microseconds
        self.author = author
        self.note = note
    }

    init?(json: [UInt8]) {
        guard let object = try? JSONObjectReader.read(json),
            let time = object["@timestamp"]?.string.flatMap(parseRFC3339),
            let alert = object["event.id"]?.string,
            let author = object["postern.author"]?.string
        else { return nil }
        self.alert = alert
        microseconds = time
        self.author = author
        note = object["message"]?.string
    }
}

extension StateReader {
    /// What was said of alerts, each alert's in the order of time.
    public func acknowledgements() throws(StateError) -> [String: [Acknowledgement]] {
        var found: [String: [Acknowledgement]] = [:]
        try forEachPiece(.acknowledgement) { _, body in
            if let said = Acknowledgement(json: body.copied) {
                found[said.alert, default: []].append(said)
            }
            return true
        }
        return found
    }

    /// The silence that kept a transition from the sinks, by `ALERTID.SEQUENCE`: its text as it was.
    public func silenced() throws(StateError) -> [String: Silence] {
        var found: [String: Silence] = [:]
        try forEachPiece(.silenced) { key, body in
            found[String(decoding: key.copied, as: UTF8.self)] = Silence(json: body.copied)
            return true
        }
        return found
    }
}
