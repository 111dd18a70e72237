import Detection
import LinuxIO
import MailLog
import MailText
import Memory
import Records
import RingBuffer
import SafeText
import Sigma
import Synchronization

/// What reading settings and rules again came to.
public enum Reloaded: Sendable {
    /// Mistakes, one line each, safe to show; the old ones stay in force.
    case refused([String])
    case read(Fresh)

    public struct Fresh: Sendable {
        public var configuration: DaemonConfiguration
        /// The sinks or what goes to them are not as they were.
        public var hasOtherSinks: Bool
        /// Sources that were not followed before.
        public var newSources: [FollowedSource]
        /// Settings that changed and wait for a restart, with what they are about.
        public var untilRestart: [String]

        public init(
            configuration: DaemonConfiguration,
            hasOtherSinks: Bool,
            newSources: [FollowedSource],
            untilRestart: [String]
        ) {
            self.configuration = configuration
            self.hasOtherSinks = hasOtherSinks
            self.newSources = newSources
            self.untilRestart = untilRestart
        }
    }
}

/// Checked and compiled: what is left is to put it in place.
struct LoadedConfiguration: ~Copyable, Sendable {
    enum Result: Sendable {
        case refused([String])
        case read(Reloaded.Fresh, ReceiptTable)
    }

    var result: Result
    /// Made of the new rules; nil when they were refused.
    var detector: Detector?
}

/// Reads and compiles settings and rules on a thread of its own, so that thousands of rules hold no
/// line up, and rings when that is done.
final class ReloadFeed: Sendable {
    private let bell: Bell
    private let result = Mutex<LoadedConfiguration.Result?>(nil)
    private let detector = Mutex<Detector?>(nil)
    private let isDone = Atomic(false)
    private let thread = Mutex<WorkerThread?>(nil)

    init(bell: Bell) { self.bell = bell }

    /// Whether something was read and not taken yet.
    var isReady: Bool { isDone.load(ordering: .acquiring) }

    /// Whether a reload goes on: from its start until it is taken.
    var isBusy: Bool { thread.withLock { $0 != nil } }

    /// - Precondition: none goes on.
    func start(seed: HashSeed, _ reload: @escaping @Sendable () -> Reloaded) {
        let started = WorkerThread { [self] in
            compile(reload(), seed)
            isDone.store(true, ordering: .releasing)
            bell.ring()
        }
        thread.withLock { $0 = started }
    }

    func take() -> LoadedConfiguration? {
        guard isDone.exchange(false, ordering: .acquiringAndReleasing) else { return nil }
        join()
        guard let result = result.withLock({ $0.take() }) else { return nil }
        return LoadedConfiguration(result: result, detector: detector.withLock { $0.take() })
    }

    func join() { thread.withLock({ $0.take() })?.join() }

    private func compile(_ reloaded: Reloaded, _ seed: HashSeed) {
        let fresh: Reloaded.Fresh
        switch reloaded {
        case .refused(let mistakes): return put(.refused(mistakes))
        case .read(let read): fresh = read
        }
        let settings = fresh.configuration.engine
        let receipts: ReceiptTable
        do {
            receipts = try ReceiptTable(
                notRead: settings.notReadPrefixes,
                read: settings.readPrefixes
            )
        } catch {
            return put(.refused(["receipts: \(shown("\(error)"))"]))
        }
        let zone = settings.timeZone.rules()
        var mistakes: [Mistake] = []
        // Made in its place: it cannot be moved out of a closure.
        detector.withLock {
            $0 = Detector(
                rules: settings.rules,
                memory: AccountMemory(seed: seed, limits: settings.memory),
                limits: settings.detection,
                zone: zone.secondsEast,
                mistakes: &mistakes
            )
        }
        put(
            mistakes.isEmpty
                ? .read(fresh, receipts)
                : .refused(mistakes.map { shownKeepingBackslashes("\($0)") })
        )
    }

    private func put(_ result: LoadedConfiguration.Result) {
        self.result.withLock { $0 = result }
    }
}
