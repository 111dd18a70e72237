import Evidence
import LinuxIO
import Memory
import Records
import SafeText
public import State
public import SystemPackage

/// A state while no daemon runs on it: its lock is ours, and requests are carried out on what is
/// stored.
public final class OfflineState {
    private let store: StateStore
    /// For records that come in several requests.
    private var memory: AccountMemory?

    /// - Throws: `locked` while another process has it; `missing` when there is none.
    public init(folder: FilePath) throws(StateError) {
        store = try StateStore(folder: folder, create: nil)
    }

    /// Carries a request out and commits it.
    ///
    /// - Parameter engine: what the daemon's engine would be made of.
    /// - Throws: ``StateError``, ``StoredStateError``, and what `engine` throws.
    public func perform(
        _ call: ControlCall,
        engine: () throws -> EngineSettings
    ) throws -> ControlAnswer {
        let editor = StateEditor(
            store: store,
            now: Clocks.realtimeMicroseconds(),
            author: call.author
        )
        var changes = Changes()
        var answer: ControlAnswer
        switch call.request {
        case .acknowledge(let alert, let note):
            answer = try editor.acknowledge(alert, note: note, &changes)
        case .silence(let new):
            var book = try SilenceBook(from: store)
            answer = editor.silence(new, &book, &changes)
        case .unsilence(let id):
            var book = try SilenceBook(from: store)
            answer = editor.unsilence(id, &book, &changes)
        case .forget(let account):
            answer = try forget(account, try engine(), editor, &changes)
        case .remember(let records):
            answer = try remember(records, engine, &changes)
        case .rotateKey: return try rotateKey()
        case .redeliver(let which):
            answer = try editor.redeliver(which, &changes)
        case .testSinks:
            answer = ControlAnswer(.missing, "no daemon runs that could send anything")
        case .status:
            answer = ControlAnswer(.missing, "no daemon runs")
        case .reload:
            answer = ControlAnswer(.missing, "no daemon runs that could read its settings again")
        }
        try store.commit(changes, durable: true)
        return answer
    }

    private func rotateKey() throws -> ControlAnswer {
        var isNew = false
        do {
            var changes = Changes()
            var sealer = try EvidenceSealer(
                folder: store.folder,
                host: "",
                posternVersion: "",
                state: store,
                changes: &changes,
                isNewKey: &isNew
            )
            let keys = try sealer.rotateKey(now: Clocks.realtimeMicroseconds(), &changes)
            try store.commit(changes, durable: true)
            try sealer.finishRotation()
            return rotationAnswer(keys)
        } catch EvidenceFolderError.state(let error) {
            throw error
        } catch EvidenceFolderError.evidence(let error) {
            return ControlAnswer(.failed, "\(error)")
        } catch let error as EvidenceError {
            return ControlAnswer(.failed, "\(error)")
        }
    }

    private func forget(
        _ account: String,
        _ settings: EngineSettings,
        _ editor: StateEditor,
        _ changes: inout Changes
    ) throws -> ControlAnswer {
        var engine = try Engine(
            settings,
            sources: [],
            seed: try HashSeed(bytes: store.origin.hashSeed),
            tracksChanges: true
        )
        do {
            _ = try engine.restore(from: store, changes: &changes)
        } catch .state(let error) {
            throw error
        } catch .stored(let error) {
            throw error
        }
        guard changes.isEmpty else {
            changes = Changes()
            return ControlAnswer(
                .refused,
                "the state has windows of rules that these settings do not name, or not as they are; "
                    + "name the daemon's settings with --config, or start the daemon once"
            )
        }
        let account = canonicalAccount(account, domain: settings.accountDomain)
        var book = try SilenceBook(from: store)
        let findings = try editor.forgetFindings(
            of: account,
            accountDomain: settings.accountDomain,
            &book,
            &changes
        )
        let forgotten = engine.forget(account, &changes)
        engine.takeChanges(into: &changes)
        return forgottenAnswer(account, forgotten, findings)
    }

    private func remember(
        _ records: [MemoryRecord],
        _ engine: () throws -> EngineSettings,
        _ changes: inout Changes
    ) throws -> ControlAnswer {
        var known: AccountMemory
        if let memory {
            known = memory
        } else {
            known = try AccountMemory(stored: store, limits: try engine().memory)
            known.names = DomainNames()
        }
        memory = nil
        for record in records { known.merge(record) }
        for piece in known.takeChanges() {
            changes.setPiece(piece.kind.pieceKind, key: piece.key.span, body: piece.body.span)
        }
        memory = known
        return ControlAnswer(.done, "\(records.count) records were merged")
    }
}
