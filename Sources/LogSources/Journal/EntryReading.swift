import LinuxIO
import Records

/// What is done with an entry, wherever it comes from: it becomes a line, or is counted.
struct EntryReading: Sendable {
    let trust: JournalTrust
    private var line = EntryLine()
    /// Forged entries that were not told of yet, with the facts of the first.
    private(set) var forged: ForgedEntries?
    private(set) var suppressed: [SuppressedMessages] = []

    init(_ selection: JournalSelection, isLive: Bool) {
        trust = JournalTrust(
            selection,
            isLive: isLive,
            userIDs: JournalTrust.serverUserIDs()
        )
    }

    /// Puts the entry into the batch as a line, if it is one.
    ///
    /// - Parameter batch: must have room for a line.
    mutating func take(
        _ entry: borrowing JournalEntry,
        position: UInt64,
        into batch: inout Batch
    ) {
        if let note = suppression(in: entry) { suppressed.append(note) }
        switch trust.verdict(entry) {
        case .line:
            // A message may be missing; then there is nothing to read.
            guard entry.range(of: .message) != nil else { return }
            line.make(entry)
            batch.append(line, position: position)
        case .forged:
            batch.forgedCount += 1
            count(entry)
        case .passedOver: break
        }
    }

    private mutating func count(_ entry: borrowing JournalEntry) {
        if forged != nil {
            forged?.count += 1
            return
        }
        forged = ForgedEntries(
            count: 1,
            identifier: entry.text(.identifier) ?? entry.text(.command) ?? "",
            unit: entry.text(.unit),
            userID: entry.number(.userID).map { UInt32(clamping: $0) },
            command: entry.text(.command),
            microseconds: entry.eventMicroseconds
        )
    }

    mutating func takeForged() -> ForgedEntries? {
        defer { forged = nil }
        return forged
    }

    mutating func takeSuppressed() -> [SuppressedMessages] {
        defer { suppressed = [] }
        return suppressed
    }

    /// Reads "Suppressed N messages from UNIT", which only journald can write: `_TRANSPORT=driver` is
    /// a trusted field (systemd.journal-fields(7)). The number stands in `N_DROPPED` since systemd
    /// 239, and in the message; the unit in the message, or as that of the process it is about.
    private func suppression(in entry: borrowing JournalEntry) -> SuppressedMessages? {
        guard entry.has(.messageID, Self.droppedID), entry.has(.transport, Self.driver) else {
            return nil
        }
        let words = (entry.text(.message) ?? "").split(separator: " ")
        let count = entry.number(.droppedCount) ?? (words.count > 1 ? UInt64(words[1]) : nil) ?? 1
        let unit =
            (words.count == 5 ? String(words[4]) : nil) ?? entry.text(.priorUnit)
            ?? entry.text(.objectUnit) ?? ""
        guard trust.concerns(unit: unit) else { return nil }
        return SuppressedMessages(
            unit: unit,
            count: max(count, 1),
            microseconds: entry.realtimeMicroseconds
        )
    }

    /// `SD_MESSAGE_JOURNAL_DROPPED` in sd-messages.h.
    private static let droppedID = Array("a596d6fe7bfa4994828e72309e95d61e".utf8)
    private static let driver = Array("driver".utf8)
}

extension JournalEntry {
    /// A field's value as text; what is no UTF-8 is replaced.
    func text(_ field: Field) -> String? {
        range(of: field).map { String(decoding: storage[$0], as: UTF8.self) }
    }
}
