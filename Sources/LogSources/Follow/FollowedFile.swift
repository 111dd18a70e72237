/// The life of one followed path. No I/O and no clock in here: what happened comes in, what to do
/// goes out.
///
/// A rotation in steps, as logrotate makes it with `create`: (1) `mail.log` is renamed, (2) a new
/// `mail.log` is made, (3) the writer is told. Until then it writes to the old file, and only what
/// the writer does tells that it has left: it closes the old file, or nothing comes to it any more
/// while the new one gets lines. So the old file stays open, is read to its end, and only then
/// comes the next; files that the path named meanwhile wait in their order.
public struct FollowedFile: Hashable, Sendable {
    public enum State: Hashable, Sendable {
        /// The path names nothing, and nothing is open.
        case absent
        /// The path names the file that is being read; no other is open.
        case following(FileKey)
        /// The path does not name `old`, which is being read. Those in `next` come after it, in
        /// their order; the path names the last of them if `isNamed`, and nothing otherwise.
        ///
        /// Invariant: `old` and `next` are all different, and `isNamed` implies that there is a
        /// next.
        case draining(old: FileKey, next: [FileKey], isNamed: Bool)
    }

    /// What the caller does with a file that it has just opened.
    public enum Opening: Hashable, Sendable {
        /// It was open before: close it again.
        case known
        /// Keep it open; its lines come when its turn comes.
        case hold
        /// Too many are held: close it again. The path will be looked at once more.
        case refuse
    }

    /// What comes after the end of the file that is being read.
    public enum Ending: Hashable, Sendable {
        /// More may come to it; ask again after a change, or after this time.
        case wait(atMostNanoseconds: UInt64?)
        /// It is done with: close it and read `next`.
        case next(FileKey, wasStillWritten: Bool)
    }

    /// What is known of the file that is being read, all of which has been read.
    public struct EndFacts: Hashable, Sendable {
        /// How long nothing has come to it.
        public var quietNanoseconds: UInt64
        /// A writer has closed it after it last grew.
        public var isClosed: Bool
        /// How long one of those that come after it has had bytes; nil: none has.
        public var nextFilledNanoseconds: UInt64?
        /// Nothing can come to it any more: it is a copy, or compressed.
        public var isComplete: Bool

        public init(
            quietNanoseconds: UInt64,
            isClosed: Bool,
            nextFilledNanoseconds: UInt64?,
            isComplete: Bool = false
        ) {
            self.quietNanoseconds = quietNanoseconds
            self.isClosed = isClosed
            self.nextFilledNanoseconds = nextFilledNanoseconds
            self.isComplete = isComplete
        }
    }

    public private(set) var state = State.absent
    private let limits: FollowLimits

    public init(limits: FollowLimits = FollowLimits()) { self.limits = limits }

    /// The file that is being read.
    public var reading: FileKey? {
        switch state {
        case .absent: nil
        case .following(let file): file
        case .draining(let old, _, _): old
        }
    }

    /// The files after it.
    public var waiting: [FileKey] {
        switch state {
        case .absent, .following: []
        case .draining(_, let next, _): next
        }
    }

    /// The file that the path named when it was last looked at.
    public var named: FileKey? {
        switch state {
        case .absent: nil
        case .following(let file): file
        case .draining(_, let next, let isNamed): isNamed ? next.last : nil
        }
    }

    // MARK: What the path says

    /// The path was looked at and names `file`.
    public mutating func pathNames(_ file: FileKey) -> Opening {
        switch state {
        case .absent:
            state = .following(file)
            return .hold
        case .following(let current):
            guard file != current else { return .known }
            state = .draining(old: current, next: [file], isNamed: true)
            return .hold
        case .draining(let old, var next, _):
            if file == old {
                // It was renamed back. What came meanwhile is older than what it gets from now on.
                guard let first = next.first else {
                    state = .following(old)
                    return .known
                }
                state = .draining(old: first, next: next.dropFirst() + [old], isNamed: true)
                return .known
            }
            if let index = next.firstIndex(of: file) {
                next.append(next.remove(at: index))
                state = .draining(old: old, next: next, isNamed: true)
                return .known
            }
            guard hasRoom(next) else { return .refuse }
            state = .draining(old: old, next: next + [file], isNamed: true)
            return .hold
        }
    }

    /// The path was looked at and names nothing that can be read.
    public mutating func pathNamesNothing() {
        switch state {
        case .absent: break
        case .following(let file): state = .draining(old: file, next: [], isNamed: false)
        case .draining(let old, let next, _):
            state = .draining(old: old, next: next, isNamed: false)
        }
    }

    /// `file` had been named between two looks, or while nobody looked: it is newer than all that
    /// are held, and what the path names now, which is told after it, is newer still.
    public mutating func foundRotated(_ file: FileKey) -> Opening {
        switch state {
        case .absent:
            state = .draining(old: file, next: [], isNamed: false)
            return .hold
        case .following(let current):
            guard file != current else { return .known }
            state = .draining(old: current, next: [file], isNamed: false)
            return .hold
        case .draining(let old, let next, _):
            guard file != old, !next.contains(file) else { return .known }
            guard hasRoom(next) else { return .refuse }
            state = .draining(old: old, next: next + [file], isNamed: false)
            return .hold
        }
    }

    // MARK: What the file says

    /// `file` was truncated, and `copy` was made of it before that: it has the rest of the lines
    /// that were in `file`, or lines that came to it later. The file's own lines come after it.
    ///
    /// - Parameter file: the one that is being read, or was when the first copy was found. Of
    ///   several copies, the oldest is told first.
    public mutating func foundCopy(_ copy: FileKey, of file: FileKey) -> Opening {
        switch state {
        case .absent:
            preconditionFailure("a file that is not read cannot be found truncated")
        case .following(let current):
            precondition(file == current)
            guard copy != file else { return .known }
            state = .draining(old: copy, next: [file], isNamed: true)
            return .hold
        case .draining(let old, var next, let isNamed):
            guard copy != old, !next.contains(copy) else { return .known }
            guard hasRoom(next) else { return .refuse }
            if file == old {
                state = .draining(old: copy, next: [old] + next, isNamed: isNamed)
                return .hold
            }
            guard let index = next.firstIndex(of: file) else {
                preconditionFailure("a file that is not held cannot be found truncated")
            }
            next.insert(copy, at: index)
            state = .draining(old: old, next: next, isNamed: isNamed)
            return .hold
        }
    }

    /// All of the file that is being read has been read, as far as it goes now.
    public mutating func reachedEnd(_ facts: EndFacts) -> Ending {
        switch state {
        case .absent, .following: return .wait(atMostNanoseconds: nil)
        case .draining(_, let next, let isNamed):
            // While nothing has come to those after it, nothing is late. But when no more can be
            // held, what comes after them could not be seen.
            let mayLeave = facts.isComplete || !hasRoom(next)
            guard let first = next.first,
                let filled = facts.nextFilledNanoseconds ?? (mayLeave ? 0 : nil)
            else { return .wait(atMostNanoseconds: nil) }
            let isQuiet =
                facts.isComplete || facts.isClosed
                || facts.quietNanoseconds >= limits.quietNanoseconds
            let isOverdue = filled >= limits.drainNanosecondsMax
            guard isQuiet || isOverdue else {
                let untilQuiet = limits.quietNanoseconds - facts.quietNanoseconds
                let untilOverdue = limits.drainNanosecondsMax - filled
                return .wait(atMostNanoseconds: min(untilQuiet, untilOverdue))
            }
            let rest = Array(next.dropFirst())
            state =
                rest.isEmpty && isNamed
                ? .following(first) : .draining(old: first, next: rest, isNamed: isNamed)
            return .next(first, wasStillWritten: !isQuiet)
        }
    }

    private func hasRoom(_ next: [FileKey]) -> Bool {
        next.count + 1 < FollowLimits.heldFilesMax
    }
}
