import Records

/// What is ordinary for an account: a mean in which what is older counts less, half of it after 14
/// days.
struct Baseline: Sendable, Equatable {
    /// How much was learnt, decayed until ``hour``: with 20 binary places.
    private var weight: UInt64 = 0
    /// The mean of what was learnt, with 16 binary places.
    private var mean: UInt32 = 0
    /// Hours since 1970.
    private var hour: UInt32 = 0

    private static let one: UInt64 = 1 << 20
    /// More than this counts as this: the mean follows what is new.
    fileprivate static let weightMax = one * 32_768
    private static let halfLifeHours = 14 * 24

    /// What is taken for ordinary of an account of which nothing is known, and how much that weighs.
    private static let priorMean: UInt64 = 2 << 16
    private static let priorWeight = one * 4

    /// Takes in one more occurrence.
    mutating func learn(_ value: UInt16, hour: UInt32) {
        if hour > self.hour {
            weight = Self.decayed(weight, hours: hour - self.hour)
            self.hour = hour
        }
        let sum = UInt64(mean) * weight + UInt64(value) << 16 * Self.one
        let more = weight + Self.one
        mean = UInt32(truncatingIfNeeded: sum / more)
        weight = min(more, Self.weightMax)
    }

    /// The mean that a count is held against, with 16 binary places.
    ///
    /// - Parameter ageDays: of the account: a young one may do much that its past does not show.
    func mean(hour: UInt32, ageDays: UInt32) -> UInt32 {
        let weight = hour > self.hour ? Self.decayed(weight, hours: hour - self.hour) : weight
        let sum = UInt64(mean) * weight + Self.priorMean * Self.priorWeight
        let mean = UInt32(truncatingIfNeeded: sum / (weight + Self.priorWeight))
        return max(mean, Self.floor(ageDays))
    }

    /// 5 in the first week of an account, then one less with each week, down to 1.
    private static func floor(_ ageDays: UInt32) -> UInt32 {
        (5 - min(ageDays / 7, 4)) << 16
    }

    private static func decayed(_ weight: UInt64, hours: UInt32) -> UInt64 {
        let halvings = Int(hours) / halfLifeHours
        guard halvings < 40 else { return 0 }
        let rest = decay[Int(hours) % halfLifeHours]
        return weight.multipliedFullWidth(by: rest).high >> UInt64(halvings)
    }

    /// 2^(−n/336) for n hours, with 64 binary places, all but the first rounded down.
    private static let decay: [UInt64] = {
        // 2^(−1/336), by bisection of what, halved so often, comes to one half.
        var low: UInt64 = 1 << 63
        var high = UInt64.max
        func power(_ root: UInt64) -> UInt64 {
            var product = root
            for _ in 1..<halfLifeHours { product = product.multipliedFullWidth(by: root).high }
            return product
        }
        while low < high {
            let middle = low + (high - low) / 2 + 1
            if power(middle) <= 1 << 63 { low = middle } else { high = middle - 1 }
        }
        var table: [UInt64] = [.max]
        for _ in 1..<halfLifeHours {
            table.append(table[table.count - 1].multipliedFullWidth(by: low).high)
        }
        return table
    }()
}

/// A baseline as another host can take it in.
public struct KnownBaseline: Sendable, Hashable {
    /// The mean of what was learnt, in 65,536ths.
    public var mean: UInt32
    /// How much was learnt, decayed until ``hour``, in 1,048,576ths.
    public var weight: UInt64
    /// Hours since 1970.
    public var hour: UInt32

    public static let meanMax = UInt32(Surprise.countMax) << 16
    public static let weightMax = Baseline.weightMax

    public init(mean: UInt32, weight: UInt64, hour: UInt32) {
        self.mean = mean
        self.weight = weight
        self.hour = hour
    }

    /// The one that knows more, of two that may rest on the same lines: a mean of both would count
    /// those twice, and again with each merging.
    func joined(with other: Self) -> Self { rank < other.rank ? other : self }

    /// How much it knows at any one time, and further what makes the order total: the logarithm of the
    /// weight in steps of an hour's decay, so that two are compared alike whenever it is done.
    private var rank: (Int, UInt64, UInt32, UInt32) {
        (Int(hour) + Baseline.hoursOfDecay(weight), weight, mean, hour)
    }
}

extension Baseline {
    init(_ known: KnownBaseline) {
        mean = min(known.mean, KnownBaseline.meanMax)
        weight = min(known.weight, Self.weightMax)
        hour = known.hour
    }

    /// Nil where nothing was learnt.
    var known: KnownBaseline? {
        weight == 0 ? nil : KnownBaseline(mean: mean, weight: weight, hour: hour)
    }

    /// After how many hours a weight has decayed to one unit, rounded down.
    fileprivate static func hoursOfDecay(_ weight: UInt64) -> Int {
        guard weight > 0 else { return 0 }
        let scaled = weight << UInt64(weight.leadingZeroBitCount)
        // `decay` falls; its first that is not above the scaled weight, which is at least 2⁶³.
        var low = 0
        var high = halfLifeHours
        while low < high {
            let middle = (low + high) / 2
            if decay[middle] <= scaled { high = middle } else { low = middle + 1 }
        }
        return (64 - weight.leadingZeroBitCount) * halfLifeHours - low
    }

    // MARK: Stored form

    func write(to writer: inout BinaryWriter) {
        writer.write(mean)
        writer.write(weight)
        writer.write(hour)
    }

    init(from reader: inout BinaryReader) throws(BinaryReadError) {
        mean = try reader.read(UInt32.self)
        weight = min(try reader.read(UInt64.self), Self.weightMax)
        hour = try reader.read(UInt32.self)
        // As ``learn(_:hour:)`` keeps it: products stay within 64 bits.
        mean = min(mean, UInt32(Surprise.countMax) << 16)
    }
}
