import LinuxIO

/// How far a replay is, on standard error; never when that is no terminal.
struct ProgressBar {
    private let total: UInt64?
    private let isShown = StandardStream.error.isTerminal
    private let started = Clocks.monotonicNanoseconds()
    private var lastShown: UInt64 = 0

    init(total: UInt64?) { self.total = total }

    /// Shows the state at most five times a second.
    ///
    /// - Parameter done: bytes of text that were read.
    mutating func show(_ done: UInt64) {
        guard isShown else { return }
        let now = Clocks.monotonicNanoseconds()
        guard now - lastShown > 200_000_000 else { return }
        lastShown = now
        let seconds = max(1, now - started) / 1_000_000
        let rate = done / 1_000 / max(1, seconds)
        var line = "\(done / 1_000_000) MB, \(rate) MB/s"
        if let total, total > 0, done > 0 {
            let percent = min(100, done * 100 / total)
            let left = total > done ? (total - done) / max(1, rate * 1_000_000) : 0
            let filled = Int(percent) / 4
            line =
                "[" + String(repeating: "#", count: filled)
                + String(repeating: ".", count: 25 - filled) + "] \(percent)%, " + line
                + ", \(left) s left"
        }
        StandardStream.error.write("\r\u{1b}[K" + line)
    }

    func clear() {
        guard isShown, lastShown > 0 else { return }
        StandardStream.error.write("\r\u{1b}[K")
    }
}
