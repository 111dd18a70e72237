public import SystemPackage

/// The state folder could not be opened, read or written.
///
/// What to do depends on `code`; the rest is for the operator: `description` names the path, what
/// failed, why, and the way out. A failed commit leaves the state as it was before it.
public struct StateError: Error, Sendable {
    public enum Code: Sendable, Hashable {
        /// There is no state in the folder, and the caller did not ask to make one.
        case missing
        /// Another process holds the folder; its process ID if its lock file tells.
        case locked(byPID: Int32?)
        /// We may not read or write here.
        case permissionDenied
        /// Others may write in the folder, which holds a secret seed and a signing key.
        case unsafeFolder
        /// An SQLite file of another program.
        case foreign
        /// Written by a later Postern: schema `found`, we know up to `known`.
        case newer(found: Int, known: Int)
        /// Of an earlier version; a reader cannot bring it up to date.
        case older(found: Int, known: Int)
        /// Damaged: SQLite says so, or a row does not have the digest it was written with.
        case corrupt
        /// No room left. The transaction was rolled back; the same changes may be tried again.
        case full
        /// The disk or the file system failed. The transaction was rolled back.
        case io
        /// The file system is mounted read-only, or the file may not be written.
        case readOnly
        /// Another connection held the file longer than we wait.
        case busy
        /// A single value over SQLite's limit of 10⁹ bytes.
        case tooLarge
        /// Any other result of SQLite: interrupted, out of memory, or a mistake of ours.
        case unexpected
    }

    /// Why it failed, as the system or SQLite said it.
    public enum Cause: Sendable, Hashable {
        /// A system call and its errno.
        case system(call: String, Errno)
        /// An extended result code of SQLite (<https://www.sqlite.org/rescode.html>), its text.
        case sqlite(code: Int32, message: String)
        /// What we found there ourselves.
        case found(String)
    }

    public let code: Code
    public let path: FilePath
    /// What was being done, as in "open the state" or "commit".
    public let operation: String
    public let cause: Cause

    init(_ code: Code, _ path: FilePath, _ operation: String, _ cause: Cause) {
        self.code = code
        self.path = path
        self.operation = operation
        self.cause = cause
    }
}

extension StateError: CustomStringConvertible {
    /// One paragraph: path, what failed, why, and the way out.
    public var description: String {
        let reason =
            switch cause {
            case .system(let call, let errno): "\(call): \(errno)"
            case .sqlite(let code, let message): "SQLite says \"\(message)\" (\(code))"
            case .found(let text): text
            }
        return "\(path): could not \(operation): \(reason); \(wayOut)"
    }

    /// What the operator can do about it.
    public var wayOut: String {
        switch code {
        case .missing:
            "start the daemon once, or name another state folder"
        case .locked(byPID: .some(let pid)):
            "stop process \(pid) (systemctl stop postern) or use another state folder"
        case .locked(byPID: .none):
            "stop the postern that uses this folder or use another one"
        case .permissionDenied:
            "run as the folder's owner, or give the folder to the user that runs postern"
        case .unsafeFolder:
            "chmod 0700 the folder, or choose one that postern alone writes to"
        case .foreign:
            "use another state folder, or move that file away; if it was postern's, `postern state rebuild`"
        case .newer:
            "install that version of postern again, or move the file away to start from nothing"
        case .older:
            "start the daemon once: it brings the state up to date"
        case .corrupt:
            """
            nothing was changed; `postern state rebuild` sets the file aside and reads the logs from \
            their first byte, rotated ones too
            """
        case .full:
            "make room on the disk; nothing is lost, what was not committed is read again"
        case .io:
            "look at the disk (dmesg); nothing is lost that the logs still hold"
        case .readOnly:
            "mount the file system for writing, or use another state folder"
        case .busy:
            "close the program that holds the file open (fuser shows it) and try again"
        case .tooLarge:
            "lower the memory limits in the settings"
        case .unexpected:
            "try again; if it stays, report it with this line"
        }
    }
}
