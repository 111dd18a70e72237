import Records
import Sigma

/// One event in a group's window, in 24 bytes: there may be millions.
struct WindowEntry: Sendable, Equatable {
    /// The time in the upper 62 bits, 73,000 years each way, and the form of the payload.
    private var timeAndForm: Int64
    /// The rule in the upper 16 bits, and the event, at most ``HeldID/max``.
    private var ruleAndHeld: UInt64
    /// A value's hash, or a number's bits: a correlation needs one of them at most.
    private var payload: UInt64

    private static let timeMax = Int64.max >> 2

    /// Event time.
    var microseconds: Int64 { timeAndForm >> 2 }
    /// The event; kept alive by this entry.
    var held: HeldID { HeldID(ruleAndHeld & HeldID.max) }
    /// Which of the correlation's rules it matched.
    var rule: UInt16 { UInt16(truncatingIfNeeded: ruleAndHeld >> 48) }
    private var form: Form { Form(rawValue: UInt8(truncatingIfNeeded: timeAndForm & 3)) ?? .none }

    private enum Form: UInt8 { case none, value, integer, real }

    /// What a correlation counts or adds up.
    enum Figure: Sendable, Equatable {
        case none
        /// Keyed hash of the counted fields' values; not 0.
        case value(UInt64)
        case number(Number)
    }

    init(microseconds: Int64, rule: Int, held: HeldID, figure: Figure) {
        let form: Form
        switch figure {
        case .none: (payload, form) = (0, .none)
        case .value(let value): (payload, form) = (value, .value)
        case .number(let number):
            switch number.form {
            case .integer(let value): (payload, form) = (UInt64(bitPattern: value), .integer)
            case .real(let value): (payload, form) = (value.bitPattern, .real)
            }
        }
        let time = min(max(microseconds, -Self.timeMax), Self.timeMax)
        timeAndForm = time << 2 | Int64(form.rawValue)
        ruleAndHeld =
            UInt64(UInt16(truncatingIfNeeded: rule)) << 48 | held.rawValue & HeldID.max
    }

    static let filler = WindowEntry(microseconds: 0, rule: 0, held: HeldID(0), figure: .none)

    /// The counted value; 0 when there is none.
    var value: UInt64 { form == .value ? payload : 0 }

    /// The field of `value_sum` and its kin, when it is a number.
    var number: Number? {
        switch form {
        case .none, .value: nil
        case .integer: Number(Int64(bitPattern: payload))
        case .real: Number(Double(bitPattern: payload))
        }
    }

    // MARK: Stored form

    func write(to writer: inout BinaryWriter) {
        writer.write(microseconds)
        writer.write(rule)
        writer.write(held.rawValue)
        writer.write(form.rawValue)
        writer.write(payload)
    }

    /// Bytes of the stored form at least, in the older version.
    static let storedByteCountMin = 26

    /// - Parameters:
    ///   - version: that of the group. In the first, a rule had one byte, and value and number stood
    ///     side by side.
    ///   - countsValues: whether the correlation counts values; the others add numbers up.
    init(
        from reader: inout BinaryReader,
        version: UInt8,
        countsValues: Bool
    ) throws(BinaryReadError) {
        let microseconds = try reader.read(Int64.self)
        if version == 1 {
            let rule = try reader.read(UInt8.self)
            let held = HeldID(try reader.read(UInt64.self))
            let value = try reader.read(UInt64.self)
            var number: Number?
            switch try reader.read(UInt8.self) {
            case 0: break
            case 1: number = Number(try reader.read(Int64.self))
            default: number = Number(Double(bitPattern: try reader.read(UInt64.self)))
            }
            let figure: Figure =
                countsValues
                ? (value == 0 ? .none : .value(value)) : number.map { .number($0) } ?? .none
            self.init(microseconds: microseconds, rule: Int(rule), held: held, figure: figure)
            return
        }
        let rule = try reader.read(UInt16.self)
        let held = HeldID(try reader.read(UInt64.self))
        guard held.rawValue <= HeldID.max, microseconds.magnitude <= Self.timeMax else {
            throw BinaryReadError(offset: 0, expected: "an event's number and time within bounds")
        }
        let form = Form(rawValue: try reader.read(UInt8.self))
        let payload = try reader.read(UInt64.self)
        let figure: Figure
        switch form {
        case Form.none?: figure = .none
        case .value?: figure = .value(payload)
        case .integer?: figure = .number(Number(Int64(bitPattern: payload)))
        case .real?: figure = .number(Number(Double(bitPattern: payload)))
        case nil: throw BinaryReadError(offset: 0, expected: "what a rule counts")
        }
        self.init(microseconds: microseconds, rule: Int(rule), held: held, figure: figure)
    }
}

/// Figures over numbers, at least one: exact for integers. Some put them into order.
enum Statistics {
    static func sum(_ numbers: [Number]) -> Number {
        var total: Int64 = 0
        for number in numbers {
            guard case .integer(let value) = number.form else { return Number(realSum(numbers)) }
            let (sum, overflows) = total.addingReportingOverflow(value)
            if overflows { return Number(realSum(numbers)) }
            total = sum
        }
        return Number(total)
    }

    private static func realSum(_ numbers: [Number]) -> Double {
        numbers.reduce(0) { $0 + real($1) }
    }

    private static func real(_ number: Number) -> Double {
        switch number.form {
        case .integer(let value): Double(value)
        case .real(let value): value
        }
    }

    static func average(_ numbers: [Number]) -> Number {
        Number(real(sum(numbers)) / Double(numbers.count))
    }

    /// The median of an even count is the mean of the middle two.
    static func median(_ numbers: inout [Number]) -> Number {
        numbers.sort()
        let upper = numbers[numbers.count / 2]
        let lower = numbers[(numbers.count - 1) / 2]
        return lower == upper ? lower : Number((real(lower) + real(upper)) / 2)
    }

    /// Nearest rank.
    static func percentile(_ numbers: inout [Number], _ percentile: Int) -> Number {
        numbers.sort()
        // ⌈percentile / 100 × count⌉ without floating point.
        let rank = (percentile * numbers.count + 99) / 100
        return numbers[max(1, min(rank, numbers.count)) - 1]
    }
}
