/// What a correlation's figure must be: one comparison, or two that bound a range (Sigma
/// specification, Correlations, Condition: `gt: 100` and `lte: 200`).
public struct FigureBounds: Sendable, Hashable {
    public struct Bound: Sendable, Hashable {
        public var comparison: Comparison
        public var number: Number

        public init(_ comparison: Comparison, _ number: Number) {
            self.comparison = comparison
            self.number = number
        }

        /// As a rule file has it: `gt: 100`.
        public var text: String { "\(comparison.rawValue): \(number.text)" }

        func holds(_ figure: Number) -> Bool { comparison.holds(figure, number) }

        /// The least whole number that is not below this one, or that is beyond it for `gt`.
        fileprivate var countMax: Int {
            let whole = number.wholeBelow
            let isExact = number == Number(whole) && comparison != .greater
            let (next, overflows) = whole.addingReportingOverflow(1)
            return Int(clamping: isExact || overflows ? whole : next)
        }
    }

    /// The only comparison; of a range, the bound from below.
    public var first: Bound
    /// Of a range: the bound from above.
    public var upper: Bound?

    public init(_ first: Bound, upper: Bound? = nil) {
        self.first = first
        self.upper = upper
    }

    public init(_ comparison: Comparison, _ number: Number) {
        self.init(Bound(comparison, number))
    }

    public func holds(_ figure: Number) -> Bool {
        guard first.holds(figure) else { return false }
        guard let upper else { return true }
        return upper.holds(figure)
    }

    /// Whether this is a range within which no number lies, whole or not.
    public var isEmptyRange: Bool {
        guard let upper else { return false }
        let isOpen = first.comparison == .greater || upper.comparison == .less
        return isOpen ? first.number >= upper.number : first.number > upper.number
    }

    /// Whether one of the whole numbers from `least` to `most` is what it must be. O(1).
    public func holdsForCount(from least: Int64, to most: Int64) -> Bool {
        // What holds is without gaps but for `neq`, so it begins or ends beside one of these.
        var candidates = [least, most]
        for bound in [first, upper].compactMap({ $0 }) {
            let whole = bound.number.wholeBelow
            for step in Int64(-1)...2 {
                let (candidate, overflows) = whole.addingReportingOverflow(step)
                if !overflows { candidates.append(candidate) }
            }
        }
        return candidates.contains { $0 >= least && $0 <= most && holds(Number($0)) }
    }

    /// The least whole number that is not below any number named here: how far one must count to
    /// tell whether it holds. Asked for each event: it allocates nothing.
    public var countMax: Int {
        guard let upper else { return first.countMax }
        return max(first.countMax, upper.countMax)
    }

    /// As a rule file has it: `gt: 100, lte: 200`.
    public var text: String {
        guard let upper else { return first.text }
        return first.text + ", " + upper.text
    }
}

extension Number {
    /// The greatest whole number that is not above this one, within `Int64`.
    fileprivate var wholeBelow: Int64 {
        switch form {
        case .integer(let value): value
        case .real(let value):
            Int64(exactly: value.rounded(.down)) ?? (value > 0 ? Int64.max : Int64.min)
        }
    }
}
