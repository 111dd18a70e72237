import Glibc
import State
import Synchronization
import Testing

@testable import Alerting

/// The threads. Nothing here waits for a time: each step waits for what it needs to have happened.
@Suite struct DispatcherTests {
    /// Holds threads until a test lets them go.
    final class Gate: Sendable {
        private let pipe: (read: CInt, write: CInt)

        init() {
            var ends: [CInt] = [0, 0]
            let result = unsafe Glibc.pipe(&ends)
            precondition(result == 0)
            pipe = (ends[0], ends[1])
        }

        deinit {
            close(pipe.read)
            close(pipe.write)
        }

        func pass() {
            var byte: UInt8 = 0
            _ = unsafe read(pipe.read, &byte, 1)
        }

        func open(times: Int = 1) {
            let bytes = [UInt8](repeating: 0, count: times)
            _ = unsafe write(pipe.write, bytes, times)
        }
    }

    /// The engine's part of the hand-over.
    func settle(_ dispatcher: Dispatcher, _ store: StateStore) throws {
        let marks = dispatcher.takeMarks()
        var changes = Changes()
        marks.add(to: &changes)
        try store.commit(changes, durable: false)
        dispatcher.committed(marks)
    }

    func commit(_ store: StateStore, _ dispatches: [NewDispatch]) throws {
        var changes = Changes()
        for dispatch in dispatches { changes.addDispatch(dispatch) }
        try store.commit(changes, durable: true)
    }

    @Test func aSinkThatHangsDelaysNoOther() throws {
        let scratch = try Scratch()
        let store = try scratch.store()
        let folder = scratch.state
        let hanging = Gate()
        let marked = Gate()
        let sent = Shared<OutgoingAlert>()
        let dispatcher = try Dispatcher(
            sinks: [
                ScriptedSink(name: "hangs", sent: Shared()) { _ in
                    hanging.pass()
                    return .failed("hung")
                },
                ScriptedSink(name: "works", sent: sent) { _ in .accepted },
            ],
            seed: 1,
            openOutbox: { () throws(StateError) in try StateReader(folder: folder) },
            marksReady: { marked.open() },
            observe: { _ in }
        )
        for number in 0..<20 {
            try commit(
                store,
                ["hangs", "works"].map { newDispatch("a", Int64(number), sink: $0) }
            )
            dispatcher.wake()
            marked.pass()
            try settle(dispatcher, store)
        }
        #expect(sent.all.map(\.sequence) == Array(0..<20))
        hanging.open(times: 20)
        dispatcher.stop()
        try settle(dispatcher, store)
        let works = dispatcher.counters[1]
        #expect(works.sink == "works")
        #expect(works.counters.accepted == 20)
        #expect(store.outbox.waiting == 20)
        #expect(store.outbox.acknowledged == 20)
    }

    @Test func whatWasNotMarkedBeforeTheEndIsSentAgainAfterIt() throws {
        let scratch = try Scratch()
        let store = try scratch.store()
        let folder = scratch.state
        let sent = Shared<OutgoingAlert>()
        try commit(store, (0..<3).map { newDispatch("a\($0)", 0, sink: "s") })
        for run in 1...2 {
            let marked = Gate()
            let dispatcher = try Dispatcher(
                sinks: [ScriptedSink(name: "s", sent: sent) { _ in .accepted }],
                seed: 1,
                openOutbox: { () throws(StateError) in try StateReader(folder: folder) },
                marksReady: { marked.open() },
                observe: { _ in }
            )
            for _ in 0..<3 { marked.pass() }
            // The first run ends here as by a crash: its marks are never committed.
            if run == 2 { try settle(dispatcher, store) }
            dispatcher.stop()
            #expect(sent.all.count == 3 * run)
        }
        #expect(Array(sent.all[0..<3]) == Array(sent.all[3..<6]))
        #expect(store.outbox.acknowledged == 3)
    }

    @Test func stoppingSendsWhatIsDueAndCanBeRepeated() throws {
        let scratch = try Scratch()
        let store = try scratch.store()
        let folder = scratch.state
        let sent = Shared<OutgoingAlert>()
        let dispatcher = try Dispatcher(
            sinks: [ScriptedSink(name: "s", sent: sent) { _ in .accepted }],
            seed: 1,
            openOutbox: { () throws(StateError) in try StateReader(folder: folder) },
            marksReady: {},
            observe: { _ in }
        )
        // Nobody wakes it for these.
        try commit(store, (0..<5).map { newDispatch("a\($0)", 0, sink: "s") })
        dispatcher.stop()
        dispatcher.stop()
        #expect(sent.all.count == 5)
        #expect(dispatcher.takeMarks().count == 5)
        #expect(dispatcher.takeMarks().isEmpty)
    }

    @Test func noSinkAtAllIsFine() throws {
        let dispatcher = try Dispatcher(
            sinks: [],
            seed: 1,
            openOutbox: { () throws(StateError) in preconditionFailure("no sink reads") },
            marksReady: {},
            observe: { _ in }
        )
        dispatcher.wake()
        dispatcher.stop()
        #expect(dispatcher.counters.isEmpty)
    }
}
