/// An array that grows in pieces: growing never copies what is there, and never takes much more
/// memory than what is used.
struct ChunkedArray<Element: Sendable>: Sendable {
    private static var shift: Int { 9 }
    private var chunks: [[Element]] = []
    private(set) var count = 0

    subscript(index: Int) -> Element {
        @inline(__always) get {
            chunks[index >> Self.shift][index & (1 << Self.shift - 1)]
        }
        @inline(__always) _modify {
            yield &chunks[index >> Self.shift][index & (1 << Self.shift - 1)]
        }
    }

    mutating func append(_ element: Element) {
        if count & (1 << Self.shift - 1) == 0 {
            var chunk: [Element] = []
            chunk.reserveCapacity(1 << Self.shift)
            chunks.append(chunk)
        }
        chunks[count >> Self.shift].append(element)
        count += 1
    }
}

/// Many small arrays in few large ones: a block of size class c has room for 2^c elements.
///
/// A block that was given back is used again before new memory is taken; nothing goes back to the
/// system, so the memory is that of the largest number of blocks that were ever in use at one time.
struct BlockPool<Element: Sendable>: Sendable {
    private struct SizeClass: Sendable {
        var chunks: [[Element]] = []
        var free: [UInt32] = []
        var blockCount: UInt32 = 0
    }
    private var classes: [SizeClass] = []
    private let filler: Element
    /// Elements of a chunk, as a power of two; larger blocks have a chunk of their own.
    private let chunkShift: Int

    init(filler: Element, chunkShift: Int) {
        self.filler = filler
        self.chunkShift = chunkShift
    }

    /// The least size class with room for `count` elements.
    static func sizeClass(for count: Int) -> Int {
        count <= 1 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount
    }

    mutating func take(_ sizeClass: Int) -> UInt32 {
        while classes.count <= sizeClass { classes.append(SizeClass()) }
        if let block = classes[sizeClass].free.popLast() { return block }
        let block = classes[sizeClass].blockCount
        classes[sizeClass].blockCount += 1
        if Int(block) & (1 << shift(sizeClass) - 1) == 0 {
            let count = max(1 << chunkShift, 1 << sizeClass)
            classes[sizeClass].chunks.append([Element](repeating: filler, count: count))
        }
        return block
    }

    mutating func giveBack(_ block: UInt32, _ sizeClass: Int) {
        classes[sizeClass].free.append(block)
    }

    /// Blocks in a chunk, as a power of two.
    @inline(__always)
    private func shift(_ sizeClass: Int) -> Int { max(0, chunkShift - sizeClass) }

    subscript(block: UInt32, sizeClass: Int, index: Int) -> Element {
        @inline(__always) get {
            let shift = shift(sizeClass)
            return classes[sizeClass].chunks[Int(block) >> shift][
                (Int(block) & (1 << shift - 1)) << sizeClass + index
            ]
        }
        @inline(__always) set {
            let shift = shift(sizeClass)
            classes[sizeClass].chunks[Int(block) >> shift][
                (Int(block) & (1 << shift - 1)) << sizeClass + index
            ] = newValue
        }
    }
}
