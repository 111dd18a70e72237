/// The content filters that are not on this machine (`filters:` in the settings): what goes to one of
/// them comes back, and what comes from one is not a client's.
public struct FilterList: Sendable, Equatable {
    /// Addresses, host names and names of transports, in lower case.
    private let names: [[UInt8]]

    /// - Parameter names: IP addresses and host names as the log writes them, in `relay=HOST[IP]` and
    ///   `client=HOST[IP]`, or the name of a transport to pipe(8), which is its `relay=`.
    public init(_ names: [String] = []) {
        self.names = names.map { Array($0.lowercased().utf8) }
    }

    /// Whether `HOST[IP]`, with or without a port, or a transport is one of them.
    @inline(__always)
    func has(_ line: Span<UInt8>, _ relay: Range<Int>) -> Bool {
        !names.isEmpty && isListed(line, relay)
    }

    private func isListed(_ line: Span<UInt8>, _ relay: Range<Int>) -> Bool {
        let end = relay.upperBound
        let open = line.first(UInt8(ascii: "["), from: relay.lowerBound, to: end) ?? end
        if isName(line, relay.lowerBound..<open) { return true }
        guard open < end, let close = line.first(UInt8(ascii: "]"), from: open, to: end) else {
            return false
        }
        return isName(line, (open + 1)..<close)
    }

    private func isName(_ line: Span<UInt8>, _ range: Range<Int>) -> Bool {
        names.contains { line.equalsIgnoringCase(range, $0.span, 0..<$0.count) }
    }
}
