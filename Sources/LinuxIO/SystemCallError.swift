public import SystemPackage

/// A system call failed. What to do depends on ``cause``; the rest is for the operator.
///
/// `EINTR` is never seen here: every call is repeated. `EBADF` and `EFAULT`, which only a mistake
/// of ours can give, stop the program instead.
public struct SystemCallError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call as section 2 of the manual names it.
    public let call: SystemCall
    /// What it was about; absent where there is no name, as with an eventfd.
    public let path: FilePath?
    /// Why.
    public let cause: Errno

    public init(call: SystemCall, path: FilePath?, cause: Errno) {
        self.call = call
        self.path = path
        self.cause = cause
    }

    /// As in `/var/log/mail.log: openat: Permission denied`. A path may hold any byte: escape it
    /// before it goes to a terminal.
    public var description: String {
        let place = path.map { $0.string + ": " } ?? ""
        return place + call.rawValue + ": " + cause.description
    }
}

/// The system calls that this room makes, by their names; and those calls of libsystemd that fail
/// with an errno (sd-journal(3)), so that they are told of alike.
public enum SystemCall: String, Hashable, Sendable, CaseIterable {
    case accept = "accept4"
    case bind
    case chmod = "fchmod"
    case chmodAt = "fchmodat"
    case connect
    case duplicate = "fcntl"
    case eventfd
    case fdatasync
    case flock
    case fstat
    case fstatat
    case fsync
    case ftruncate
    case getsockopt
    case inotifyAddWatch = "inotify_add_watch"
    case inotifyInit = "inotify_init1"
    case journalNext = "sd_journal_next"
    case journalOpen = "sd_journal_open"
    case journalProcess = "sd_journal_process"
    case journalRead = "sd_journal_enumerate_data"
    case journalSeek = "sd_journal_seek"
    case listFolder = "getdents64"
    case listen
    case lseek
    case mkdirat
    case openat
    case pipe = "pipe2"
    case poll
    case pread
    case read
    case readlinkat
    case renameat
    case send
    case signalfd
    case socket
    case spawn = "posix_spawn"
    case unlinkat
    case write
}
