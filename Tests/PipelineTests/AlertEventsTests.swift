import Findings
import State
import SystemPackage
import TestSupport
import Testing

@testable import Pipeline

struct AlertEventsTests {
    private let id = AlertID(rule: "r", group: [[1]], earliestMicroseconds: 0)

    private func store() throws -> (scratch: Scratch, store: StateStore) {
        let scratch = try Scratch()
        let store = try StateStore(
            folder: FilePath(scratch.path("state")),
            create: StateStore.Creation(nowMicroseconds: 0, host: "mx1")
        )
        return (scratch, store)
    }

    private func event(_ user: String, _ number: Int) -> [UInt8] {
        Array(#"{"user.name":"\#(user)","number":\#(number)}"#.utf8)
    }

    private func lines(_ store: StateReader) throws -> [String] {
        String(decoding: try AlertEvents.read(id.description, in: store), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }

    @Test func theLatestStayWithinTheirBound() throws {
        let (scratch, store) = try store()
        defer { withExtendedLifetime(scratch) {} }
        #expect(try lines(store).isEmpty)
        let events = (0..<40).map { event(String(repeating: "a", count: 50_000), $0) }
        var changes = Changes()
        AlertEvents.set(events, of: id, in: &changes)
        try store.commit(changes, durable: false)
        let kept = try lines(store)
        #expect(kept.count == AlertEvents.bytesMax / 50_030)
        #expect(kept == events.suffix(kept.count).map { String(decoding: $0, as: UTF8.self) })
        changes.removeAll()
        AlertEvents.remove(id.description, in: &changes)
        try store.commit(changes, durable: false)
        #expect(try lines(store).isEmpty)
    }

    /// Of an alert of several accounts the forgotten one's events leave, whatever its form.
    @Test func aForgottenAccountLeavesTheEventsOfOthers() throws {
        let (scratch, store) = try store()
        defer { withExtendedLifetime(scratch) {} }
        var changes = Changes()
        let users = ["alice@hosted.example", "Alice", "bob@hosted.example", "ALICE@Hosted.Example"]
        AlertEvents.set(users.enumerated().map { event($1, $0) }, of: id, in: &changes)
        try store.commit(changes, durable: false)
        for _ in 0..<2 {
            changes.removeAll()
            try AlertEvents.forget(
                canonicalAccount("alice@hosted.example", domain: "hosted.example"),
                accountDomain: "hosted.example",
                of: id.description,
                in: store,
                &changes
            )
            try store.commit(changes, durable: false)
            #expect(try lines(store) == [String(decoding: event(users[2], 2), as: UTF8.self)])
        }
    }
}
