import Evidence
import Findings
import LinuxIO
import SafeText
import State

extension DaemonOutput {
    /// In `postern.degraded`: the alert went out before its bundle could be made.
    static let unsealed = "unsealed"

    /// Seals a bundle and makes it the newest of its alert.
    ///
    /// - Returns: nil when it could not be sealed: then it waits, and is told of.
    mutating func seal(_ contents: BundleContents) -> SealedEvidence? {
        do {
            let sealed = try sealer.seal(contents, now: now, &changes)
            latest[contents.name.alert] = sealed
            setLatest(contents.name.alert, sealed)
            return sealed
        } catch {
            // What is too large stays so.
            var isTriedAgain = true
            if case .tooLarge = error { isTriedAgain = false }
            if isTriedAgain { isTriedAgain = sealer.wait(contents, &changes) }
            tell(.sealFailed(error, isTriedAgain: isTriedAgain))
            return nil
        }
    }

    /// Tries again to seal what could not be.
    mutating func sealWaiting() {
        guard sealer.isWaiting else { return }
        for (name, sealed) in sealer.sealWaiting(now: now, &changes) {
            changes.setBundle(
                sealed.bundle,
                alert: name.alert.description,
                sequence: Int64(name.sequence)
            )
            hasFindings = true
            tell(.sealedLate(sealed.bundle))
            openBundle(name, sealed)
        }
    }

    /// The updates of an alert that is open name its newest bundle.
    private mutating func openBundle(_ name: BundleName, _ sealed: SealedEvidence) {
        guard open.contains(name.alert) else { return }
        if let known = latest[name.alert].flatMap({ BundleName($0.bundle) }),
            known.sequence > name.sequence
        {
            return
        }
        latest[name.alert] = sealed
        setLatest(name.alert, sealed)
    }

    /// Seals the proof of an alert that is closed without the engine: what its last bundle holds.
    ///
    /// - Parameter body: the alert, resolved.
    /// - Returns: the alert with the bundle in it, or marked; as it is when it had none.
    mutating func sealClosing(
        _ body: [UInt8],
        _ name: BundleName,
        at microseconds: Int64
    ) -> [UInt8] {
        guard let last = latest[name.alert].flatMap({ BundleName($0.bundle) }),
            let object = try? JSONObjectReader.read(body)
        else { return body }
        let bare = object.leavingOut { $0.hasPrefix("postern.evidence") }
        guard let bundle = try? BundleReader().open(sealer.store.path(of: last)),
            let contents = BundleContents(
                packed: bundle,
                alert: bare,
                name: name,
                microseconds: microseconds
            ),
            let sealed = seal(contents)
        else {
            let degraded = (object["postern.degraded"]?.strings ?? []) + [Self.unsealed]
            return object.replacing([
                ("postern.degraded", .array(degraded.map { .string($0) }))
            ])
        }
        var fields: [(name: String, value: JSONValue)] = [
            ("postern.evidence", .string(sealed.bundle)),
            ("postern.evidence_sha256", .string(sealed.digest)),
        ]
        if let chain = sealed.chain { fields.append(("postern.evidence_chain", .string(chain))) }
        if let key = sealed.key { fields.append(("postern.evidence_key", .string(key))) }
        return object.replacing(fields)
    }
}

extension Daemon {
    /// Makes bundles that could not be made before, and removes those that are kept no more.
    mutating func keepEvidence() {
        let now = Clocks.monotonicNanoseconds()
        if output.sealer.isWaiting, now >= output.sealer.retryAt {
            output.now = Clocks.realtimeMicroseconds()
            output.sealWaiting()
        }
        guard output.sealer.hasSealed || now >= pruneAt else { return }
        pruneAt = now &+ 3_600_000_000_000
        let open = output.open
        do {
            let (count, isOverBytes) = try output.sealer.prune(
                configuration.evidence,
                now: Clocks.realtimeMicroseconds(),
                isOpen: { open.contains($0) },
                &output.changes
            )
            if count > 0 {
                output.hasPruned = true
                output.hasFindings = true
                tell(.pruned(count))
            }
            if isOverBytes, !self.isOverBytes { tell(.evidenceOverBytes) }
            self.isOverBytes = isOverBytes
        } catch {
            tell(.sealFailed(error, isTriedAgain: true))
        }
    }

    /// Everything before is committed.
    mutating func rotateKey() throws(StateError) -> ControlAnswer {
        let before = output.sealer
        var changes = Changes()
        do {
            let keys = try output.sealer.rotateKey(now: output.now, &changes)
            do {
                try store.commit(changes, durable: true)
            } catch {
                output.sealer = before
                throw error
            }
            try output.sealer.finishRotation()
            tell(.evidenceKey(keys.new.fingerprint, isNew: true))
            return rotationAnswer(keys)
        } catch let error as StateError {
            throw error
        } catch {
            return ControlAnswer(.failed, "\(error)")
        }
    }
}
