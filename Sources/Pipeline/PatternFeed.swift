import LinuxIO
public import LogSources
import RingBuffer
import Synchronization
import SystemPackage

/// A pattern of files of which each is a source.
public struct FollowedPattern: Sendable {
    public var pattern: FilePattern
    public var backfill: Backfill
    public var allowsDuplicate: Bool

    public init(pattern: FilePattern, backfill: Backfill, allowsDuplicate: Bool = false) {
        self.pattern = pattern
        self.backfill = backfill
        self.allowsDuplicate = allowsDuplicate
    }
}

extension FollowedPattern {
    /// A source for each of the files, named by its path.
    func sources(_ files: [FilePath]) -> [FollowedSource] {
        files.map { path in
            FollowedSource(
                name: path.string,
                kind: .file(path, backfill),
                allowsDuplicate: allowsDuplicate
            )
        }
    }

    /// A source for each file that matches now.
    public func sources() throws(SourceError) -> [FollowedSource] {
        sources(try pattern.matches().files)
    }
}

/// What a look at the patterns found.
enum PatternLook: Sendable {
    /// By pattern.
    case matches([FilePattern.Matches])
    case failed(SourceError)
}

/// Looks on a thread of its own which files the patterns mean, and rings when that changes.
final class PatternFeed: Sendable {
    private let look = Mutex<PatternLook?>(nil)
    private let thread = Mutex<WorkerThread?>(nil)

    /// Starts the thread; it ends when `stop` is rung.
    func start(_ patterns: [FilePattern], stop: SourceStop, bell: Bell) {
        let work = Mutex<PatternWatch?>(PatternWatch(patterns))
        let started = WorkerThread { [self] in
            guard var watch = work.withLock({ $0.take() }) else { return }
            var last: [FilePattern.Matches] = []
            var hasFailed = false
            while !stop.hasRung {
                do throws(SourceError) {
                    let matches = try watch.matches()
                    if matches != last || hasFailed { put(.matches(matches), bell) }
                    last = matches
                    hasFailed = false
                } catch {
                    if !hasFailed { put(.failed(error), bell) }
                    hasFailed = true
                }
                _ = try? watch.wait(stop: stop.counter)
            }
        }
        thread.withLock { $0 = started }
    }

    private func put(_ found: PatternLook, _ bell: Bell) {
        look.withLock { $0 = found }
        bell.ring()
    }

    /// Whether a look waits to be taken.
    var isReady: Bool { look.withLock { $0 != nil } }

    func take() -> PatternLook? {
        look.withLock { look in
            defer { look = nil }
            return look
        }
    }

    /// Waits until the thread has ended.
    func join() { thread.withLock { $0.take() }?.join() }
}
