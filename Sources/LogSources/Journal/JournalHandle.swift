import CSystemd
import Glibc
import LinuxIO
import Records
import SystemPackage

/// An open journal: the fence around libsystemd's `sd_journal` (sd-journal(3)).
///
/// Moving it to another thread is what its owner must not do: "given sd_journal pointer may only be
/// used from one specific thread at all times" (sd-journal(3), Notes). So sources open it in the
/// first call that reads, on the thread that reads, and ``checkThread()`` stops the program if that
/// is ever not so. That, and that there is one owner, is why it may claim to be `Sendable`: the
/// claim is only needed because sources that do not hold one yet are moved to their thread.
///
/// Nothing that points into the journal leaves: fields and cursors are copied, since libsystemd
/// takes its memory maps back at the next call.
@safe
struct JournalHandle: ~Copyable, @unchecked Sendable {
    private let journal: OpaquePointer
    private let thread: pthread_t
    private let path: FilePath?

    /// What changed: see sd_journal_process(3).
    enum Change { case nothing, appended, invalidated }

    /// Opens what is readable of it. A journal of which nothing is readable is no error here: that is
    /// for ``JournalAccess`` to find out.
    init(_ place: JournalSelection.Place) throws(SystemCallError) {
        switch place {
        case .local:
            let flags = CInt(SD_JOURNAL_LOCAL_ONLY)
            try unsafe self.init(path: nil) { unsafe sd_journal_open($0, flags) }
        case .namespace("*"):
            let flags = CInt(SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_ALL_NAMESPACES)
            try unsafe self.init(path: nil) { unsafe sd_journal_open_namespace($0, nil, flags) }
        case .namespace(let name):
            let flags = CInt(SD_JOURNAL_LOCAL_ONLY)
            try unsafe self.init(path: nil) { unsafe sd_journal_open_namespace($0, name, flags) }
        case .directory(let folder):
            try unsafe self.init(path: folder) { journal in
                unsafe folder.withPlatformString {
                    unsafe sd_journal_open_directory(journal, $0, 0)
                }
            }
        case .files(let files):
            try self.init(files: files)
        }
    }

    /// Opens these files, merged; fails if one of them cannot be.
    init(files: [FilePath]) throws(SystemCallError) {
        try unsafe self.init(path: files.first) { journal in
            // SAFETY: the copies end with NUL, the list with nil; both live until they are freed.
            var names: [UnsafePointer<CChar>?] = unsafe files.map { file in
                unsafe file.withPlatformString { unsafe UnsafePointer(strdup($0)) }
            }
            unsafe names.append(nil)
            defer { unsafe names.forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) } }
            return unsafe names.withUnsafeMutableBufferPointer {
                unsafe sd_journal_open_files(journal, $0.baseAddress, 0)
            }
        }
    }

    private init(
        path: FilePath?,
        _ open: (UnsafeMutablePointer<OpaquePointer?>) -> CInt
    ) throws(SystemCallError) {
        var opened: OpaquePointer?
        let result = unsafe open(&opened)
        guard result >= 0, let journal = unsafe opened else {
            throw SystemCallError(call: .journalOpen, path: path, cause: Errno(rawValue: -result))
        }
        unsafe self.journal = unsafe journal
        thread = pthread_self()
        self.path = path
        // A message is cut to what fits into a line anyway; more is not decompressed.
        _ = unsafe sd_journal_set_data_threshold(journal, SourceLimits.lineBytesMax + 16)
    }

    deinit { unsafe sd_journal_close(journal) }

    /// Stops the program if this is not the thread that opened it.
    func checkThread() {
        precondition(pthread_equal(thread, pthread_self()) != 0)
    }

    private func check(_ result: CInt, _ call: SystemCall) throws(SystemCallError) -> CInt {
        if result >= 0 { return result }
        throw SystemCallError(call: call, path: path, cause: Errno(rawValue: -result))
    }

    // MARK: Moving

    /// Moves to the next entry. False at the end, where more may come.
    func next() throws(SystemCallError) -> Bool {
        try check(unsafe sd_journal_next(journal), .journalNext) > 0
    }

    /// Moves to the entry before. False at the start.
    func previous() throws(SystemCallError) -> Bool {
        try check(unsafe sd_journal_previous(journal), .journalNext) > 0
    }

    /// Leaves out entries that have none of the values that were added for a field
    /// (sd_journal_add_match(3)).
    func addMatch(field: String, value: String) throws(SystemCallError) {
        let text = Array((field + "=" + value).utf8)
        // SAFETY: the library copies the text (sd_journal_add_match(3): "data … size").
        let result = unsafe text.withUnsafeBufferPointer { bytes in
            unsafe sd_journal_add_match(journal, bytes.baseAddress, bytes.count)
        }
        _ = try check(result, .journalSeek)
    }

    /// Before the first entry.
    func seekHead() throws(SystemCallError) {
        _ = try check(unsafe sd_journal_seek_head(journal), .journalSeek)
    }

    /// Behind the last entry.
    func seekTail() throws(SystemCallError) {
        _ = try check(unsafe sd_journal_seek_tail(journal), .journalSeek)
    }

    /// Before the entry that the cursor names, or, if that is not there, before what comes after it.
    ///
    /// - Returns: false if the text is no cursor.
    func seek(cursor: String) throws(SystemCallError) -> Bool {
        let result = unsafe sd_journal_seek_cursor(journal, cursor)
        if result == -EINVAL { return false }
        _ = try check(result, .journalSeek)
        return true
    }

    /// Before the first entry of that time or a later one.
    func seek(realtimeMicroseconds: Int64) throws(SystemCallError) {
        let time = UInt64(max(0, realtimeMicroseconds))
        _ = try check(unsafe sd_journal_seek_realtime_usec(journal, time), .journalSeek)
    }

    /// Whether the present entry is the one that the cursor names (sd_journal_test_cursor(3)).
    func isAt(cursor: String) throws(SystemCallError) -> Bool {
        let result = unsafe sd_journal_test_cursor(journal, cursor)
        if result == -EINVAL { return false }
        return try check(result, .journalSeek) > 0
    }

    // MARK: The present entry

    /// Reads the present entry's fields and its time.
    ///
    /// - Returns: false when it is damaged, as far as that can be told: libsystemd leaves out
    ///   fields that it cannot read.
    func read(
        into entry: inout JournalEntry,
        matches: borrowing FieldMatches
    ) -> Bool {
        entry.removeAll()
        var time: UInt64 = 0
        guard unsafe sd_journal_get_realtime_usec(journal, &time) >= 0 else { return false }
        entry.realtimeMicroseconds = Int64(clamping: time)
        unsafe sd_journal_restart_data(journal)
        var data: UnsafeRawPointer?
        var count = 0
        while true {
            let result = unsafe sd_journal_enumerate_available_data(journal, &data, &count)
            if result == 0 { break }
            guard result > 0, let bytes = unsafe data else { return false }
            // SAFETY: "the data returned is in a read-only memory map and is only valid until the
            // next invocation" (sd_journal_get_data(3)); the span does not outlive this turn.
            let start = unsafe bytes.assumingMemoryBound(to: UInt8.self)
            let field = unsafe Span(_unsafeStart: start, count: count)
            guard let name = field.indices.first(where: { field[$0] == UInt8(ascii: "=") }) else {
                continue
            }
            entry.add(
                name: field.extracting(0..<name),
                value: field.extracting((name + 1)..<count),
                matches: matches
            )
        }
        return entry.range(of: .message) != nil || !isMessageUnreadable(entry)
    }

    /// Whether a message is missing that should be there. The syslog and stdout transports always
    /// write one; a field that this libsystemd cannot decompress is told of only when asked for.
    private func isMessageUnreadable(_ entry: borrowing JournalEntry) -> Bool {
        if entry.has(.transport, Self.syslog) || entry.has(.transport, Self.stdout) { return true }
        var data: UnsafeRawPointer?
        var count = 0
        let result = unsafe sd_journal_get_data(journal, "MESSAGE", &data, &count)
        return result < 0 && result != -ENOENT
    }

    private static let syslog = Array("syslog".utf8)
    private static let stdout = Array("stdout".utf8)

    /// Reads the present entry's cursor and time.
    func read(into address: inout JournalAddress) throws(SystemCallError) {
        var text: UnsafeMutablePointer<CChar>?
        _ = try check(unsafe sd_journal_get_cursor(journal, &text), .journalRead)
        guard let cursor = unsafe text else {
            throw SystemCallError(call: .journalRead, path: path, cause: .noMemory)
        }
        defer { unsafe free(cursor) }
        var time: UInt64 = 0
        _ = try check(unsafe sd_journal_get_realtime_usec(journal, &time), .journalRead)
        // SAFETY: libsystemd gave a string that ends with NUL, and it is freed after this.
        unsafe cursor.withMemoryRebound(to: UInt8.self, capacity: 1) { start in
            let span = unsafe Span(_unsafeStart: start, count: strlen(cursor))
            address.set(span, realtimeMicroseconds: Int64(clamping: time))
        }
    }

    // MARK: Changes

    /// The time of the oldest entry; nil when there is none.
    func oldestMicroseconds() -> Int64? {
        var oldest: UInt64 = 0
        guard unsafe sd_journal_get_cutoff_realtime_usec(journal, &oldest, nil) > 0 else {
            return nil
        }
        return Int64(clamping: oldest)
    }

    /// Begins to watch the journal. To be called before the first reading, so that no change falls
    /// between (sd_journal_get_fd(3)).
    func watch() throws(SystemCallError) {
        _ = try check(unsafe sd_journal_get_fd(journal), .journalOpen)
    }

    func add(to poll: inout PollSet) throws(SystemCallError) -> PollSet.Member {
        poll.add(libraryDescriptor: try check(unsafe sd_journal_get_fd(journal), .journalProcess))
    }

    /// When ``process()`` wants to be called at the latest, in monotonic nanoseconds; nil when only
    /// a change matters. Journals on a network file system have to be looked at.
    func deadlineNanoseconds() -> UInt64? {
        var microseconds: UInt64 = .max
        guard unsafe sd_journal_get_timeout(journal, &microseconds) >= 0,
            microseconds < .max / 1_000
        else { return nil }
        return microseconds * 1_000
    }

    /// Takes changes in: new files, and files that are gone.
    func process() throws(SystemCallError) -> Change {
        switch try check(unsafe sd_journal_process(journal), .journalProcess) {
        case CInt(SD_JOURNAL_APPEND): .appended
        case CInt(SD_JOURNAL_INVALIDATE): .invalidated
        default: .nothing
        }
    }
}
