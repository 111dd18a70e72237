import Findings
import Glibc
import LinuxIO
import SystemPackage
import TestSupport
import Testing

@testable import Evidence

/// Bundles on the disk: whole or not there, whatever fails.
@Suite struct BundleStoreTests {
    private func seal(
        _ store: BundleStore,
        _ contents: BundleContents = contents(),
        previous: String? = nil
    ) throws -> SealedEvidence {
        try store.seal(contents, host: "mx.example", posternVersion: "1.0.0", previous: previous)
    }

    @Test func aSealedBundleHoldsAndIsListed() throws {
        let scratch = try Scratch()
        let store = BundleStore(folder: scratch.folder)
        #expect(try store.list().isEmpty)
        let sealed = try seal(store, previous: digestHex([]))
        let path = scratch.folder.appending(sealed.bundle)
        #expect(sealed.bundle == "\(alert().id).0.tar.zst")
        #expect(sealed.chain == digestHex([]))
        let bundle = try BundleReader().open(path)
        #expect(bundle.check().isEmpty)
        #expect(bundle.manifestDigest == sealed.digest)
        #expect(bundle.manifest.previous == sealed.chain)
        #expect(mode(scratch.folder) == 0o700)
        #expect(mode(path) == 0o600)
        #expect(names(in: scratch.folder) == [sealed.bundle])
        let byteCount = try UInt64(contents(of: path).count)
        #expect(try store.list() == [StoredBundle(name: bundle.name, byteCount: byteCount)])
    }

    @Test func foldersAboveAreMadeToo() throws {
        let scratch = try Scratch()
        let folder = scratch.path.appending("a").appending("b").appending("c")
        _ = try seal(BundleStore(folder: folder))
        #expect(mode(scratch.path.appending("a")) == 0o700)
        #expect(try BundleStore(folder: folder).list().count == 1)
    }

    /// As after a crash between sealing and commit.
    @Test func sealingTheSameAgainWritesNothing() throws {
        let scratch = try Scratch()
        let first = try seal(BundleStore(folder: scratch.folder))
        let faults = FaultScript([.init(.renameat, .from(1), .fail(.noSpace))])
        let again = try seal(
            BundleStore(folder: scratch.folder, calls: SystemCalls(faults: faults))
        )
        #expect(again == first)
        #expect(faults.givenCount == 0)
    }

    /// The folder was not synced when the process ended: the second seal does it.
    @Test func sealingTheSameAgainSyncsTheFolder() throws {
        let scratch = try Scratch()
        _ = try seal(BundleStore(folder: scratch.folder))
        let faults = FaultScript([
            .init(.fsync, .from(1), .fail(.ioError), path: scratch.folder)
        ])
        #expect(throws: EvidenceError.self) {
            try seal(BundleStore(folder: scratch.folder, calls: SystemCalls(faults: faults)))
        }
        #expect(faults.givenCount == 1)
    }

    @Test func whateverElseHasTheNameIsReplaced() throws {
        let scratch = try Scratch()
        let store = BundleStore(folder: scratch.folder)
        let sealed = try seal(store)
        let path = scratch.folder.appending(sealed.bundle)
        let bytes = try contents(of: path)
        var flipped = bytes
        flipped[9] ^= 1
        let target = scratch.path.appending("target")
        for other in [[], flipped, bytes + [0]] {
            try write(other, to: path)
            #expect(try seal(store) == sealed)
            #expect(try contents(of: path) == bytes)
        }
        // Neither does a link send us to another file.
        try write(bytes, to: target)
        _ = unsafe unlink(path.string)
        #expect(unsafe symlink(target.string, path.string) == 0)
        #expect(try store.list().isEmpty)
        #expect(try seal(store) == sealed)
        #expect(try store.list().count == 1)
        #expect(try contents(of: target) == bytes)
    }

    /// Every call that sealing makes fails once: the error names it, the bundle that was there is
    /// still there whole, and nothing else is left. The next seal succeeds.
    @Test(
        arguments: [
            SystemCall.openat, .chmod, .write, .fsync, .renameat, .mkdirat, .fstat, .pread,
        ],
        1...4
    )
    func aFailedCallLeavesOldOrNew(call: SystemCall, nth: Int) throws {
        let scratch = try Scratch()
        let old = try seal(BundleStore(folder: scratch.folder), contents(state: "[1]"))
        let path = scratch.folder.appending(old.bundle)
        let oldBytes = try contents(of: path)
        let newBytes = try contents().sealed()
        let faults = FaultScript([.init(call, .nth(nth), .fail(.noSpace))])
        let store = BundleStore(folder: scratch.folder, calls: SystemCalls(faults: faults))
        do {
            _ = try seal(store)
            #expect(faults.givenCount == 0)
        } catch let error as EvidenceError {
            guard case .system(let error) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(error.call == call)
            #expect(error.cause == .noSpace)
        }
        let held = try contents(of: path)
        #expect(held == oldBytes || held == newBytes)
        #expect(names(in: scratch.folder) == [old.bundle])
        faults.replace(with: [])
        let sealed = try seal(store)
        #expect(try BundleReader().open(path).check().isEmpty)
        #expect(sealed.digest != old.digest)
        #expect(try contents(of: path) == newBytes)
    }

    @Test func shortWritesAreContinued() throws {
        let scratch = try Scratch()
        let faults = FaultScript([
            .init(.write, .every(2), .shorten(to: 7)),
            .init(.write, .every(3), .fail(.interrupted)),
        ])
        let store = BundleStore(folder: scratch.folder, calls: SystemCalls(faults: faults))
        let sealed = try seal(store)
        #expect(try BundleReader().open(scratch.folder.appending(sealed.bundle)).check().isEmpty)
        #expect(faults.givenCount > 0)
    }

    /// A process that is killed leaves a file of the writing behind.
    @Test func leftoversAndForeignFilesAreNotListed() throws {
        let scratch = try Scratch()
        let store = BundleStore(folder: scratch.folder)
        for sequence in [10, 2, 0] { _ = try seal(store, contents(alert(sequence: sequence))) }
        let name = contents().name.description
        for other in [
            name + ".new", ".\(name)", name + "~", "signing.key", "\(alert().id).01.tar.zst",
            "\(alert().id).+1.tar.zst", "\(alert().id).-1.tar.zst", "\(alert().id)..tar.zst",
            "\(alert().id).99999999999999999999.tar.zst", "\(alert().id).tar.zst",
            name.uppercased(), "x", "\(alert().id).3.tar.gz",
        ] {
            try write([1, 2, 3], to: scratch.folder.appending(other))
        }
        let isMade = unsafe mkdir(scratch.folder.appending("\(alert().id).4.tar.zst").string, 0o700)
        #expect(isMade == 0)
        #expect(try store.list().map(\.name.sequence) == [0, 2, 10])
        // The leftover is overwritten and renamed by the next seal of that name.
        _ = unsafe unlink(scratch.folder.appending(name).string)
        _ = try seal(store)
        #expect(!names(in: scratch.folder).contains(name + ".new"))
    }

    @Test func whatCouldNotBeOpenedIsNotSealed() throws {
        let scratch = try Scratch()
        var limits = BundleLimits()
        limits.linesBytesMax = 10
        let store = BundleStore(folder: scratch.folder, limits: limits)
        #expect {
            try seal(store)
        } throws: { error in
            guard case .tooLarge("lines.log", _, 10) = error as? EvidenceError else { return false }
            return true
        }
        #expect(names(in: scratch.folder).isEmpty)
    }

    @Test func aFolderThatCannotBeReadIsAnError() throws {
        let scratch = try Scratch()
        try write([], to: scratch.folder)
        #expect(throws: EvidenceError.self) { try BundleStore(folder: scratch.folder).list() }
        #expect(throws: EvidenceError.self) { try seal(BundleStore(folder: scratch.folder)) }
    }
}
