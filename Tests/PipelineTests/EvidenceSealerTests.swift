import Evidence
import Findings
import Foundation
import Records
import State
import SystemPackage
import TestSupport
import Testing

@testable import Pipeline

/// A state folder with its sealer, as the daemon has them.
private final class SealedFolder {
    let scratch: Scratch
    let store: StateStore
    var sealer: EvidenceSealer

    init() throws {
        scratch = try Scratch()
        store = try StateStore(
            folder: FilePath(scratch.path("state")),
            create: .init(nowMicroseconds: 0, host: "mx1")
        )
        sealer = try Self.open(store)
    }

    private static func open(_ store: StateStore) throws -> EvidenceSealer {
        var isNew = false
        var changes = Changes()
        return try EvidenceSealer(
            folder: store.folder,
            host: "mx1",
            posternVersion: "test",
            state: store,
            changes: &changes,
            isNewKey: &isNew
        )
    }

    func reopen() throws { sealer = try Self.open(store) }

    /// - Returns: the alert's ID.
    @discardableResult
    func seal(_ number: Int, at now: Int64) throws -> AlertID {
        let id = AlertID(rule: "r", group: [[UInt8(number)]], earliestMicroseconds: 0)
        var changes = Changes()
        _ = try sealer.seal(contents(id, bytes: 100), now: now, &changes)
        try store.commit(changes, durable: true)
        return id
    }

    func contents(_ id: AlertID, bytes: Int) -> BundleContents {
        let alert = Alert(
            id: id,
            sequence: 0,
            action: .opened,
            microseconds: 1_772_359_200_250_000,
            severity: .high,
            ruleID: "r",
            ruleName: "r"
        )
        return BundleContents(
            alert: alert,
            lines: [],
            events: [],
            rule: [UInt8](repeating: 0x23, count: bytes),
            settings: [],
            state: []
        )
    }

    func prune(
        _ retention: EvidenceRetention,
        now: Int64,
        open: Set<AlertID> = [],
        commits: Bool = true
    ) throws -> (count: Int, isOverBytes: Bool) {
        var changes = Changes()
        let result = try sealer.prune(
            retention,
            now: now,
            isOpen: { open.contains($0) },
            &changes
        )
        if commits {
            try store.commit(changes, durable: true)
            sealer.removePruned()
        }
        return result
    }

    var files: [String] {
        get throws { try sealer.store.list().map(\.name.description) }
    }

    var links: [ChainLink] { get throws { try store.evidenceChain().map(\.link) } }
}

@Suite struct EvidenceSealerTests {
    private let hour: Int64 = 3_600_000_000

    @Test func bundlesOlderThanKeepLeaveTombstonesInASoundChain() throws {
        let folder = try SealedFolder()
        let ids = try (0..<4).map { try folder.seal($0, at: Int64($0) * hour) }
        var retention = EvidenceRetention()
        retention.keepMicroseconds = 2 * hour
        // The second is open.
        let result = try folder.prune(retention, now: 4 * hour, open: [ids[1]])
        #expect(result.count == 1)
        #expect(try folder.files.count == 3)
        #expect(
            try folder.links.map(\.kind) == [.pruned(reason: "keep"), .bundle, .bundle, .bundle]
        )
        #expect(try checkChain(folder.links) == [])
        // It ended; the chain is as sound after a start.
        try folder.reopen()
        #expect(try folder.prune(retention, now: 5 * hour).count == 2)
        #expect(try checkChain(folder.links) == [])
        #expect(try folder.files == ["\(ids[3]).0.tar.zst"])
    }

    @Test func theOldestLeaveWhenThereAreTooManyBytes() throws {
        let folder = try SealedFolder()
        let ids = try (0..<5).map { try folder.seal($0, at: Int64($0)) }
        let size = try #require(try folder.sealer.store.list().map(\.byteCount).max())
        var retention = EvidenceRetention()
        retention.bytesMax = Int64(size) * 3 + 20
        let result = try folder.prune(retention, now: 10, open: [ids[0]])
        #expect(result.count == 2)
        #expect(!result.isOverBytes)
        let expected = [ids[0], ids[3], ids[4]].map { "\($0).0.tar.zst" }
        #expect(try Set(folder.files) == Set(expected))
        #expect(
            try folder.links.filter { $0.kind == .pruned(reason: "bytes_max") }.compactMap(\.bundle)
                == [ids[1], ids[2]].map { "\($0).0.tar.zst" }
        )
        // All that are left are open: they stay, and it is told.
        retention.bytesMax = 1
        let rest = try folder.prune(retention, now: 10, open: Set(ids))
        #expect(rest.count == 0)
        #expect(rest.isOverBytes)
        #expect(try folder.files.count == 3)
    }

    /// Killed between the commit and the removal, the file goes at the next start; killed before the
    /// commit, nothing has happened.
    @Test func aKillWhilePruningLosesNeitherFileNorLink() throws {
        let folder = try SealedFolder()
        try folder.seal(0, at: 0)
        try folder.seal(1, at: 100 * hour)
        var retention = EvidenceRetention()
        retention.keepMicroseconds = hour
        _ = try folder.prune(retention, now: 100 * hour, commits: false)
        try folder.reopen()
        #expect(try folder.files.count == 2)
        #expect(try folder.links.map(\.kind) == [.bundle, .bundle])
        var changes = Changes()
        _ = try folder.sealer.prune(retention, now: 100 * hour, isOpen: { _ in false }, &changes)
        try folder.store.commit(changes, durable: true)
        #expect(try folder.files.count == 2)
        try folder.reopen()
        #expect(try folder.files.count == 1)
        #expect(try checkChain(folder.links) == [])
    }

    /// The same bundle sealed again, as after a crash before its commit, has the same bytes.
    @Test func sealingAgainAfterACrashGivesTheSameBytes() throws {
        let folder = try SealedFolder()
        let id = try folder.seal(0, at: 0)
        var changes = Changes()
        let contents = folder.contents(
            AlertID(rule: "r", group: [[9]], earliestMicroseconds: 0),
            bytes: 10
        )
        let first = try folder.sealer.seal(contents, now: 5, &changes)
        let path = folder.sealer.store.path(of: contents.name).string
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        try folder.reopen()
        var again = Changes()
        #expect(try folder.sealer.seal(contents, now: 9, &again) == first)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
        #expect(first.chain == (try folder.links.last?.digest))
        #expect(try folder.links.last?.bundle == "\(id).0.tar.zst")
    }

    /// Alerts that went out name a bundle by its digest: the same contents again leave it as it is,
    /// others take its place and say so.
    @Test func aBundleIsReplacedOnlyByOtherContents() throws {
        let folder = try SealedFolder()
        let id = try folder.seal(0, at: 0)
        try folder.seal(1, at: 1)
        let links = try folder.links
        var changes = Changes()
        let same = try folder.sealer.seal(folder.contents(id, bytes: 100), now: 7, &changes)
        #expect(changes.isEmpty)
        #expect(same.digest == links[0].digest)
        _ = try folder.sealer.seal(folder.contents(id, bytes: 101), now: 8, &changes)
        try folder.store.commit(changes, durable: true)
        #expect(
            try folder.links.map(\.kind) == [.pruned(reason: "sealed again"), .bundle, .bundle]
        )
        #expect(try checkChain(folder.links) == [])
        try folder.reopen()
        folder.sealer.removePruned()
        #expect(try folder.files.count == 2)
    }

    @Test func aNewStateGoesOnWithTheChainOfTheOld() throws {
        let folder = try SealedFolder()
        try folder.seal(0, at: 0)
        let links = try folder.links
        let other = try SealedFolder()
        var isNew = false
        var changes = Changes()
        let sealer = try EvidenceSealer(
            folder: other.store.folder,
            host: "mx1",
            posternVersion: "test",
            state: other.store,
            former: links,
            changes: &changes,
            isNewKey: &isNew
        )
        try other.store.commit(changes, durable: true)
        #expect(sealer.chain.head == links[0].digest)
        #expect(try other.links == links)
    }

    @Test func whatWaitsIsBoundedAndOutlivesTheProcess() throws {
        let folder = try SealedFolder()
        var changes = Changes()
        let ids = (0..<3).map { AlertID(rule: "r", group: [[UInt8($0)]], earliestMicroseconds: 0) }
        for id in ids.prefix(2) {
            let contents = folder.contents(id, bytes: 30 << 20)
            #expect(folder.sealer.wait(contents, &changes))
        }
        let last = folder.contents(ids[2], bytes: 30 << 20)
        #expect(!folder.sealer.wait(last, &changes))
        try folder.store.commit(changes, durable: true)
        try folder.reopen()
        #expect(folder.sealer.isWaiting(for: ids[0]))
        #expect(!folder.sealer.isWaiting(for: ids[2]))
        changes = Changes()
        let done = folder.sealer.sealWaiting(now: 0, &changes)
        try folder.store.commit(changes, durable: true)
        #expect(Set(done.map(\.name.alert)) == Set(ids.prefix(2)))
        #expect(try folder.files.count == 2)
        try folder.reopen()
        #expect(!folder.sealer.isWaiting)
        #expect(try checkChain(folder.links) == [])
    }
}
