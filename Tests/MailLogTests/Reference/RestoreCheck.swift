import MailLog

/// Reading lines with the state stored and restored on the way brings the same to light as reading
/// them at one go.
enum RestoreCheck {
    /// What differed first.
    struct Difference: Error, CustomStringConvertible {
        var description: String
    }

    /// - Parameters:
    ///   - lines: what is read.
    ///   - every: after how many lines the state is restored.
    ///   - openMax: how many messages may be open.
    /// - Throws: what differed.
    static func run(_ lines: [[UInt8]], restoreEvery every: Int, openMax: Int) throws {
        var limits = AssemblyLimits()
        limits.openMax = openMax
        // So small that a few lines reach it.
        limits.recipientsMax = 3
        limits.keptLinesMax = 4
        var whole = try LogRun(limits: limits)
        var cut = try LogRun(limits: limits)
        for (index, line) in lines.enumerated() {
            whole.read(line)
            cut.read(line)
            if index % every == 0 { try cut.restore() }
            guard whole.openCount == cut.openCount else {
                throw Difference(
                    description: "line \(index): \(whole.openCount) open, \(cut.openCount) restored"
                )
            }
        }
        whole.finish()
        cut.finish()
        if let violation = whole.violations.first { throw Difference(description: violation) }
        let pairs = zip(whole.happenings, cut.happenings)
        if let (expected, found) = pairs.first(where: { $0 != $1 }) {
            throw Difference(description: "expected \(expected)\nfound    \(found)")
        }
        guard whole.happenings.count == cut.happenings.count else {
            throw Difference(
                description:
                    "\(whole.happenings.count) happenings, \(cut.happenings.count) restored"
            )
        }
    }
}
