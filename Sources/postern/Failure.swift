import Glibc
import SafeText

/// Exit statuses (architecture §8; sysexits.h for those from 64 on).
enum ExitStatus: Int32 {
    case failed = 1
    case alerts = 2
    case usage = 64
    case badData = 65
    case noInput = 66
    case settings = 78
}

/// What ends a command before its work is done.
struct Failure: Error {
    let status: ExitStatus
    /// One line each, without `postern: `; safe to show.
    let messages: [String]

    init(_ status: ExitStatus, _ messages: String...) {
        self.status = status
        self.messages = messages
    }

    init(_ status: ExitStatus, all messages: [String]) {
        self.status = status
        self.messages = messages
    }

    /// Not one line of the input was a mail server's.
    init(noLogIn lines: some BinaryInteger) {
        self.init(
            .badData,
            "none of the \(lines) lines is one that a mail server writes to its log",
            "what another program put before them, as docker compose logs does, is passed over with "
                + "--dialect postfix; of the journal, give what journalctl -o export prints"
        )
    }

    func print() {
        for message in messages { warn(message) }
    }
}

/// Writes a line to standard error. Log text in it must have been escaped.
func warn(_ message: String) {
    StandardStream.error.write("postern: " + message + "\n")
}

/// The process's standard streams, written unbuffered and whole.
enum StandardStream: Int32 {
    case output = 1
    case error = 2

    var isTerminal: Bool { isatty(rawValue) == 1 }

    /// Whether it is a pipe.
    var isPipe: Bool {
        var status = stat()
        return unsafe fstat(rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }

    /// Columns of the terminal; nil if it is none.
    var columns: Int? {
        var size = winsize()
        guard isTerminal, unsafe ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0
        else { return nil }
        return Int(size.ws_col)
    }

    /// Whether colour is wanted: a terminal, and no `NO_COLOR` (no-color.org).
    var wantsColour: Bool {
        guard isTerminal else { return false }
        guard let value = unsafe getenv("NO_COLOR") else { return true }
        return unsafe value.pointee == 0
    }

    func write(_ text: String) { write(Array(text.utf8)) }

    /// Writes all bytes. Whoever reads the other end of a pipe may go away at any time; then the
    /// rest is not wanted, and the command ends quietly with status 1.
    func write(_ bytes: [UInt8]) {
        var start = 0
        while start < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                // `start` is below the count.
                unsafe Glibc.write(
                    rawValue,
                    buffer.baseAddress?.advanced(by: start),
                    buffer.count - start
                )
            }
            if count > 0 {
                start += count
            } else if count < 0, errno == EINTR || errno == EAGAIN {
                continue
            } else {
                _exit(ExitStatus.failed.rawValue)
            }
        }
    }
}

/// Collects output and writes it in large pieces.
struct BufferedOutput {
    private var buffer: [UInt8] = []

    mutating func writeLine(_ bytes: [UInt8]) {
        buffer.append(contentsOf: bytes)
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= 1 << 16 { flush() }
    }

    mutating func write(_ bytes: [UInt8]) {
        buffer += bytes
        if buffer.count > 64 << 10 { flush() }
    }

    mutating func write(_ text: String) {
        buffer.append(contentsOf: text.utf8)
        if buffer.count >= 1 << 16 { flush() }
    }

    mutating func flush() {
        guard !buffer.isEmpty else { return }
        StandardStream.output.write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }
}
