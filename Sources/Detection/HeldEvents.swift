public import MailEvents
import Records

/// Names an event that a window or an alert holds, across restarts.
@frozen
public struct HeldID: Hashable, Comparable, Sendable {
    public var rawValue: UInt64

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// At a million a second there would be more after nine years.
    static let max: UInt64 = 1 << 48 - 1

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
}

/// Finds the slots of things by their numbers, in 4 bytes a place: open addressing with linear
/// probing. The numbers are given out one after the other; times the golden ratio, they lie evenly
/// with gaps between them (Knuth, TAOCP 6.4), where they themselves would make one long run.
///
/// Invariant: between a slot's home and its place no place is empty; at most seven eighths are full.
private struct SlotIndex: Sendable {
    /// A slot + 1, or 0.
    private var places: [Int32] = []
    private var count = 0

    private var mask: Int { places.count - 1 }

    private static func home(_ number: UInt64, _ mask: Int) -> Int {
        Int(truncatingIfNeeded: (number &* 0x9e37_79b9_7f4a_7c15) >> 32) & mask
    }

    private func place(_ number: UInt64, _ numbers: borrowing ChunkedArray<UInt64>) -> Int? {
        guard !places.isEmpty else { return nil }
        var place = Self.home(number, mask)
        while places[place] != 0 {
            if numbers[Int(places[place] - 1)] == number { return place }
            place = (place + 1) & mask
        }
        return nil
    }

    /// - Parameter numbers: by slot.
    func slot(_ number: UInt64, _ numbers: borrowing ChunkedArray<UInt64>) -> Int32? {
        place(number, numbers).map { places[$0] - 1 }
    }

    /// Enters a slot, in place of another with the same number if there is one.
    mutating func set(_ slot: Int32, _ numbers: borrowing ChunkedArray<UInt64>) {
        let number = numbers[Int(slot)]
        if let place = place(number, numbers) {
            places[place] = slot + 1
            return
        }
        if (count + 1) * 8 > places.count * 7 { grow(numbers) }
        put(slot, number)
        count += 1
    }

    private mutating func put(_ slot: Int32, _ number: UInt64) {
        var place = Self.home(number, mask)
        while places[place] != 0 { place = (place + 1) & mask }
        places[place] = slot + 1
    }

    private mutating func grow(_ numbers: borrowing ChunkedArray<UInt64>) {
        let old = places
        places = [Int32](repeating: 0, count: max(16, old.count * 2))
        for entry in old where entry != 0 { put(entry - 1, numbers[Int(entry - 1)]) }
    }

    /// Empties a place and moves those behind it that would not be found any more (Knuth, TAOCP 6.4,
    /// algorithm R).
    mutating func remove(_ number: UInt64, _ numbers: borrowing ChunkedArray<UInt64>) {
        guard var hole = place(number, numbers) else { return }
        count -= 1
        var next = (hole + 1) & mask
        while places[next] != 0 {
            let home = Self.home(numbers[Int(places[next] - 1)], mask)
            if (next - home) & mask >= (next - hole) & mask {
                places[hole] = places[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        places[hole] = 0
    }
}

/// The events that windows and alerts hold, each once however many hold it.
struct HeldEvents: Sendable {
    /// By slot; what belongs to one event lies apart, so that nothing is lost to alignment.
    private var events = ChunkedArray<SendEvent?>()
    private var ids = ChunkedArray<UInt64>()
    private var serials = ChunkedArray<UInt64>()
    private var recipients = ChunkedArray<UInt32>()
    /// How many windows and alerts hold each.
    private var uses = ChunkedArray<UInt32>()
    private var nextOfAssembly = ChunkedArray<Int32>()
    /// Few replies name a blocklist.
    private var blocklists: [Int32: String] = [:]
    private var freeSlots: [Int32] = []
    /// By ``ids``: where each event lies.
    private var slots = SlotIndex()
    /// By ``serials``: the slot of an assembly's newest event; ``nextOfAssembly`` has the others.
    private var newest = SlotIndex()
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

    private func slot(_ id: HeldID) -> Int32? { slots.slot(id.rawValue, ids) }

    subscript(id: HeldID) -> HeldEvent? {
        guard let slot = slot(id), let event = events[Int(slot)] else { return nil }
        return HeldEvent(
            event: event,
            serial: serials[Int(slot)],
            recipient: recipients[Int(slot)],
            blocklist: blocklists[slot]
        )
    }

    func contains(_ id: HeldID) -> Bool { slot(id) != nil }

    /// About how much memory an event takes.
    private static func byteCount(_ event: SendEvent) -> Int { event.text.count + 320 }

    private mutating func place(
        _ event: SendEvent,
        serial: UInt64,
        recipient: UInt32,
        blocklist: String?,
        _ id: HeldID
    ) {
        let next = newest.slot(serial, serials) ?? -1
        let slot: Int32
        if let free = freeSlots.popLast() {
            slot = free
            events[Int(slot)] = event
            ids[Int(slot)] = id.rawValue
            serials[Int(slot)] = serial
            recipients[Int(slot)] = recipient
            uses[Int(slot)] = 0
            nextOfAssembly[Int(slot)] = next
        } else {
            slot = Int32(events.count)
            events.append(event)
            ids.append(id.rawValue)
            serials.append(serial)
            recipients.append(recipient)
            uses.append(0)
            nextOfAssembly.append(next)
        }
        if let blocklist { blocklists[slot] = blocklist }
        slots.set(slot, ids)
        newest.set(slot, serials)
        byteCount += Self.byteCount(event)
    }

    /// Takes a slot out of the list of its assembly.
    private mutating func unlink(_ slot: Int32) {
        let serial = serials[Int(slot)]
        let next = nextOfAssembly[Int(slot)]
        guard var before = newest.slot(serial, serials) else { return }
        if before == slot {
            if next < 0 { newest.remove(serial, serials) } else { newest.set(next, serials) }
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
        place(event.compacted(), serial: serial, recipient: recipient, blocklist: nil, id)
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
        guard let slot = slot(id) else { return false }
        uses[Int(slot)] += 1
        return true
    }

    /// Gives a use back; at the last one the event is let go.
    mutating func giveBack(_ id: HeldID) {
        guard let slot = slot(id) else { return }
        if uses[Int(slot)] > 1 {
            uses[Int(slot)] -= 1
            return
        }
        drop(id)
    }

    /// Lets an event go that was just taken in and that nobody came to use.
    mutating func dropIfUnused(_ id: HeldID) {
        guard let slot = slot(id), uses[Int(slot)] == 0 else { return }
        drop(id)
        releasedSerials.removeLast()
        newCount -= 1
    }

    private mutating func drop(_ id: HeldID) {
        guard let slot = slot(id), let event = events[Int(slot)] else { return }
        let serial = serials[Int(slot)]
        unlink(slot)
        slots.remove(id.rawValue, ids)
        events[Int(slot)] = nil
        if !blocklists.isEmpty { blocklists[slot] = nil }
        freeSlots.append(slot)
        byteCount -= Self.byteCount(event)
        if notesChanges { released.append((id, serial)) }
        releasedSerials.append(serial)
    }

    /// The held event of an assembly's recipient.
    func id(serial: UInt64, recipient: UInt32) -> HeldID? {
        var slot = newest.slot(serial, serials) ?? -1
        while slot >= 0 {
            if recipients[Int(slot)] == recipient { return HeldID(ids[Int(slot)]) }
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
        guard let slot = slot(id) else { return }
        events[Int(slot)]?.delivery = delivery
        events[Int(slot)]?.settledMicroseconds = microseconds
        if let blocklist { blocklists[slot] = blocklist }
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
        // As it was held before: the bound counts the same bytes.
        let event = try SendEvent(from: &reader).compacted()
        let blocklist = version > 1 ? try reader.readString() : ""
        guard !contains(id), id.rawValue <= HeldID.max else {
            throw BinaryReadError(offset: 0, expected: "the event \(id.rawValue) once")
        }
        place(
            event,
            serial: serial,
            recipient: recipient,
            blocklist: blocklist.isEmpty ? nil : blocklist,
            id
        )
        nextID = max(nextID, id.rawValue + 1)
    }

    /// After a restore: forgets what no restored window or alert uses.
    mutating func dropUnused() {
        var unused: [HeldID] = []
        for slot in 0..<events.count where events[slot] != nil && uses[slot] == 0 {
            unused.append(HeldID(ids[slot]))
        }
        unused.sort()
        for id in unused { drop(id) }
    }
}
