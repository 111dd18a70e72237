public import Memory
import SafeText

/// What one host remembers of one account or domain, by names: a line of an exported memory.
///
/// ```
/// {"account":"a@hosted.example","first_day":20513,"wrote":[["d.example",20514,0]],"heard":[],
///  "usual_unseen":[98304,9437184,492336],"usual_receipts":[65536,1048576,492330]}
/// {"domain":"hosted.example","local":3,"remote":false}
/// ```
///
/// Days count from 1970. Of a domain written to stand its name, the day of the last time (0: never,
/// only receipts went there) and that of the last receipt (0: never; 1: on a day that was not kept);
/// of one heard from its name, the day of the last time, and on how many days. What is usual for the
/// account, where that was learnt, is a mean in 65,536ths, of unseen domains in an hour and receipts in
/// a day, how much was learnt in 1,048,576ths, and the hour since 1970 until which that is decayed. An
/// account with many domains has several lines.
public enum MemoryRecord: Sendable, Hashable {
    public struct Named: Sendable, Hashable {
        public var domain: String
        public var lastDay: UInt16
        public var note: UInt16
    }

    public struct Account: Sendable, Hashable {
        public var name: String
        public var firstDay: UInt16
        public var isForgetful: Bool
        public var wroteTo: [Named]
        public var heardFrom: [Named]
        public var unseenBaseline: KnownBaseline?
        public var receiptBaseline: KnownBaseline?
    }

    case account(Account)
    case domain(String, localDeliveries: UInt8, isRemote: Bool)

    /// Domains in one record.
    static let domainsMax = 4_000
    /// Longest line, in bytes: names of 255 bytes, each of them escaped.
    public static let bytesMax = 512 << 10

    // MARK: JSON

    /// Without a newline.
    public func json() -> [UInt8] {
        var object = JSONObjectWriter()
        switch self {
        case .account(let account):
            object.member("account", account.name)
            object.member("first_day", account.firstDay)
            if account.isForgetful { object.member("forgetful", true) }
            object.member("wrote", json: Self.json(account.wroteTo))
            object.member("heard", json: Self.json(account.heardFrom))
            if let usual = account.unseenBaseline {
                object.member("usual_unseen", json: Self.json(usual))
            }
            if let usual = account.receiptBaseline {
                object.member("usual_receipts", json: Self.json(usual))
            }
        case .domain(let name, let localDeliveries, let isRemote):
            object.member("domain", name)
            object.member("local", localDeliveries)
            object.member("remote", isRemote)
        }
        return object.finished()
    }

    private static func json(_ domains: [Named]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        for (index, domain) in domains.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "["))
            JSONObjectWriter.append(string: domain.domain, to: &bytes)
            bytes.append(contentsOf: ",\(domain.lastDay),\(domain.note)]".utf8)
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }

    private static func json(_ usual: KnownBaseline) -> [UInt8] {
        Array("[\(usual.mean),\(usual.weight),\(usual.hour)]".utf8)
    }

    /// Reads a line. Whoever wrote it is a stranger.
    public init(json line: [UInt8]) throws(MemoryRecordError) {
        let object: JSONObject
        do {
            object = try JSONObjectReader.read(line)
        } catch {
            throw MemoryRecordError(message: "\(error)")
        }
        if let name = object["account"] {
            self = .account(try Self.account(name, object))
        } else if let name = object["domain"] {
            let domain = try Self.domain(name)
            guard let local = object["local"]?.integer, let local = UInt8(exactly: local) else {
                throw MemoryRecordError(message: "`local` must be a number from 0 to 255")
            }
            guard case .boolean(let isRemote)? = object["remote"] else {
                throw MemoryRecordError(message: "`remote` must be true or false")
            }
            self = .domain(domain, localDeliveries: local, isRemote: isRemote)
        } else {
            throw MemoryRecordError(message: "`account` or `domain` is missing")
        }
    }

    private static func account(
        _ name: JSONValue,
        _ object: JSONObject
    ) throws(MemoryRecordError) -> Account {
        guard let name = name.string, !name.isEmpty, canonicalAccount(name) == name else {
            throw MemoryRecordError(
                message: "`account` must be a login in lower case of at most 1024 bytes"
            )
        }
        guard let day = object["first_day"]?.integer, let day = UInt16(exactly: day) else {
            throw MemoryRecordError(message: "`first_day` must be a day from 0 to 65535")
        }
        var isForgetful = false
        if let value = object["forgetful"] {
            guard case .boolean(let flag) = value else {
                throw MemoryRecordError(message: "`forgetful` must be true or false")
            }
            isForgetful = flag
        }
        return Account(
            name: name,
            firstDay: day,
            isForgetful: isForgetful,
            wroteTo: try domains("wrote", object, notes: 0...65_535),
            heardFrom: try domains("heard", object, notes: 1...255),
            unseenBaseline: try usual("usual_unseen", object),
            receiptBaseline: try usual("usual_receipts", object)
        )
    }

    private static func usual(
        _ member: String,
        _ object: JSONObject
    ) throws(MemoryRecordError) -> KnownBaseline? {
        guard let value = object[member] else { return nil }
        guard case .array(let parts) = value, parts.count == 3,
            let mean = parts[0].integer, (0...Int64(KnownBaseline.meanMax)).contains(mean),
            let weight = parts[1].integer,
            (1...Int64(KnownBaseline.weightMax)).contains(weight),
            // No hour after the last day that any other member can tell.
            let hour = parts[2].integer, (0..<65_536 * 24).contains(hour)
        else {
            throw MemoryRecordError(
                message: "`\(member)` must be [MEAN up to \(KnownBaseline.meanMax), WEIGHT from 1 "
                    + "to \(KnownBaseline.weightMax), HOUR since 1970]"
            )
        }
        return KnownBaseline(mean: UInt32(mean), weight: UInt64(weight), hour: UInt32(hour))
    }

    private static func domains(
        _ member: String,
        _ object: JSONObject,
        notes: ClosedRange<Int64>
    ) throws(MemoryRecordError) -> [Named] {
        guard case .array(let values)? = object[member] else {
            throw MemoryRecordError(message: "`\(member)` must be an array")
        }
        guard values.count <= domainsMax else {
            throw MemoryRecordError(message: "`\(member)` has more than \(domainsMax) domains")
        }
        var found: [Named] = []
        var seen: Set<String> = []
        for value in values {
            guard case .array(let parts) = value, parts.count == 3,
                let day = parts[1].integer, let lastDay = UInt16(exactly: day),
                let note = parts[2].integer, notes.contains(note)
            else {
                throw MemoryRecordError(
                    message: "`\(member)` must hold [DOMAIN, DAY, \(notes.lowerBound) to "
                        + "\(notes.upperBound)]"
                )
            }
            let name = try domain(parts[0])
            guard lastDay > 0 || member == "wrote" && note > 0 else {
                throw MemoryRecordError(message: "\(shown(name)) in `\(member)` has no day")
            }
            guard seen.insert(name).inserted else {
                throw MemoryRecordError(message: "\(shown(name)) stands twice in `\(member)`")
            }
            found.append(Named(domain: name, lastDay: lastDay, note: UInt16(note)))
        }
        return found
    }

    private static func domain(_ value: JSONValue) throws(MemoryRecordError) -> String {
        guard let name = value.string, !name.isEmpty, canonicalDomain(name) == name else {
            throw MemoryRecordError(
                message: "a domain in lower case, as A-labels and of at most 255 bytes was expected"
            )
        }
        return name
    }
}

/// A line that is no record of a memory.
public struct MemoryRecordError: Error, Sendable, Hashable {
    public var message: String
}

extension AccountMemory {
    /// Joins a record with what is known. Whatever the order of records, and however often one comes,
    /// the memory is the same.
    mutating func merge(_ record: MemoryRecord) {
        switch record {
        case .account(let account):
            let known = KnownAccount(
                name: Array(account.name.utf8),
                firstDay: account.firstDay,
                isForgetful: account.isForgetful,
                wroteTo: account.wroteTo.map { take($0) },
                heardFrom: account.heardFrom.map { take($0) },
                unseenBaseline: account.unseenBaseline,
                receiptBaseline: account.receiptBaseline
            )
            merge(known)
            merge(firstDay: account.firstDay)
        case .domain(let name, let localDeliveries, let isRemote):
            merge(
                KnownHost(
                    hash: hash(Array(name.utf8).span),
                    localDeliveries: localDeliveries,
                    isRemote: isRemote
                )
            )
        }
    }

    private mutating func take(_ named: MemoryRecord.Named) -> KnownDomain {
        let name = Array(named.domain.utf8)
        let hash = hash(name.span)
        names?.note(hash, name.span)
        return KnownDomain(hash: hash, lastDay: named.lastDay, note: named.note)
    }
}
