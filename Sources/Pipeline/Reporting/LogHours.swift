import Records
import SafeText
public import State

/// What an hour of the log had, in counts without names: what reports are made of.
public struct LogHour: Sendable, Hashable {
    /// Microseconds since 1970, UTC, of the hour's begin by the log's clock.
    public var startMicroseconds: Int64
    /// Messages that a login submitted, and how many of them had a subject and a recipient.
    public var submissions: UInt64 = 0
    public var subjects: UInt64 = 0
    public var recipients: UInt64 = 0
    /// Each recipient of a submission by itself.
    public var sends: UInt64 = 0
    public var receipts: UInt64 = 0
    /// To a domain that the account had neither written to nor heard from.
    public var unseen: UInt64 = 0
    /// Sends that ended with an outcome, and without.
    public var settled: UInt64 = 0
    public var unsettled: UInt64 = 0

    public init(startMicroseconds: Int64) { self.startMicroseconds = startMicroseconds }
}

/// Keeps a ``LogHour`` for each hour of the log that had something, for 400 days.
///
/// Pure: what it holds depends on the order of the calls alone. In memory is the present hour and what
/// no commit has taken; the others are in the state.
struct LogHours: Sendable {
    static let keptMicroseconds: Int64 = 400 * 86_400_000_000
    private static let hourMicroseconds: Int64 = 3_600_000_000

    /// Nil before the first time.
    private(set) var current: LogHour?
    private var isChanged = false
    /// Hours that ended since the last commit.
    private var finished: [LogHour] = []
    /// Begins of hours that are kept no more.
    private var left: [Int64] = []

    /// The log's time has moved.
    ///
    /// - Parameter secondsEast: of the log's zone then: an hour begins when its clock says so.
    mutating func move(to microseconds: Int64, secondsEast: Int64) {
        let east = secondsEast &* 1_000_000
        let (local, overflows) = microseconds.addingReportingOverflow(east)
        guard !overflows else { return }
        let start = microseconds &- floorDivide(local, by: Self.hourMicroseconds).remainder
        guard start > current?.startMicroseconds ?? .min else { return }
        if isChanged, let current { finished.append(current) }
        isChanged = false
        current = LogHour(startMicroseconds: start)
        left.append(start &- Self.keptMicroseconds)
    }

    /// A message was submitted.
    mutating func submitted(hasSubject: Bool, hasRecipient: Bool) {
        isChanged = true
        current?.submissions &+= 1
        if hasSubject { current?.subjects &+= 1 }
        if hasRecipient { current?.recipients &+= 1 }
    }

    /// A message goes to one recipient.
    mutating func sent(isReceipt: Bool, isUnseen: Bool) {
        isChanged = true
        current?.sends &+= 1
        if isReceipt { current?.receipts &+= 1 }
        if isUnseen { current?.unseen &+= 1 }
    }

    /// What went to one recipient has ended.
    mutating func ended(isSettled: Bool) {
        isChanged = true
        if isSettled { current?.settled &+= 1 } else { current?.unsettled &+= 1 }
    }

    /// Adds what changed since the last call to a commit.
    mutating func takeChanges(into changes: inout Changes) {
        if isChanged, let current { finished.append(current) }
        isChanged = false
        for hour in finished {
            changes.setPiece(.logHour, key: hour.key.span, body: hour.body.span)
        }
        for start in left {
            let key = LogHour(startMicroseconds: start).key
            changes.removePiece(.logHour, key: key.span)
        }
        finished = []
        left = []
    }

    /// Goes on where the state ends; what is kept no more leaves it.
    mutating func restore(
        from store: StateReader,
        changes: inout Changes
    ) throws(EngineRestoreError) {
        let hours = try LogHour.all(in: store)
        current = hours.last
        guard let current else { return }
        let first = current.startMicroseconds &- Self.keptMicroseconds
        for hour in hours where hour.startMicroseconds < first {
            changes.removePiece(.logHour, key: hour.key.span)
        }
    }
}

extension LogHour {
    /// The hours that a state has, in the order of time.
    ///
    /// Also while a daemon writes to it.
    public static func all(in store: StateReader) throws(EngineRestoreError) -> [LogHour] {
        var hours: [LogHour] = []
        var failure: BinaryReadError?
        do {
            try store.forEachPiece(.logHour) { key, body in
                do throws(BinaryReadError) {
                    hours.append(try LogHour(key: key.copied, body: body.copied))
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
        } catch {
            throw .state(error)
        }
        if let failure { throw .stored(StoredStateError(piece: "hours", cause: failure)) }
        return hours.sorted { $0.startMicroseconds < $1.startMicroseconds }
    }

    private static let counts: [any WritableKeyPath<LogHour, UInt64> & Sendable] = [
        \.submissions, \.subjects, \.recipients, \.sends, \.receipts, \.unseen, \.settled,
        \.unsettled,
    ]

    fileprivate var key: [UInt8] {
        var writer = BinaryWriter(reserving: 8)
        writer.write(startMicroseconds)
        return writer.bytes
    }

    fileprivate var body: [UInt8] {
        var writer = BinaryWriter(reserving: 65)
        writer.write(UInt8(1))
        for count in Self.counts { writer.write(self[keyPath: count]) }
        return writer.bytes
    }

    private init(key: [UInt8], body: [UInt8]) throws(BinaryReadError) {
        var reader = BinaryReader(key)
        self.init(startMicroseconds: try reader.read(Int64.self))
        try reader.finish()
        reader = BinaryReader(body)
        guard try reader.read(UInt8.self) == 1 else {
            throw BinaryReadError(offset: 0, expected: "version 1")
        }
        for count in Self.counts { self[keyPath: count] = try reader.read(UInt64.self) }
        try reader.finish()
    }
}
