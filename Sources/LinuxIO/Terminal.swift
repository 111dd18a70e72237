import CLinux
import Glibc

/// The terminal of standard input and output, with keys that come one by one and nothing that is
/// echoed, until ``restore()``.
///
/// What it was is put back by ``restore()`` and at the latest when this value goes; signals are the
/// owner's to take (``SignalQueue``), so that they do not end the process in between.
public struct RawTerminal: ~Copyable {
    private var before: termios
    private var isRaw = true
    private let input: CInt
    private let output: CInt

    /// Alternate screen, no cursor, no wrapping of long lines: DEC private modes of xterm (ctlseqs),
    /// which every terminal in use knows; and back.
    private static let enter = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l"
    private static let leave = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l"

    /// Nil when standard input or output is no terminal, or one that cannot be set.
    public init?() {
        input = STDIN_FILENO
        output = STDOUT_FILENO
        before = termios()
        guard isatty(input) == 1, isatty(output) == 1, unsafe tcgetattr(input, &before) == 0 else {
            return nil
        }
        var raw = before
        // termios(3): no line editing, no echo, no signals by keys, one byte at a time.
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        raw.c_iflag &= ~tcflag_t(IXON | ICRNL)
        guard unsafe tcsetattr(input, TCSAFLUSH, &raw) == 0 else { return nil }
        write(Array(Self.enter.utf8))
    }

    deinit {
        guard isRaw else { return }
        Self.putBack(before, input, output)
    }

    /// Puts back what was.
    public mutating func restore() {
        guard isRaw else { return }
        isRaw = false
        Self.putBack(before, input, output)
    }

    private static func putBack(_ before: termios, _ input: CInt, _ output: CInt) {
        var before = before
        writeAll(Array(leave.utf8), to: output)
        _ = unsafe tcsetattr(input, TCSAFLUSH, &before)
    }

    public func write(_ bytes: [UInt8]) { Self.writeAll(bytes, to: output) }

    private static func writeAll(_ bytes: [UInt8], to output: CInt) {
        var start = 0
        while start < bytes.count {
            let rest = Array(bytes[start...])
            let count = unsafe Glibc.write(output, rest, rest.count)
            if count > 0 {
                start += count
            } else if errno != EINTR {
                return
            }
        }
    }

    /// Columns and rows; 80 × 24 when the terminal does not say.
    public var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard unsafe ioctl(output, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0
        else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// What was typed; empty when the terminal has gone.
    public func read() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = unsafe Glibc.read(input, &buffer, buffer.count)
        return count > 0 ? Array(buffer[..<count]) : []
    }

    /// For a ``PollSet``.
    public var inputDescriptor: CInt { input }

    /// Whether the locale of the environment writes UTF-8; takes it over for ``columns(of:)``.
    public static func adoptLocale() -> Bool {
        unsafe setlocale(LC_CTYPE, "")
        guard let name = unsafe nl_langinfo(nl_item(CODESET)) else { return false }
        return unsafe String(cString: name) == "UTF-8"
    }

    /// How many columns a scalar takes (wcwidth(3)): 0 for a mark on the one before, 2 for a wide
    /// one; nil when the terminal cannot show it.
    public static func columns(of scalar: Unicode.Scalar) -> Int? {
        if scalar.value < 0x7f { return scalar.value < 0x20 ? nil : 1 }
        let width = Int(wcwidth(wchar_t(bitPattern: scalar.value)))
        return width < 0 ? nil : width
    }
}
