import Detection
import Evidence
import Findings
import MailLog
import Memory
public import Records
public import State

/// The state on the disk is not what this program wrote.
public struct StoredStateError: Error, Sendable, CustomStringConvertible {
    public var piece: String
    public var cause: BinaryReadError

    public var description: String {
        "the stored \(piece) cannot be read: at byte \(cause.offset), \(cause.expected) was expected"
    }
}

extension Engine {
    /// Adds what changed since the last call. To be called between batches.
    mutating func takeChanges(into changes: inout Changes) {
        func put(_ kind: PieceKind, _ key: [UInt8], _ body: [UInt8]?) {
            if let body {
                changes.setPiece(kind, key: key.span, body: body.span)
            } else {
                changes.removePiece(kind, key: key.span)
            }
        }
        for key in detector.memory.takeForgotten() {
            put(.memoryAccount, key, nil)
            put(.memoryActivity, key, nil)
        }
        for piece in detector.memory.takeChanges() {
            switch piece.kind {
            case .account: put(.memoryAccount, piece.key, piece.body)
            case .domain: put(.memoryDomain, piece.key, piece.body)
            case .clock: put(.memoryClock, piece.key, piece.body)
            case .activity: put(.memoryActivity, piece.key, piece.body)
            case .horizon: put(.memoryHorizon, piece.key, piece.body)
            case .name: put(.domainName, piece.key, piece.body)
            }
        }
        for (number, body) in baits.takeChanges() {
            var key = BinaryWriter(reserving: 8)
            key.write(number)
            put(.inbound, key.bytes, body)
        }
        for piece in detector.takeChanges() {
            switch piece.kind {
            case .held: put(.heldEvent, piece.key, piece.body)
            case .group: put(.group, piece.key, piece.body)
            case .clock: put(.detectionClock, piece.key, piece.body)
            }
        }
        for piece in assembler.takeChanges() {
            switch piece.kind {
            case .assembly: put(.assembly, piece.key, piece.body)
            case .session: put(.session, piece.key, piece.body)
            case .clock: put(.assemblerClock, piece.key, piece.body)
            }
        }
        for piece in keeper.takeChanges() {
            switch piece.kind {
            case .hold: put(.lineHold, piece.key, piece.body)
            case .lines: put(.keptLines, piece.key, piece.body)
            }
        }
        for index in lanes.indices {
            let number = lanes[index].number
            if unstoredSources.remove(number.rawValue) != nil {
                put(.source, Self.key(of: number), Array(lanes[index].name.utf8))
            }
            for (key, body) in lanes[index].files.takeNewPieces(of: number) {
                put(.file, key, body)
            }
            var clock = BinaryWriter()
            lanes[index].write(to: &clock)
            put(.laneClock, Self.key(of: number), clock.bytes)
        }
        continuity.takeChanges(into: &changes)
        coverage.takeChanges(into: &changes)
        hours.takeChanges(into: &changes)
        var clock = BinaryWriter()
        clock.write(UInt8(2))
        clock.write(lineCount)
        put(.engineClock, [], clock.bytes)
    }

    private static func key(of source: SourceNumber) -> [UInt8] {
        var key = BinaryWriter(reserving: 2)
        key.write(source.rawValue)
        return key.bytes
    }

    /// Takes the whole stored state in; the engine must be new.
    ///
    /// - Parameter changes: gets what is to be removed because the rules changed.
    /// - Returns: the alerts that were open under rules which are not there any more, or not as they
    ///   were.
    mutating func restore(
        from store: StateReader,
        changes: inout Changes
    ) throws(EngineRestoreError) -> [AlertID] {
        try forEach(store, .memoryHorizon, "memory") { engine, key, body throws(BinaryReadError) in
            try engine.detector.memory.restore(.init(kind: .horizon, key: key, body: body))
        }
        try forEach(store, .memoryAccount, "memory") { engine, key, body throws(BinaryReadError) in
            try engine.detector.memory.restore(.init(kind: .account, key: key, body: body))
        }
        try forEach(store, .memoryActivity, "memory") { engine, key, body throws(BinaryReadError) in
            try engine.detector.memory.restore(.init(kind: .activity, key: key, body: body))
        }
        try forEach(store, .memoryDomain, "memory") { engine, key, body throws(BinaryReadError) in
            try engine.detector.memory.restore(.init(kind: .domain, key: key, body: body))
        }
        try forEach(store, .memoryClock, "memory") { engine, key, body throws(BinaryReadError) in
            try engine.detector.memory.restore(.init(kind: .clock, key: key, body: body))
        }
        var inbound: [(number: UInt64, body: [UInt8])] = []
        try forEach(store, .inbound, "inbound messages") { _, key, body throws(BinaryReadError) in
            var reader = BinaryReader(key)
            inbound.append((try reader.read(UInt64.self), body))
        }
        do {
            for (number, body) in inbound.sorted(by: { $0.number < $1.number }) {
                try baits.restore(number: number, body)
            }
        } catch {
            throw .stored(StoredStateError(piece: "inbound messages", cause: error))
        }
        let abandoned = try restoreWindows(from: store, changes: &changes)
        try forEach(store, .lineHold, "lines") { engine, key, body throws(BinaryReadError) in
            try engine.keeper.restore(.init(kind: .hold, key: key, body: body))
        }
        try forEach(store, .keptLines, "lines") { engine, key, body throws(BinaryReadError) in
            try engine.keeper.restore(.init(kind: .lines, key: key, body: body))
        }
        for serial in detector.takeReleased() { keeper.release(serial) }
        keeper.dropUnheld()

        var assemblies: [AssemblerPiece] = []
        try forEach(store, .assembly, "messages") { _, key, body throws(BinaryReadError) in
            assemblies.append(AssemblerPiece(kind: .assembly, key: key, body: body))
        }
        try forEach(store, .session, "messages") { _, key, body throws(BinaryReadError) in
            assemblies.append(AssemblerPiece(kind: .session, key: key, body: body))
        }
        try forEach(store, .assemblerClock, "messages") { _, key, body throws(BinaryReadError) in
            assemblies.append(AssemblerPiece(kind: .clock, key: key, body: body))
        }
        do {
            try assembler.restore(assemblies)
        } catch {
            throw .stored(StoredStateError(piece: "messages", cause: error))
        }
        try restoreSources(from: store)
        try continuity.restore(from: store)
        try coverage.restore(from: store)
        try hours.restore(from: store, changes: &changes)
        return abandoned
    }

    /// Takes the windows in that the state holds; the detector must have none.
    mutating func restoreWindows(
        from store: StateReader,
        changes: inout Changes
    ) throws(EngineRestoreError) -> [AlertID] {
        try forEach(store, .heldEvent, "events") { engine, key, body throws(BinaryReadError) in
            _ = try engine.detector.restore(.init(kind: .held, key: key, body: body))
        }
        var unknownGroups: [[UInt8]] = []
        var abandoned: [AlertID] = []
        try forEach(store, .group, "windows") { engine, key, body throws(BinaryReadError) in
            let piece = DetectionPiece(kind: .group, key: key, body: body)
            guard try !engine.detector.restore(piece) else { return }
            unknownGroups.append(key)
            if let alert = try Detector.openAlert(inGroup: body) { abandoned.append(alert) }
        }
        for key in unknownGroups { changes.removePiece(.group, key: key.span) }
        try forEach(store, .detectionClock, "clock") { engine, key, body throws(BinaryReadError) in
            _ = try engine.detector.restore(.init(kind: .clock, key: key, body: body))
        }
        detector.finishRestore()
        return abandoned
    }

    /// Goes on with other rules: windows whose rule, with all that it builds on, is as it was stay as
    /// they are.
    ///
    /// Everything must have been committed to `store`: the windows are read from there, as at a start.
    ///
    /// - Parameters:
    ///   - fresh: made of the new rules, with no event taken in.
    ///   - changes: gets what is to be removed because the rules changed.
    /// - Returns: the alerts that were open under rules which are not there any more, or not as they
    ///   were. When it throws, all is as it was.
    mutating func replaceDetector(
        _ fresh: consuming Detector,
        settings fresher: EngineSettings,
        from store: StateReader,
        changes: inout Changes
    ) throws(EngineRestoreError) -> [AlertID] {
        fresh.memory = detector.memory
        fresh.showsFacts = detector.showsFacts
        fresh.counters = detector.counters
        var old = consume fresh
        swap(&old, &detector)
        let abandoned: [AlertID]
        do {
            abandoned = try restoreWindows(from: store, changes: &changes)
        } catch {
            swap(&old, &detector)
            throw error
        }
        settings = fresher
        reader.wantsPayload = showsEvents || detector.usesPayload
        for serial in detector.takeReleased() { keeper.release(serial) }
        return abandoned
    }

    private mutating func restoreSources(
        from store: StateReader
    ) throws(EngineRestoreError) {
        unstoredSources = []
        var names: [UInt16: String] = [:]
        try forEach(store, .source, "sources") { _, key, body throws(BinaryReadError) in
            var reader = BinaryReader(key)
            let number = try reader.read(UInt16.self)
            try reader.finish()
            names[number] = String(decoding: body, as: UTF8.self)
        }
        if names.isEmpty, let first = try firstCursor(store) {
            // A state of version 1 has one source and does not name it.
            names[0] = first
            unstoredSources.insert(0)
        }
        numberSources(names)
        try forEach(store, .file, "files") { engine, key, body throws(BinaryReadError) in
            let source = try FileList.source(ofKey: key)
            try engine.change(source) { lane throws(BinaryReadError) in
                try lane.files.restore(key: key, body: body)
            }
        }
        try forEach(store, .laneClock, "clock") { engine, key, body throws(BinaryReadError) in
            var keyReader = BinaryReader(key)
            let source = SourceNumber(try keyReader.read(UInt16.self))
            try engine.change(source) { lane throws(BinaryReadError) in
                var reader = BinaryReader(body)
                try lane.restore(from: &reader)
                try reader.finish()
            }
        }
        try forEach(store, .engineClock, "clock") { engine, _, body throws(BinaryReadError) in
            var reader = BinaryReader(body)
            let version = try reader.read(UInt8.self)
            guard version == 1 || version == 2 else {
                throw BinaryReadError(offset: 0, expected: "version 1 or 2")
            }
            engine.restore(lineCount: try reader.read(UInt64.self))
            if version == 1 {
                try engine.change(SourceNumber(0)) { lane throws(BinaryReadError) in
                    try lane.resolver.restore(from: &reader)
                }
            }
            try reader.finish()
        }
    }

    private func firstCursor(_ store: StateReader) throws(EngineRestoreError) -> String? {
        do {
            return try store.cursors().first?.source
        } catch {
            throw .state(error)
        }
    }

    /// Gives each source the number that the state has for its name; a new one gets one that was
    /// never used. Sources that the settings do not name any more stay known to their records.
    private mutating func numberSources(_ names: [UInt16: String]) {
        var next = (names.keys.max() ?? 0) + (names.isEmpty ? 0 : 1)
        var numbers: [String: UInt16] = [:]
        for (number, name) in names.sorted(by: { $0.key < $1.key }) { numbers[name] = number }
        for index in lanes.indices {
            let known = numbers.removeValue(forKey: lanes[index].name)
            lanes[index].number = SourceNumber(known ?? next)
            if known == nil {
                unstoredSources.insert(next)
                next += 1
            }
        }
        for (name, number) in numbers.sorted(by: { $0.value < $1.value }) {
            retired.append(retiredLane(name, SourceNumber(number)))
        }
    }

    private mutating func change(
        _ source: SourceNumber,
        _ body: (inout Lane) throws(BinaryReadError) -> Void
    ) throws(BinaryReadError) {
        if let index = lanes.firstIndex(where: { $0.number == source }) {
            try body(&lanes[index])
        } else if let index = retired.firstIndex(where: { $0.number == source }) {
            try body(&retired[index])
        }
    }

    private mutating func forEach(
        _ store: StateReader,
        _ kind: PieceKind,
        _ name: String,
        _ body: (inout Engine, [UInt8], [UInt8]) throws(BinaryReadError) -> Void
    ) throws(EngineRestoreError) {
        var failure: BinaryReadError?
        do {
            try store.forEachPiece(kind) { key, bytes in
                do throws(BinaryReadError) {
                    try body(&self, copy(key), copy(bytes))
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
        } catch {
            throw .state(error)
        }
        if let failure { throw .stored(StoredStateError(piece: name, cause: failure)) }
    }
}

/// The stored state could not be taken in.
public enum EngineRestoreError: Error, Sendable {
    case state(StateError)
    case stored(StoredStateError)
}

private func copy(_ bytes: Span<UInt8>) -> [UInt8] {
    var array: [UInt8] = []
    array.reserveCapacity(bytes.count)
    for index in bytes.indices { array.append(bytes[index]) }
    return array
}
