/// A field's position in a `FieldTable`: dense, from 0.
public struct FieldIndex: Hashable, Sendable {
    public let position: Int

    public init(position: Int) {
        self.position = position
    }
}

/// Field names and their positions. A name keeps its position for ever.
public struct FieldTable: Sendable {
    public private(set) var names: [String] = []
    private var positions: [String: Int] = [:]

    public init(_ names: [String] = []) {
        for name in names { _ = add(name) }
    }

    public var count: Int { names.count }

    public func index(of name: String) -> FieldIndex? {
        positions[name].map(FieldIndex.init(position:))
    }

    /// The name's index, which is new when the name was not known.
    public mutating func add(_ name: String) -> FieldIndex {
        if let position = positions[name] { return FieldIndex(position: position) }
        positions[name] = names.count
        names.append(name)
        return FieldIndex(position: names.count - 1)
    }
}

/// What a field of one event holds.
public enum FieldValue: Sendable, Equatable {
    case absent
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    /// A range of the event's `bytes`.
    case text(Range<Int>)
    /// Several values: an index into the event's `elements`, or -1 for none.
    case list(Int)
}

/// The fields of one event, kept from event to event so that filling it allocates nothing.
///
/// `reset()`, then set fields in any order; a field set twice has its last value. Invariant: every
/// text is a range inside `bytes`.
public struct EventFields: Sendable {
    /// One value of a field that has several.
    struct Element: Sendable {
        var value: FieldValue
        /// The next one of the field; -1: none.
        var next: Int
    }

    public private(set) var bytes: [UInt8] = []
    private(set) var elements: [Element] = []
    /// By position of a field with a list: its last element; -1: none.
    private var lastElements: [Int] = []
    /// By position of the field; a field beyond the end is absent.
    public private(set) var values: [FieldValue]
    /// Values of fields without an index: only keyword searches see them.
    public private(set) var unnamed: [FieldValue] = []
    /// The positions set since the last reset, some perhaps twice.
    private(set) var filled: [Int] = []

    public init(fieldCount: Int) {
        values = [FieldValue](repeating: .absent, count: fieldCount)
    }

    /// Makes every field absent. O(fields that were set).
    public mutating func reset() {
        for position in filled { values[position] = .absent }
        if !filled.isEmpty { filled.removeAll(keepingCapacity: true) }
        if !unnamed.isEmpty { unnamed.removeAll(keepingCapacity: true) }
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
        if !elements.isEmpty { elements.removeAll(keepingCapacity: true) }
    }

    /// Sets a field; a text must be a range of `bytes`.
    public mutating func set(_ value: FieldValue, at field: FieldIndex) {
        check(value)
        while values.count <= field.position { values.append(.absent) }
        values[field.position] = value
        filled.append(field.position)
    }

    /// Makes a field one of several values, of none to begin with.
    ///
    /// - Parameter keeping: whether it keeps the values that it has.
    public mutating func beginList(at field: FieldIndex, keeping: Bool) {
        let value = field.position < values.count ? values[field.position] : .absent
        if keeping, case .list = value { return }
        set(.list(-1), at: field)
        while lastElements.count <= field.position { lastElements.append(-1) }
        lastElements[field.position] = -1
        if keeping, value != .absent { add(value, at: field) }
    }

    /// Adds a value to a field of several values.
    public mutating func add(_ value: FieldValue, at field: FieldIndex) {
        check(value)
        beginList(at: field, keeping: true)
        let last = lastElements[field.position]
        if last >= 0 { elements[last].next = elements.count }
        if last < 0 { values[field.position] = .list(elements.count) }
        lastElements[field.position] = elements.count
        elements.append(Element(value: value, next: -1))
    }

    /// Sets a field to a copy of `text`.
    public mutating func setText(_ text: Span<UInt8>, at field: FieldIndex) {
        set(.text(append(text)), at: field)
    }

    public mutating func setText(_ text: String, at field: FieldIndex) {
        set(.text(append(text)), at: field)
    }

    /// Adds the value of a field that has no index.
    public mutating func addUnnamed(_ value: FieldValue) {
        check(value)
        unnamed.append(value)
    }

    /// Copies `text` to the end of `bytes` and says where it is; nothing refers to it yet.
    public mutating func append(_ text: Span<UInt8>) -> Range<Int> {
        let start = bytes.count
        bytes.append(addingCapacity: text.count) { output in
            for index in text.indices { output.append(text[index]) }
        }
        return start..<start + text.count
    }

    public mutating func append(_ text: String) -> Range<Int> {
        let start = bytes.count
        bytes.append(contentsOf: text.utf8)
        return start..<bytes.count
    }

    private func check(_ value: FieldValue) {
        guard case .text(let range) = value else { return }
        precondition(range.lowerBound >= 0, "a text begins inside the event's bytes")
        precondition(range.upperBound <= bytes.count, "a text ends inside the event's bytes")
    }
}
