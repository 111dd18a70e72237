import LinuxIO
import RingBuffer
import Synchronization

/// Why a report could not be made, in one line that is safe to show.
public struct ReportError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    public init(description: String) { self.description = description }
}

/// Makes reports on a thread of its own, so that no line waits for pages, and rings when they are
/// there.
final class ReportFeed: Sendable {
    /// What an order came to.
    struct Made: Sendable {
        var order: ReportOrder
        var result: Result<[UInt8], ReportError>
    }

    private let bell: Bell
    private let made = Mutex<[Made]>([])
    private let isDone = Atomic(false)
    private let thread = Mutex<WorkerThread?>(nil)

    init(bell: Bell) { self.bell = bell }

    /// Whether something was made and not taken yet.
    var isReady: Bool { isDone.load(ordering: .acquiring) }

    /// From a start until what was made is taken.
    var isBusy: Bool { thread.withLock { $0 != nil } }

    /// - Precondition: it is not busy.
    func start(
        _ orders: [ReportOrder],
        _ make: @escaping @Sendable (ReportOrder) throws(ReportError) -> [UInt8]
    ) {
        let started = WorkerThread { [self] in
            for order in orders {
                let result: Result<[UInt8], ReportError>
                do throws(ReportError) {
                    result = .success(try make(order))
                } catch {
                    result = .failure(error)
                }
                made.withLock { $0.append(Made(order: order, result: result)) }
            }
            isDone.store(true, ordering: .releasing)
            bell.ring()
        }
        thread.withLock { $0 = started }
    }

    func take() -> [Made] {
        guard isDone.exchange(false, ordering: .acquiringAndReleasing) else { return [] }
        join()
        return made.withLock { made in
            defer { made = [] }
            return made
        }
    }

    func join() { thread.withLock({ $0.take() })?.join() }
}
