import Evidence
import Memory
import Records
import SafeText
public import State

/// Names of domains that lie on the disk, by their hashes.
public struct StoredNames: Sendable {
    private var names: [UInt64: String] = [:]

    /// - Parameter hashes: those that are wanted; nil: all.
    public init(from store: StateReader, only hashes: Set<UInt64>? = nil) throws(StateError) {
        if let hashes {
            for hash in hashes.sorted() {
                var key = BinaryWriter(reserving: 8)
                key.write(hash)
                guard let body = try store.piece(.domainName, key: key.bytes.span) else { continue }
                names[hash] = String(validating: body, as: UTF8.self)
            }
            return
        }
        try store.forEachPiece(.domainName) { key, body in
            var reader = BinaryReader(key.copied)
            if let hash = try? reader.read(UInt64.self) {
                names[hash] = String(validating: body.copied, as: UTF8.self)
            }
            return true
        }
    }

    public subscript(hash: UInt64) -> String? { names[hash] }
}

/// A memory as one file that another host can take in: lines of JSON, zstd-compressed.
///
/// The first line says what it is and of which version; the last how many lines there are, so that a
/// file that breaks off shows. What is between are ``MemoryRecord``s.
public enum MemoryFile {
    static let version: Int64 = 1
    static let frameBytes = 4 << 20
    /// Compressed; far more than ten million pairs.
    public static let bytesMax = 2 << 30

    /// What was written, and what had to be left out.
    public struct Summary: Sendable, Hashable {
        public var accounts = 0
        public var pairs = 0
        public var domains = 0
        /// Their names are not known: they were met before names were kept, or are no UTF-8.
        public var pairsWithoutName = 0
        public var accountsWithoutName = 0
    }

    // MARK: Writing

    /// Writes what a state remembers.
    ///
    /// - Parameter write: gets the compressed bytes, piece by piece.
    public static func export(
        _ store: StateReader,
        createdMicroseconds: Int64,
        write: ([UInt8]) throws -> Void
    ) throws -> Summary {
        let memory = try AccountMemory(stored: store)
        let names = try StoredNames(from: store)
        var summary = Summary()
        var text: [UInt8] = []
        var lines = 0
        func add(_ line: [UInt8]) throws {
            text += line
            text.append(UInt8(ascii: "\n"))
            lines += 1
            guard text.count >= frameBytes else { return }
            try write(compressedFrame(of: text))
            text = []
        }
        var head = JSONObjectWriter()
        head.member("postern.memory", version)
        head.member("host.name", store.origin.host)
        head.member("event.created", rfc3339(microseconds: createdMicroseconds))
        head.member("first_day", memory.firstDay)
        try add(head.finished())
        try memory.forEachAccount { account in
            guard let name = String(validating: account.name, as: UTF8.self) else {
                summary.accountsWithoutName += 1
                return
            }
            let wroteTo = named(account.wroteTo, names, &summary)
            let heardFrom = named(account.heardFrom, names, &summary)
            summary.accounts += 1
            summary.pairs += wroteTo.count + heardFrom.count
            var start = 0
            repeat {
                let end = start + MemoryRecord.domainsMax
                let record = MemoryRecord.Account(
                    name: name,
                    firstDay: account.firstDay,
                    isForgetful: account.isForgetful,
                    wroteTo: Array(wroteTo.dropFirst(start).prefix(MemoryRecord.domainsMax)),
                    heardFrom: Array(heardFrom.dropFirst(start).prefix(MemoryRecord.domainsMax)),
                    unseenBaseline: start == 0 ? account.unseenBaseline : nil,
                    receiptBaseline: start == 0 ? account.receiptBaseline : nil
                )
                try add(MemoryRecord.account(record).json())
                start = end
            } while start < max(wroteTo.count, heardFrom.count)
        }
        for host in memory.knownHosts {
            guard let name = names[host.hash] else { continue }
            let record = MemoryRecord.domain(
                name,
                localDeliveries: host.localDeliveries,
                isRemote: host.isRemote
            )
            summary.domains += 1
            try add(record.json())
        }
        var end = JSONObjectWriter()
        end.member("postern.memory_end", lines + 1)
        try add(end.finished())
        if !text.isEmpty { try write(compressedFrame(of: text)) }
        return summary
    }

    private static func named(
        _ domains: [KnownDomain],
        _ names: StoredNames,
        _ summary: inout Summary
    ) -> [MemoryRecord.Named] {
        var found: [MemoryRecord.Named] = []
        for domain in domains {
            guard let name = names[domain.hash] else {
                summary.pairsWithoutName += 1
                continue
            }
            found.append(
                MemoryRecord.Named(domain: name, lastDay: domain.lastDay, note: domain.note)
            )
        }
        // By name: the order of hashes is the secret of the state.
        return found.sorted { $0.domain.utf8.lexicographicallyPrecedes($1.domain.utf8) }
    }

    // MARK: Reading

    /// Reads a file that anybody may have written, compressed or not.
    ///
    /// - Parameter body: gets each record; of a file with a mistake some may have been given before
    ///   the mistake is found, so who must not take half of it reads it twice.
    /// - Throws: ``MemoryFileError`` with the line, counted from 1; what `body` throws.
    public static func read(
        _ bytes: [UInt8],
        _ body: (MemoryRecord) throws -> Void
    ) throws {
        var reader = LineReader()
        if isZstd(bytes) {
            do {
                try forEachPiece(ofZstd: bytes) { try reader.take($0[...], body) }
            } catch let damage as ZstdDamage {
                throw MemoryFileError(line: reader.lineCount + 1, message: damage.message)
            }
        } else {
            var start = 0
            while start < bytes.count {
                let end = min(start + (256 << 10), bytes.count)
                try reader.take(bytes[start..<end], body)
                start = end
            }
        }
        try reader.finish()
    }

    private struct LineReader {
        var lineCount = 0
        private var rest: [UInt8] = []
        private var hasEnded = false

        mutating func take(_ piece: ArraySlice<UInt8>, _ body: (MemoryRecord) throws -> Void) throws
        {
            var piece = piece
            while let end = piece.firstIndex(of: UInt8(ascii: "\n")) {
                rest += piece[piece.startIndex..<end]
                piece = piece[(end + 1)...]
                let line = rest
                rest = []
                try read(line, body)
            }
            rest += piece
            guard rest.count <= 2 * MemoryRecord.bytesMax else {
                throw MemoryFileError(
                    line: lineCount + 1,
                    message: "a line has more than \(2 * MemoryRecord.bytesMax) bytes"
                )
            }
        }

        private mutating func read(
            _ line: [UInt8],
            _ body: (MemoryRecord) throws -> Void
        ) throws {
            lineCount += 1
            func mistake(_ message: String) -> MemoryFileError {
                MemoryFileError(line: lineCount, message: message)
            }
            guard !hasEnded else { throw mistake("something stands after the last line") }
            if lineCount == 1 {
                let object = try? JSONObjectReader.read(line)
                guard let found = object?["postern.memory"]?.integer else {
                    throw mistake("this is no memory that postern state export wrote")
                }
                guard found == MemoryFile.version else {
                    throw mistake(
                        "it is of version \(found); this postern reads version \(MemoryFile.version)"
                    )
                }
                return
            }
            if line.starts(with: Array("{\"postern.memory_end\":".utf8)) {
                let object = try? JSONObjectReader.read(line)
                guard object?["postern.memory_end"]?.integer == Int64(lineCount) else {
                    throw mistake("lines are missing before this one")
                }
                hasEnded = true
                return
            }
            let record: MemoryRecord
            do {
                record = try MemoryRecord(json: line)
            } catch {
                throw mistake(error.message)
            }
            try body(record)
        }

        func finish() throws {
            guard hasEnded, rest.isEmpty else {
                throw MemoryFileError(
                    line: lineCount + 1,
                    message: lineCount == 0
                        ? "this is no memory that postern state export wrote"
                        : "the file breaks off: its last line is missing"
                )
            }
        }
    }
}

/// A file that is no whole memory.
public struct MemoryFileError: Error, Sendable, Hashable {
    /// From 1.
    public var line: Int
    public var message: String
}

extension AccountMemory {
    /// The memory of a state, for commands.
    init(stored store: StateReader, limits: MemoryLimits = MemoryLimits()) throws {
        self.init(seed: try HashSeed(bytes: store.origin.hashSeed), limits: limits)
        let kinds: [(PieceKind, Piece.Kind)] = [
            (.memoryHorizon, .horizon), (.memoryAccount, .account), (.memoryDomain, .domain),
            (.memoryClock, .clock), (.memoryActivity, .activity),
        ]
        for (stored, kind) in kinds {
            var failure: BinaryReadError?
            try store.forEachPiece(stored) { key, body in
                do throws(BinaryReadError) {
                    try restore(Piece(kind: kind, key: key.copied, body: body.copied))
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
            if let failure { throw StoredStateError(piece: "memory", cause: failure) }
        }
    }
}
