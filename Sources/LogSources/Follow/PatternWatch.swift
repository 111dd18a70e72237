public import LinuxIO
import SystemPackage

/// Tells when the files of patterns may have become others, by events of their folders and by a
/// periodic look.
///
/// One thread calls it: ``matches()``, then ``wait(stop:atMost:)``, and again.
public struct PatternWatch: ~Copyable, Sendable {
    public let patterns: [FilePattern]
    private let limits: FollowLimits
    private let calls: SystemCalls
    private var watch: FileWatch?
    private var folders: [FileWatch.ID] = []
    private var isWatched = true

    /// - Parameter limits: how often is looked without any event.
    public init(
        _ patterns: [FilePattern],
        limits: FollowLimits = FollowLimits(),
        calls: SystemCalls = SystemCalls()
    ) {
        self.patterns = patterns
        self.limits = limits
        self.calls = calls
        watch = try? FileWatch(calls: calls)
        isWatched = watch != nil
    }

    /// What each of ``patterns`` matches now, in their order.
    ///
    /// The folders are watched before they are read, so that what changes meanwhile ends the next
    /// wait.
    ///
    /// - Throws: when a folder cannot be read. It may be called again.
    public mutating func matches() throws(SourceError) -> [FilePattern.Matches] {
        var all: [FilePattern.Matches] = []
        for pattern in patterns { all.append(try pattern.matches(calls)) }
        let paths = all.flatMap(\.folders)
        if watchFolders(paths) {
            // Read again what may have changed before it was watched.
            for index in patterns.indices { all[index] = try patterns[index].matches(calls) }
        }
        return all
    }

    /// - Returns: whether a folder is watched that was not before.
    private mutating func watchFolders(_ paths: [FilePath]) -> Bool {
        var ids: [FileWatch.ID] = []
        for path in paths {
            do {
                let id = try watch?.add(
                    path,
                    [.created, .movedFrom, .movedTo, .deleted, .deletedSelf, .movedSelf]
                )
                if let id { ids.append(id) }
            } catch {
                // Without events, it is looked at more often.
                if error.cause != .noSuchFileOrDirectory { isWatched = false }
            }
        }
        for old in folders where !ids.contains(old) { watch?.remove(old) }
        let isNew = ids.contains { !folders.contains($0) }
        folders = ids
        return isNew
    }

    /// Waits until the files may have become others.
    ///
    /// - Parameters:
    ///   - stop: ends the wait when it is rung; it is not cleared here.
    ///   - nanoseconds: how long at most; nil: until the periodic look is due.
    public mutating func wait(
        stop: borrowing EventCounter,
        atMost nanoseconds: UInt64? = nil
    ) throws(SourceError) -> Wake {
        do throws(SystemCallError) {
            let interval = isWatched ? limits.lookNanoseconds : limits.lookUnwatchedNanoseconds
            var poll = PollSet()
            let stopMember = poll.add(stop)
            if let watch = watch.take() {
                _ = poll.add(watch)
                self.watch = consume watch
            }
            let isReady = try poll.wait(
                atMost: min(interval, nanoseconds ?? .max),
                calls: calls
            )
            if isReady, poll.isReady(stopMember) { return .stopped }
            guard isReady, var watch = watch.take() else { return .timeout }
            let taken = Result { () throws(SystemCallError) in try watch.takeEvents { _ in } }
            self.watch = consume watch
            try taken.get()
            return .changed
        } catch {
            throw SourceError(error)
        }
    }
}
