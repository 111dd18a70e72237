public import MailEvents
import Records

/// Names an event that a window or an alert holds, across restarts.
@frozen
public struct HeldID: Hashable, Comparable, Sendable {
    public var rawValue: UInt64

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// An event that somebody still needs, with what was known before it.
public struct HeldEvent: Sendable {
    public var event: SendEvent
    /// The assembly that it came from.
    public var serial: UInt64
    public var recipient: UInt32
    /// The blocklist because of which it was refused, as the reply named it.
    public var blocklist: String?
    /// About how much memory it takes.
    var byteCount: Int { event.text.count + 320 }
}

/// The events that windows and alerts hold, each once however many hold it.
struct HeldEvents: Sendable {
    /// Where each event lies. A dictionary of the events themselves would have room for twice as
    /// many.
    private var slots: [HeldID: Int32] = [:]
    private var events = ChunkedArray<HeldEvent?>()
    /// How many windows and alerts hold each.
    private var uses = ChunkedArray<UInt32>()
    private var freeSlots: [Int32] = []
    /// By assembly: the slot of its newest event; ``nextOfAssembly`` has the others.
    private var byAssembly: [UInt64: Int32] = [:]
    private var nextOfAssembly = ChunkedArray<Int32>()
    private var idOfSlot = ChunkedArray<HeldID>()
    private var nextID: UInt64 = 1
    private(set) var byteCount = 0
    /// False: nobody asks for changes, so none are noted.
    var notesChanges = true
    private(set) var changed: [HeldID] = []
    private(set) var released: [(id: HeldID, serial: UInt64)] = []
    /// Events that were taken in since ``takeNewCount()``.
    private var newCount = 0
    /// Serials of events that were let go since ``takeReleasedSerials()``.
    private var releasedSerials: [UInt64] = []

    subscript(id: HeldID) -> HeldEvent? { slots[id].flatMap { events[Int($0)] } }

    func contains(_ id: HeldID) -> Bool { slots[id] != nil }

    private mutating func place(_ held: HeldEvent, _ id: HeldID) {
        let next = byAssembly[held.serial] ?? -1
        let slot: Int32
        if let free = freeSlots.popLast() {
            slot = free
            events[Int(slot)] = held
            uses[Int(slot)] = 0
            nextOfAssembly[Int(slot)] = next
            idOfSlot[Int(slot)] = id
        } else {
            slot = Int32(events.count)
            events.append(held)
            uses.append(0)
            nextOfAssembly.append(next)
            idOfSlot.append(id)
        }
        slots[id] = slot
        byAssembly[held.serial] = slot
    }

    /// Takes a slot out of the list of its assembly.
    private mutating func unlink(_ slot: Int32, _ serial: UInt64) {
        let next = nextOfAssembly[Int(slot)]
        guard var before = byAssembly[serial] else { return }
        if before == slot {
            byAssembly[serial] = next < 0 ? nil : next
            return
        }
        while nextOfAssembly[Int(before)] != slot {
            before = nextOfAssembly[Int(before)]
            guard before >= 0 else { return }
        }
        nextOfAssembly[Int(before)] = next
    }

    /// Takes an event in, with no use yet.
    mutating func insert(_ event: SendEvent, serial: UInt64, recipient: UInt32) -> HeldID {
        let id = HeldID(nextID)
        nextID += 1
        let held = HeldEvent(event: event.compacted(), serial: serial, recipient: recipient)
        place(held, id)
        byteCount += held.byteCount
        if notesChanges { changed.append(id) }
        newCount += 1
        return id
    }

    mutating func takeNewCount() -> Int {
        defer { newCount = 0 }
        return newCount
    }

    mutating func takeReleasedSerials() -> [UInt64] {
        guard !releasedSerials.isEmpty else { return [] }
        defer { releasedSerials.removeAll(keepingCapacity: true) }
        return releasedSerials
    }

    /// - Returns: false when there is no such event.
    @discardableResult
    mutating func use(_ id: HeldID) -> Bool {
        guard let slot = slots[id] else { return false }
        uses[Int(slot)] += 1
        return true
    }

    /// Gives a use back; at the last one the event is let go.
    mutating func giveBack(_ id: HeldID) {
        guard let slot = slots[id] else { return }
        if uses[Int(slot)] > 1 {
            uses[Int(slot)] -= 1
            return
        }
        drop(id)
    }

    /// Lets an event go that was just taken in and that nobody came to use.
    mutating func dropIfUnused(_ id: HeldID) {
        guard let slot = slots[id], uses[Int(slot)] == 0 else { return }
        drop(id)
        releasedSerials.removeLast()
        newCount -= 1
    }

    private mutating func drop(_ id: HeldID) {
        guard let slot = slots.removeValue(forKey: id), let held = events[Int(slot)] else { return }
        unlink(slot, held.serial)
        events[Int(slot)] = nil
        freeSlots.append(slot)
        byteCount -= held.byteCount
        if notesChanges { released.append((id, held.serial)) }
        releasedSerials.append(held.serial)
    }

    /// The held event of an assembly's recipient.
    func id(serial: UInt64, recipient: UInt32) -> HeldID? {
        var slot = byAssembly[serial] ?? -1
        while slot >= 0 {
            if events[Int(slot)]?.recipient == recipient { return idOfSlot[Int(slot)] }
            slot = nextOfAssembly[Int(slot)]
        }
        return nil
    }

    mutating func settle(
        _ id: HeldID,
        delivery: Delivery,
        microseconds: Int64,
        blocklist: String?
    ) {
        guard let slot = slots[id] else { return }
        events[Int(slot)]?.event.delivery = delivery
        events[Int(slot)]?.event.settledMicroseconds = microseconds
        if let blocklist { events[Int(slot)]?.blocklist = blocklist }
        if notesChanges { changed.append(id) }
    }

    mutating func clearChanges() {
        changed.removeAll(keepingCapacity: true)
        released.removeAll(keepingCapacity: true)
    }

    // MARK: Stored form

    func write(_ id: HeldID, to writer: inout BinaryWriter) -> Bool {
        guard let held = self[id] else { return false }
        writer.write(UInt8(2))
        writer.write(held.serial)
        writer.write(held.recipient)
        held.event.write(to: &writer)
        writer.write(held.blocklist ?? "")
        return true
    }

    mutating func restore(_ id: HeldID, from reader: inout BinaryReader) throws(BinaryReadError) {
        let version = try reader.read(UInt8.self)
        guard version == 1 || version == 2 else {
            throw BinaryReadError(offset: 0, expected: "an event of version 1 or 2")
        }
        let serial = try reader.read(UInt64.self)
        let recipient = try reader.read(UInt32.self)
        var held = HeldEvent(
            event: try SendEvent(from: &reader),
            serial: serial,
            recipient: recipient
        )
        if version > 1 {
            let blocklist = try reader.readString()
            if !blocklist.isEmpty { held.blocklist = blocklist }
        }
        place(held, id)
        byteCount += held.byteCount
        nextID = max(nextID, id.rawValue + 1)
    }

    /// After a restore: forgets what no restored window or alert uses.
    mutating func dropUnused() {
        let unused = slots.filter { uses[Int($0.value)] == 0 }.map(\.key).sorted()
        for id in unused { drop(id) }
    }
}
