/// The union of the times in which lines may be missing: closed spans that neither touch nor
/// overlap, in ascending order.
struct GapSpans: Sendable {
    private(set) var spans: [ClosedRange<Int64>] = []

    init() {}

    /// The union of many: O(n log n).
    init(_ all: [ClosedRange<Int64>]) {
        for span in all.sorted(by: { $0.lowerBound < $1.lowerBound }) { insert(span) }
    }

    /// Adds one. O(log n) where it comes after all others, as it mostly does; else O(n).
    mutating func insert(_ span: ClosedRange<Int64>) {
        let first = firstEnding(atOrAfter: span.lowerBound)
        var last = first
        var lower = span.lowerBound
        var upper = span.upperBound
        while last < spans.count, spans[last].lowerBound <= upper {
            lower = min(lower, spans[last].lowerBound)
            upper = max(upper, spans[last].upperBound)
            last += 1
        }
        spans.replaceSubrange(first..<last, with: CollectionOfOne(lower...upper))
    }

    /// Whether some of the time `from...to` lies in one. O(log n).
    func overlaps(_ range: ClosedRange<Int64>) -> Bool {
        let index = firstEnding(atOrAfter: range.lowerBound)
        return index < spans.count && spans[index].lowerBound <= range.upperBound
    }

    private func firstEnding(atOrAfter time: Int64) -> Int {
        var low = 0
        var high = spans.count
        while low < high {
            let middle = (low + high) / 2
            if spans[middle].upperBound < time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
