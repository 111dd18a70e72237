public import Detection
import Findings
public import Memory
import Records
import SafeText
public import State

/// All that a state holds of one account.
public struct AccountSheet: Sendable {
    /// In canonical form.
    public var account: String
    /// Nil: nothing is remembered of it.
    public var known: KnownAccount?
    /// Of the domains in ``known``.
    public var names: StoredNames
    public var windows: [AccountWindow]
    /// Those that name it, or its domain, and have not ended.
    public var silences: [Silence]
    /// Those that name it.
    public var openAlerts: [AlertRow]

    public var isEmpty: Bool {
        known == nil && windows.isEmpty && silences.isEmpty && openAlerts.isEmpty
    }

    /// Reads what was committed last.
    ///
    /// - Parameters:
    ///   - account: in any form.
    ///   - settings: the daemon's: windows of rules that they do not name, or not as they are, are
    ///     not shown.
    /// - Throws: ``StateError``, ``StoredStateError``, ``EngineError``.
    public init(of account: String, in store: StateReader, _ settings: EngineSettings) throws {
        let account = canonicalAccount(account, domain: settings.accountDomain)
        self.account = account
        let seed = try HashSeed(bytes: store.origin.hashSeed)
        var memory = AccountMemory(seed: seed)
        let name = Array(account.utf8)
        let hash = memory.hash(name.span)
        var key = BinaryWriter(reserving: 8)
        key.write(hash)
        let kinds: [(PieceKind, AccountMemory.Piece.Kind)] = [
            (.memoryAccount, .account), (.memoryActivity, .activity),
        ]
        for (stored, kind) in kinds {
            guard let body = try store.piece(stored, key: key.bytes.span) else { continue }
            do {
                try memory.restore(.init(kind: kind, key: key.bytes, body: body))
            } catch {
                throw StoredStateError(piece: "memory", cause: error)
            }
        }
        known = memory.known(hash)
        names = try StoredNames(from: store, only: Set(known?.hashes ?? []))
        windows = try Engine.windows(of: name, settings, seed, store)
        silences = try SilenceBook(from: store).silences.filter {
            $0.account.map { Silence.account($0, means: account) } ?? false
        }
        openAlerts = try store.alerts(status: "open", limit: .max).filter { row in
            let object = try? JSONObjectReader.read(row.body)
            return (object?["related.user"]?.strings ?? []).contains {
                canonicalAccount($0, domain: settings.accountDomain) == account
            }
        }
    }

    /// One object a line.
    public func json() -> [[UInt8]] {
        var lines: [[UInt8]] = []
        func add(_ kind: String, _ body: (inout JSONObjectWriter) -> Void) {
            var object = JSONObjectWriter()
            object.member("postern.known", kind)
            object.member("user.name", account)
            body(&object)
            lines.append(object.finished())
        }
        if let known {
            add("account") { object in
                object.member("postern.first_day", known.firstDay == 0 ? nil : date(known.firstDay))
                object.member("postern.forgetful", known.isForgetful)
                for (name, usual) in [
                    ("postern.usual_unseen_domains_hour", known.unseenBaseline),
                    ("postern.usual_receipts_day", known.receiptBaseline),
                ] {
                    if let usual { object.member(name, json: Array(usual.text.utf8)) }
                }
            }
            for domain in known.wroteTo {
                add("wrote") { object in
                    object.member("destination.domain", names[domain.hash])
                    object.member(
                        "postern.last_day",
                        domain.lastDay == 0 ? nil : date(domain.lastDay)
                    )
                    object.member("postern.receipt", domain.note != 0)
                }
            }
            for domain in known.heardFrom {
                add("heard") { object in
                    object.member("source.domain", names[domain.hash])
                    object.member("postern.last_day", date(domain.lastDay))
                    object.member("postern.days", domain.note)
                }
            }
        }
        for window in windows {
            add("window") { object in
                object.member("rule.name", window.rule)
                object.member("postern.group", window.group)
                object.member("postern.events", window.events)
                object.member("postern.events_of_account", window.eventsOfAccount)
                object.member("postern.figure", window.figure)
                object.member("postern.threshold", window.threshold)
                object.member("event.start", rfc3339(microseconds: window.first))
                object.member("event.end", rfc3339(microseconds: window.last))
                object.member("event.id", window.alert?.description)
            }
        }
        for silence in silences {
            add("silence") { object in
                object.member("postern.silence", silence.id)
                object.member("event.end", rfc3339(microseconds: silence.untilMicroseconds))
                object.member("postern.author", silence.author)
                object.member("event.reason", silence.reason)
            }
        }
        for row in openAlerts {
            add("alert") { object in
                object.member("event.id", row.id)
                object.member("rule.id", row.rule)
            }
        }
        return lines
    }

    /// `2026-03-01` of a day counted from 1970.
    public func date(_ day: UInt16) -> String {
        String(rfc3339(microseconds: Int64(day) * 86_400_000_000).prefix(10))
    }
}

extension Engine {
    /// The windows of a state that hold something of an account.
    fileprivate static func windows(
        of account: [UInt8],
        _ settings: EngineSettings,
        _ seed: HashSeed,
        _ store: StateReader
    ) throws -> [AccountWindow] {
        var engine = try Engine(settings, sources: [], seed: seed)
        var changes = Changes()
        do {
            _ = try engine.restoreWindows(from: store, changes: &changes)
        } catch .state(let error) {
            throw error
        } catch .stored(let error) {
            throw error
        }
        return engine.detector.windows(of: account)
    }
}

extension KnownBaseline {
    /// The mean, to the hundredth: `1.50`.
    public var text: String {
        let hundredths = (UInt64(mean) * 100 + 32_768) >> 16
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// How many occurrences it rests on, those of long ago counted less: at least one.
    public var learnt: UInt64 { max(1, (weight + 524_288) >> 20) }
}
