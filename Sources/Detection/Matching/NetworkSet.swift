import Sigma

/// Many networks, of which an address may be in any: a lookup costs the logarithm of their number.
struct NetworkSet: Sendable {
    /// A network.
    private struct Block: Sendable {
        var first: IPAddress
        var last: IPAddress
    }

    /// Ascending and disjoint, version 4 before version 6.
    private var blocks: [Block] = []

    init(_ networks: [Network]) {
        self.init(networks.map { Block(first: $0.address, last: $0.lastAddress) })
    }

    /// The networks of some sets, and some more.
    init(joining sets: [NetworkSet], _ networks: [Network]) {
        let more = NetworkSet(networks)
        self.init(sets.flatMap(\.blocks) + more.blocks)
    }

    private init(_ all: [Block]) {
        let sorted = all.sorted { Self.isBelow($0.first, $1.first) }
        for block in sorted {
            // Of two networks, one lies in the other or they have nothing in common.
            if let last = blocks.last, !Self.isBelow(last.last, block.first) {
                if Self.isBelow(last.last, block.last) { blocks[blocks.count - 1] = block }
                continue
            }
            blocks.append(block)
        }
    }

    func contains(_ address: IPAddress) -> Bool {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if Self.isBelow(blocks[middle].last, address) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low < blocks.count && !Self.isBelow(address, blocks[low].first)
    }

    private static func isBelow(_ left: IPAddress, _ right: IPAddress) -> Bool {
        (left.isVersion6 ? 1 : 0, left.high, left.low)
            < (right.isVersion6 ? 1 : 0, right.high, right.low)
    }
}
