/// Finds which of many literals a text contains, in one pass (Aho and Corasick, 1975).
///
/// One table lookup for each byte, whatever the number of literals. Bytes that occur in no literal
/// share one column, so a row is as short as the literals' alphabet.
struct LiteralAutomaton: Sendable {
    /// Column of each byte; 0 for bytes of no literal.
    private var columns = [UInt8](repeating: 0, count: 256)
    private var columnCount = 1
    /// `next[state * columnCount + column]`; state 0 is the start.
    private var next: [UInt32] = []
    /// For each state: the first of its own entries in `outputs`, and behind its last one.
    private var outputRanges: [Range<Int32>] = []
    /// The nearest state with outputs on the chain of suffixes, this one included; 0: none.
    private var outputStates: [UInt32] = []
    /// The same, without the state itself.
    private var outputLinks: [UInt32] = []
    /// The bits that the literals stand for.
    private var outputs: [Int32] = []

    /// Builds the automaton of `literals`, none of them empty. Nil when it would have more than
    /// `cellsMax` cells.
    init?(_ literals: [(bytes: [UInt8], outputs: [Int32])], cellsMax: Int) {
        var isUsed = [Bool](repeating: false, count: 256)
        for literal in literals { for byte in literal.bytes { isUsed[Int(byte)] = true } }
        // Never all 256: literals are UTF-8, in which some bytes do not occur.
        for byte in 0..<256 where isUsed[byte] {
            guard columnCount < 256 else { return nil }
            columns[byte] = UInt8(columnCount)
            columnCount += 1
        }
        var isWhole = true
        var outputsOfState: [[Int32]] = [[]]
        next = [UInt32](repeating: 0, count: columnCount)
        for literal in literals {
            var state = 0
            for byte in literal.bytes {
                let cell = state * columnCount + Int(columns[Int(byte)])
                if next[cell] == 0 {
                    guard next.count + columnCount <= cellsMax else {
                        isWhole = false
                        break
                    }
                    next[cell] = UInt32(outputsOfState.count)
                    next.append(contentsOf: repeatElement(0, count: columnCount))
                    outputsOfState.append([])
                }
                state = Int(next[cell])
            }
            guard isWhole else { return nil }
            outputsOfState[state] += literal.outputs
        }
        link(outputsOfState)
    }

    /// Fills in, breadth first, where a failed match goes on.
    private mutating func link(_ outputsOfState: [[Int32]]) {
        let stateCount = outputsOfState.count
        var fallback = [UInt32](repeating: 0, count: stateCount)
        outputLinks = [UInt32](repeating: 0, count: stateCount)
        outputStates = [UInt32](repeating: 0, count: stateCount)
        for list in outputsOfState {
            let start = Int32(outputs.count)
            outputs += list
            outputRanges.append(start..<Int32(outputs.count))
        }
        var queue: [Int] = [0]
        var head = 0
        while head < queue.count {
            let state = queue[head]
            head += 1
            if state != 0 {
                outputLinks[state] = outputStates[Int(fallback[state])]
                outputStates[state] =
                    outputsOfState[state].isEmpty ? outputLinks[state] : UInt32(state)
            }
            for column in 0..<columnCount {
                let cell = state * columnCount + column
                let target = Int(next[cell])
                let other = state == 0 ? 0 : next[Int(fallback[state]) * columnCount + column]
                if target == 0 {
                    next[cell] = other
                } else {
                    fallback[target] = other
                    queue.append(target)
                }
            }
        }
    }

    /// Sets the bits in `marks` that stand for the literals in `text`.
    func search(_ text: Span<UInt8>, marking marks: inout [UInt64]) {
        var state = 0
        for position in text.indices {
            let column = Int(columns[Int(text[position])])
            state = Int(next[state * columnCount + column])
            var output = Int(outputStates[state])
            while output != 0 {
                for index in outputRanges[output] {
                    let mark = outputs[Int(index)]
                    marks[Int(mark) >> 6] |= 1 << UInt64(mark & 63)
                }
                output = Int(outputLinks[output])
            }
        }
    }
}
