import LogSources
import MailLog
import Records
import RingBuffer

extension FollowedSource {
    /// Begins to read the source on a thread of its own.
    ///
    /// - Parameters:
    ///   - cursor: where to go on.
    ///   - start: where a journal is begun without a cursor.
    ///   - table: where the source enters its files.
    func feed(
        _ cursor: Cursor?,
        start: JournalStart = .firstEntry,
        _ table: FileTable,
        scanner: LogScanner,
        tuning: FeedTuning,
        engineBell: Bell,
        stop: SourceStop
    ) throws(BellError) -> BatchFeed {
        switch kind {
        case .file(let path, let backfill):
            var place: FileCursor?
            if case .file(let stored) = cursor { place = stored }
            let source = FollowSource(path: path, cursor: place, backfill: backfill, files: table)
            return try BatchFeed(
                source,
                scanner: scanner,
                tuning: tuning,
                engineBell: engineBell,
                stop: stop
            )
        case .journal(let selection):
            var place: JournalCursor?
            if case .journal(let stored) = cursor { place = stored }
            let source = JournalSource(selection, cursor: place, start: start, files: table)
            return try BatchFeed(
                source,
                scanner: scanner,
                tuning: tuning,
                engineBell: engineBell,
                stop: stop
            )
        }
    }
}
