import Glibc

/// Index of the first `byte` in `bytes[range]`, or nil: `memchr`, which glibc does with the widest
/// vectors of the machine.
///
/// - Parameter range: must lie within `bytes`.
public func firstIndex(
    of byte: UInt8,
    in bytes: borrowing Span<UInt8>,
    _ range: Range<Int>
) -> Int? {
    precondition(range.lowerBound >= 0)
    precondition(range.upperBound <= bytes.count)
    return unsafe bytes.withUnsafeBufferPointer { buffer -> Int? in
        // SAFETY: `range` lies within the buffer, and the result points into it.
        guard let start = buffer.baseAddress else { return nil }
        guard
            let found = unsafe memchr(start + range.lowerBound, CInt(byte), range.count)
        else { return nil }
        return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(start)
    }
}
