/// A value that no other field shares a cache line with, if such a value or ``LinePadding`` stands
/// before it.
///
/// The padding is two lines of 64 bytes, because the spatial prefetcher of x86 completes an aligned
/// pair of lines (Intel 64 and IA-32 Architectures Optimization Reference Manual, "Data
/// Prefetching"), and the cores of Apple have lines of 128. Fields of a class are laid out in the
/// order they are written in, so a writer of one `OwnLine` leaves the next one alone, wherever the
/// object starts.
@frozen @usableFromInline
struct OwnLine<Value: ~Copyable>: ~Copyable {
    @usableFromInline let value: Value
    @usableFromInline let padding: LinePadding

    @inlinable
    init(_ value: consuming Value) {
        self.value = value
        padding = LinePadding()
    }
}

extension OwnLine: Sendable where Value: Sendable & ~Copyable {}

/// 128 bytes that nobody reads or writes: the distance between two fields with a writer each.
@frozen @usableFromInline
struct LinePadding: Sendable {
    @usableFromInline let bytes: InlineArray<16, UInt64>

    @inlinable
    init() { bytes = InlineArray(repeating: 0) }
}
