public import Evidence
import Findings
import LinuxIO
import Records
import SafeText
public import State
import SystemPackage

/// How long bundles are kept. The bundles of an open alert always are.
public struct EvidenceRetention: Sendable, Hashable {
    /// Bundles that were sealed longer ago are removed.
    public var keepMicroseconds: Int64 = 90 * 86_400 * 1_000_000
    /// With more bytes of bundles than these, the oldest are removed.
    public var bytesMax: Int64 = 1 << 30

    public init() {}
}

/// The chain of bundles as the state keeps it.
///
/// There may be many, and all are in memory: about 400 bytes each.
struct EvidenceChain {
    /// A bundle that is there.
    struct Held {
        let number: UInt64
        let name: BundleName
        /// Without the name, which it would hold a second time.
        private let nameless: ChainLink

        init(number: UInt64, name: BundleName, link: ChainLink) {
            self.number = number
            self.name = name
            var link = link
            link.bundle = nil
            nameless = link
        }

        var microseconds: Int64 { nameless.microseconds }
        var byteCount: Int64 { nameless.byteCount }
        var link: ChainLink {
            var link = nameless
            link.bundle = name.description
            return link
        }
    }

    /// Tombstones and changes of the key at the old end leave beyond so many links.
    static let linksMax = 100_000

    /// The digest of the last link; nil when there is none.
    private(set) var head: String?
    private(set) var next: UInt64 = 0
    /// In the order of their numbers.
    private(set) var held: [Held] = []
    /// Bytes of their files.
    private(set) var heldBytes: Int64 = 0
    private var numbers: [BundleName: UInt64] = [:]
    /// Who signed the last one: the links share it.
    private var lastKey: EvidenceKey?
    /// What is left besides them: numbers of tombstones and changes of the key, in their order.
    private var statements: [UInt64] = []
    /// The key that the last change of the key named.
    private(set) var rotatedKey: EvidenceKey?
    /// Names of bundles that have a tombstone.
    private(set) var pruned: Set<BundleName> = []

    init() {}

    init(from store: StateReader) throws(StateError) {
        try store.forEachLink { take($1, $0) }
    }

    /// The place in ``held`` of the bundle that last got this name.
    func place(of name: BundleName) -> Int? {
        guard let number = numbers[name] else { return nil }
        var places = held.indices
        while let first = places.first, let last = places.last {
            let middle = first + (last - first) / 2
            if held[middle].number == number { return middle }
            places = held[middle].number < number ? middle + 1..<places.upperBound : first..<middle
        }
        return nil
    }

    private mutating func take(_ link: ChainLink, _ number: UInt64) {
        var link = link
        if let head, link.previous == head { link.previous = head }
        if let lastKey, link.key == lastKey { link.key = lastKey }
        lastKey = link.key
        head = link.digest
        next = number &+ 1
        let name = link.bundle.flatMap { BundleName($0) }
        switch link.kind {
        case .bundle:
            guard let name else { return }
            held.append(Held(number: number, name: name, link: link))
            heldBytes &+= link.byteCount
            numbers[name] = number
            // Of one that was sealed again, the tombstone is not of the file that is there.
            pruned.remove(name)
        case .pruned:
            statements.append(number)
            if let name { pruned.insert(name) }
        case .rotated(let key):
            statements.append(number)
            rotatedKey = key
        }
    }

    mutating func append(_ link: ChainLink, to changes: inout Changes) {
        changes.setPiece(.evidenceLink, key: Self.key(next).span, body: link.json().span)
        take(link, next)
        while held.count + statements.count > Self.linksMax, let oldest = statements.first,
            oldest < held.first?.number ?? .max
        {
            changes.removePiece(.evidenceLink, key: Self.key(oldest).span)
            statements.removeFirst()
        }
    }

    /// A tombstone takes the place of a bundle.
    mutating func bury(_ index: Int, as tombstone: ChainLink, _ changes: inout Changes) {
        let buried = held.remove(at: index)
        heldBytes &-= buried.byteCount
        if numbers[buried.name] == buried.number { numbers[buried.name] = nil }
        changes.setPiece(
            .evidenceLink,
            key: Self.key(buried.number).span,
            body: tombstone.json().span
        )
        let place = statements.firstIndex { $0 > buried.number } ?? statements.count
        statements.insert(buried.number, at: place)
        pruned.insert(buried.name)
    }

    /// Big-endian, so that the order of keys is that of numbers.
    private static func key(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
    }
}

extension StateReader {
    /// The links of the chain of bundles, in their order.
    public func evidenceChain() throws(StateError) -> [(number: UInt64, link: ChainLink)] {
        var links: [(number: UInt64, link: ChainLink)] = []
        try forEachLink { links.append(($0, $1)) }
        return links
    }

    fileprivate func forEachLink(_ take: (UInt64, ChainLink) -> Void) throws(StateError) {
        try forEachPiece(.evidenceLink) { key, body in
            var number: UInt64 = 0
            for index in key.indices { number = number << 8 | UInt64(key[index]) }
            if let link = ChainLink(json: body.copied) { take(number, link) }
            return true
        }
    }
}

/// Seals the bundles of one state folder: signs them, chains them, makes those later that the disk
/// had no room for, and removes those that are kept no more.
struct EvidenceSealer {
    /// A bundle that could not be sealed yet.
    private struct Waiting {
        var contents: BundleContents
        var byteCount: Int
    }

    let store: BundleStore
    let host: String
    let posternVersion: String
    private let keyFile: SigningKeyFile
    private(set) var signer: EvidenceSigner
    private(set) var chain: EvidenceChain
    private var waiting: [Waiting] = []
    private var waitingBytes = 0
    /// Monotonic nanoseconds of the next try to seal what waits.
    private(set) var retryAt: UInt64 = 0
    private var retryWait: UInt64 = 0
    /// Whether something was sealed since bundles were last pruned.
    private(set) var hasSealed = true

    /// Bytes of the members of bundles that wait; what comes beyond is given up.
    static let waitingBytesMax = 64 << 20
    /// One whose packed bytes are more waits in memory only, and not past the end of the daemon.
    static let packedBytesMax = 8 << 20
    private static let retryNanosecondsMin: UInt64 = 1_000_000_000
    private static let retryNanosecondsMax: UInt64 = 60_000_000_000

    /// Opens the key of the folder, or makes one.
    ///
    /// - Parameters:
    ///   - former: the chain of a state that was set aside: it goes on in one that has none.
    ///   - changes: what is to be committed of it.
    ///   - isNewKey: whether the key was made.
    init(
        folder: FilePath,
        host: String,
        posternVersion: String,
        state: StateReader,
        former: [ChainLink] = [],
        calls: SystemCalls = SystemCalls(),
        changes: inout Changes,
        isNewKey: inout Bool
    ) throws(EvidenceFolderError) {
        self.host = host
        self.posternVersion = posternVersion
        store = BundleStore(folder: folder.appending("evidence"), calls: calls)
        keyFile = SigningKeyFile(folder: folder, calls: calls)
        do {
            chain = try EvidenceChain(from: state)
        } catch {
            throw .state(error)
        }
        if chain.head == nil {
            for link in former { chain.append(link, to: &changes) }
        }
        do {
            (signer, isNewKey) = try keyFile.open(current: chain.rotatedKey)
        } catch {
            throw .evidence(error)
        }
        do {
            try restoreWaiting(from: state)
        } catch {
            throw .state(error)
        }
        removePruned()
    }

    private mutating func restoreWaiting(from state: StateReader) throws(StateError) {
        var found: [BundleContents] = []
        try state.forEachPiece(.unsealedBundle) { _, body in
            if let bundle = try? BundleReader().read(body.copied),
                let contents = BundleContents(packed: bundle)
            {
                found.append(contents)
            }
            return true
        }
        for contents in found {
            waiting.append(Waiting(contents: contents, byteCount: contents.byteCount))
            waitingBytes += contents.byteCount
        }
    }

    // MARK: Sealing

    /// Seals a bundle as the next of the chain.
    ///
    /// One that is there with the same contents stays as it is: alerts that went out name it. One
    /// with others is replaced, and leaves a tombstone.
    mutating func seal(
        _ contents: BundleContents,
        now: Int64,
        _ changes: inout Changes
    ) throws(EvidenceError) -> SealedEvidence {
        let former = chain.place(of: contents.name)
        if let former, let known = sealedBefore(contents, chain.held[former].link) { return known }
        let (sealed, byteCount) = try store.sealCounting(
            contents,
            host: host,
            posternVersion: posternVersion,
            previous: chain.head,
            signer: signer
        )
        if let former {
            let tombstone = try chain.held[former].link.pruned(
                "sealed again",
                microseconds: now,
                by: signer
            )
            chain.bury(former, as: tombstone, &changes)
        }
        chain.append(
            ChainLink(
                bundle: sealed.bundle,
                digest: sealed.digest,
                previous: sealed.chain,
                key: signer.publicKey,
                byteCount: byteCount,
                microseconds: now
            ),
            to: &changes
        )
        hasSealed = true
        return sealed
    }

    private func sealedBefore(_ contents: BundleContents, _ link: ChainLink) -> SealedEvidence? {
        guard let bundle = try? BundleReader().open(store.path(of: contents.name)),
            bundle.manifestDigest == link.digest, bundle.check().isEmpty,
            BundleMember.listed.allSatisfy({ bundle[$0] == contents[$0] })
        else { return nil }
        return SealedEvidence(
            bundle: contents.name.description,
            digest: link.digest,
            chain: link.previous,
            key: link.key.fingerprint
        )
    }

    /// Keeps what could not be sealed for another try.
    ///
    /// - Returns: false when there is no room: then it is given up.
    mutating func wait(_ contents: BundleContents, _ changes: inout Changes) -> Bool {
        let byteCount = contents.byteCount
        guard waitingBytes + byteCount <= Self.waitingBytesMax else { return false }
        waiting.append(Waiting(contents: contents, byteCount: byteCount))
        waitingBytes += byteCount
        if let packed = contents.packed(), packed.count <= Self.packedBytesMax {
            changes.setPiece(.unsealedBundle, key: Self.key(contents.name).span, body: packed.span)
        }
        if retryWait == 0 { postponeRetry() }
        return true
    }

    private mutating func postponeRetry() {
        retryWait = min(max(retryWait * 2, Self.retryNanosecondsMin), Self.retryNanosecondsMax)
        retryAt = Clocks.monotonicNanoseconds() &+ retryWait
    }

    var isWaiting: Bool { !waiting.isEmpty }

    /// Seals what waits, the oldest first, up to the first that still cannot be.
    mutating func sealWaiting(
        now: Int64,
        _ changes: inout Changes
    ) -> [(name: BundleName, sealed: SealedEvidence)] {
        var done: [(name: BundleName, sealed: SealedEvidence)] = []
        while let first = waiting.first {
            guard let sealed = try? seal(first.contents, now: now, &changes) else {
                postponeRetry()
                return done
            }
            done.append((first.contents.name, sealed))
            changes.removePiece(.unsealedBundle, key: Self.key(first.contents.name).span)
            waitingBytes -= first.byteCount
            waiting.removeFirst()
        }
        retryWait = 0
        return done
    }

    /// Whether a bundle of the alert waits.
    func isWaiting(for alert: AlertID) -> Bool {
        waiting.contains { $0.contents.name.alert == alert }
    }

    private static func key(_ name: BundleName) -> [UInt8] { Array(name.description.utf8) }

    // MARK: Pruning

    /// Puts tombstones in the places of bundles that are kept no more; ``removePruned()`` removes
    /// their files once that is committed.
    ///
    /// - Parameter isOpen: alerts of which no bundle is removed.
    /// - Returns: how many, and whether there are more bytes than allowed all the same.
    mutating func prune(
        _ retention: EvidenceRetention,
        now: Int64,
        isOpen: (AlertID) -> Bool,
        _ changes: inout Changes
    ) throws(EvidenceError) -> (count: Int, isOverBytes: Bool) {
        hasSealed = false
        var count = 0
        var index = 0
        while index < chain.held.count {
            let bundle = chain.held[index]
            let (age, overflows) = now.subtractingReportingOverflow(bundle.microseconds)
            let isOld = !overflows && age > retention.keepMicroseconds
            guard isOld || chain.heldBytes > retention.bytesMax else { break }
            guard !isOpen(bundle.name.alert), !isWaiting(for: bundle.name.alert) else {
                index += 1
                continue
            }
            let tombstone = try bundle.link.pruned(
                isOld ? "keep" : "bytes_max",
                microseconds: now,
                by: signer
            )
            chain.bury(index, as: tombstone, &changes)
            count += 1
        }
        return (count, chain.heldBytes > retention.bytesMax)
    }

    /// Removes the files of bundles that have a tombstone; what cannot be is tried again at the next
    /// start.
    func removePruned() {
        guard !chain.pruned.isEmpty, let stored = try? store.list() else { return }
        for bundle in stored where chain.pruned.contains(bundle.name) {
            try? store.remove(bundle.name)
        }
    }

    // MARK: Keys

    /// A fresh key signs from now on, named by the one before it. To be followed by
    /// ``finishRotation()`` once `changes` are committed.
    mutating func rotateKey(
        now: Int64,
        _ changes: inout Changes
    ) throws(EvidenceError) -> (old: EvidenceKey, new: EvidenceKey) {
        let next = try keyFile.prepareRotation()
        let old = signer
        chain.append(
            try ChainLink(
                rotating: old,
                to: next.publicKey,
                previous: chain.head,
                microseconds: now
            ),
            to: &changes
        )
        signer = next
        return (old.publicKey, next.publicKey)
    }

    func finishRotation() throws(EvidenceError) { try keyFile.finishRotation() }
}

/// Why the evidence of a state folder cannot be opened.
enum EvidenceFolderError: Error {
    case state(StateError)
    case evidence(EvidenceError)
}

/// What the change of a key came to, in words.
func rotationAnswer(_ keys: (old: EvidenceKey, new: EvidenceKey)) -> ControlAnswer {
    ControlAnswer(
        .done,
        "a new key signs evidence from now on: \(keys.new.fingerprint)",
        details: [
            "the old one, \(keys.old.fingerprint), has signed its name",
            "give those who check bundles: postern evidence key --rotations",
        ]
    )
}
