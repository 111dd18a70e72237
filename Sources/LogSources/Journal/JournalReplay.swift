import LinuxIO
import Records
import SystemPackage

/// Journal files that are read from their first entry to their last, merged by libsystemd into one
/// order. They need not be this machine's.
struct JournalReplay: ~Copyable, Sendable {
    private let journal: JournalHandle
    private let files: [ReadableJournalFile]
    private let calls: SystemCalls
    private var reading: EntryReading
    private var entry = JournalEntry()
    private var present = JournalAddress()
    private var isWaiting = false
    /// Entries that libsystemd gave, and of those, such that could not be read.
    private var entryCount: UInt64 = 0
    private var unreadableCount: UInt64 = 0
    private var countedNumber: UInt64 = 0

    /// Opens what can be opened.
    ///
    /// - Parameter notes: told of what cannot.
    /// - Returns: nil when that is nothing.
    init?(
        _ paths: [FilePath],
        _ selection: JournalSelection,
        calls: SystemCalls,
        notes: inout [SourceNote]
    ) {
        var files: [ReadableJournalFile] = []
        for path in paths {
            do {
                let file = try ReadableJournalFile(path, calls: calls)
                // One that libsystemd refuses would keep it from opening the others.
                _ = try ReadableJournalFile.open([file], calls: calls)
                if file.isTruncated { notes.append(Self.note(path, .journalTruncated)) }
                files.append(file)
            } catch {
                notes.append(Self.note(path, .unreadable(error)))
            }
        }
        guard let first = files.first else { return nil }
        do throws(SystemCallError) {
            let journal = try ReadableJournalFile.open(files, calls: calls)
            try journal.seekHead()
            self.journal = journal
        } catch {
            notes.append(Self.note(first.path, .unreadable(error)))
            return nil
        }
        self.files = files
        self.calls = calls
        reading = EntryReading(selection, isLive: false)
    }

    private static func note(_ path: FilePath, _ damage: SourceProblem.Damage) -> SourceNote {
        .damaged(
            SourceProblem(
                path: path,
                damage: damage,
                fileOffset: 0,
                textOffset: 0,
                withheldBytes: 0
            )
        )
    }

    /// Fills `batch` with lines of one sequence.
    ///
    /// - Returns: whether there is nothing more.
    mutating func fill(
        _ batch: inout Batch,
        _ sequences: inout JournalSequences,
        _ table: FileTable,
        notes: inout [SourceNote]
    ) -> Bool {
        batch.removeAll()
        journal.checkThread()
        while batch.hasRoomForLine {
            do throws(SystemCallError) {
                if !isWaiting {
                    guard try journal.next() else {
                        tellRest(&notes)
                        return true
                    }
                    try journal.read(into: &present)
                    isWaiting = true
                }
            } catch {
                notes.append(Self.note(files[0].path, .unreadable(error)))
                tellRest(&notes)
                return true
            }
            let file = sequences.file(of: present.sequenceID, in: table)
            if batch.file != file, !batch.lines.isEmpty { return false }
            batch.file = file
            isWaiting = false
            take(&batch)
            for suppressed in reading.takeSuppressed() { notes.append(.suppressed(suppressed)) }
        }
        return false
    }

    private mutating func take(_ batch: inout Batch) {
        entryCount += 1
        countedNumber += 1
        guard journal.read(into: &entry, matches: reading.trust.matches) else {
            unreadableCount += 1
            return
        }
        let position = present.number > 0 ? present.number : countedNumber
        reading.take(entry, position: position, into: &batch)
    }

    /// The first line of the files, or the last.
    mutating func line(isLast: Bool) -> [UInt8]? {
        var batch = Batch(byteCapacity: 2 * SourceLimits.lineBytesMax, lineCapacity: 1)
        do throws(SystemCallError) {
            if isLast { try journal.seekTail() }
            while batch.lines.isEmpty {
                guard try isLast ? journal.previous() : journal.next() else { return nil }
                take(&batch)
            }
        } catch {
            return nil
        }
        return Array(batch.bytes[..<Int(batch.lines[0].length)])
    }

    // MARK: At the end

    private mutating func tellRest(_ notes: inout [SourceNote]) {
        if let forged = reading.takeForged() { notes.append(.forged(forged)) }
        if unreadableCount > 0 {
            notes.append(Self.note(files[0].path, .entriesUnreadable(unreadableCount)))
        }
        // What libsystemd cannot follow it leaves out, and says nothing. Entries that are in two
        // files are given once, so when some are missing, each file is asked alone.
        let expected = files.reduce(0) { $0 + $1.head.entryCount }
        guard entryCount < expected else { return }
        for file in files {
            let count = countEntries(of: file)
            if count < file.head.entryCount {
                let missing = file.head.entryCount - count
                notes.append(Self.note(file.path, .entriesUnreadable(missing)))
            }
        }
    }

    private func countEntries(of file: ReadableJournalFile) -> UInt64 {
        guard let journal = try? ReadableJournalFile.open([file], calls: calls) else { return 0 }
        var count: UInt64 = 0
        guard (try? journal.seekHead()) != nil else { return 0 }
        while (try? journal.next()) == true { count += 1 }
        return count
    }
}
