extension Span<UInt8> {
    /// The bytes as an array of their own.
    var copied: [UInt8] {
        var array: [UInt8] = []
        array.reserveCapacity(count)
        for index in indices { array.append(self[index]) }
        return array
    }
}
