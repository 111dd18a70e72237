import SafeText

/// Places on the time axis of a plot, in the units of its view box.
struct TimeAxis {
    let start: Int64
    let end: Int64
    let left: Double
    let right: Double

    /// - Parameter times: at least one; the axis holds all of them with some room at both ends.
    init(_ times: [Int64], left: Double, right: Double) {
        let first = times.min() ?? 0
        let last = times.max() ?? 0
        let (span, overflows) = last.subtractingReportingOverflow(first)
        let room = overflows ? 0 : max(1_000_000, span / 40)
        start = first.subtractingReportingOverflow(room).partialValue
        end = last.addingReportingOverflow(room).partialValue
        self.left = left
        self.right = right
    }

    func x(_ time: Int64) -> Double {
        let span = Double(end) - Double(start)
        guard span > 0 else { return left }
        return left + (Double(time) - Double(start)) / span * (right - left)
    }

    private static let steps: [Int64] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
        86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
    ]

    /// At most eight round times with their labels.
    var ticks: [(time: Int64, label: String)] {
        let span = (Double(end) - Double(start)) / 1_000_000
        guard span > 0, span < 4e9 else { return [] }
        let step = Self.steps.first { Double($0) * 8 >= span } ?? 31_536_000
        let micro = step * 1_000_000
        var time = floorDivide(start, by: micro).quotient * micro
        var ticks: [(time: Int64, label: String)] = []
        var lastDay: Substring = ""
        while time <= end {
            defer { time += micro }
            guard time >= start else { continue }
            let text = rfc3339(microseconds: time)
            let (day, clock) = (text.prefix(10), text.dropFirst(11).prefix(step < 60 ? 8 : 5))
            if step >= 86_400 {
                ticks.append((time, String(day)))
            } else {
                ticks.append((time, String(day != lastDay ? "\(day.suffix(5)) \(clock)" : clock)))
            }
            lastDay = day
        }
        return ticks
    }
}

/// A number as SVG wants it: one digit after the point.
func figure(_ number: Double) -> String {
    guard number.isFinite, abs(number) < 1e9 else { return "0" }
    let tenths = Int64((number * 10).rounded())
    return (tenths < 0 ? "-" : "") + "\(abs(tenths) / 10).\(abs(tenths) % 10)"
}

extension ReportedEvent.Outcome {
    var style: String {
        switch self {
        case .sent: "sent"
        case .deferred: "deferred"
        case .bounced: "bounced"
        case .unknown: "unknown"
        }
    }
}

extension Incident {
    private static let lanesMax = 12
    private static let width = 1_000.0
    private static let nameWidth = 204.0
    private static let sumHeight = 84.0
    private static let laneHeight = 30.0

    /// The messages over time: how many so far, and each on the lane of its account.
    func timeline(_ html: inout HTMLText) {
        guard !events.isEmpty else { return }
        let all = accounts
        let lanes = Array(all.prefix(Self.lanesMax))
        let hasOthers = all.count > lanes.count
        let laneCount = lanes.count + (hasOthers ? 1 : 0)
        let top = 24.0
        let bottom = top + Self.sumHeight + 14 + Double(laneCount) * Self.laneHeight
        let axis = TimeAxis(
            events.map(\.microseconds) + steps.filter { isNear($0) }.map(\.microseconds),
            left: Self.nameWidth,
            right: Self.width - 14
        )
        html.open(
            "svg",
            [
                "viewBox": "0 0 1000 \(figure(bottom + 26))", "role": "img",
                "aria-label": "\(events.count) messages of \(all.count) accounts over time",
            ]
        )
        for tick in axis.ticks {
            let x = figure(axis.x(tick.time))
            html.open(
                "line",
                ["class": "grid", "x1": x, "x2": x, "y1": figure(top), "y2": figure(bottom)]
            )
            html.close("line")
            html.element(
                "text",
                tick.label,
                [
                    "x": x, "y": figure(bottom + 17),
                    "text-anchor": axis.x(tick.time) > axis.right - 30 ? "end" : "middle",
                ]
            )
        }
        sum(&html, axis, top: top)
        for index in 0..<laneCount {
            let y = top + Self.sumHeight + 14 + (Double(index) + 0.5) * Self.laneHeight
            html.open(
                "line",
                [
                    "class": "grid", "x1": figure(Self.nameWidth), "x2": figure(axis.right),
                    "y1": figure(y), "y2": figure(y),
                ]
            )
            html.close("line")
            let name =
                index < lanes.count ? lanes[index] : "\(all.count - lanes.count) more accounts"
            html.open(
                "text",
                [
                    "class": "name", "x": figure(Self.nameWidth - 12), "y": figure(y + 4),
                    "text-anchor": "end",
                ]
            )
            html.element("title", name)
            html.plain(shortened(name, max: 24))
            html.close("text")
            dots(&html, axis, y: y) { event in
                index < lanes.count ? event.account == lanes[index] : !lanes.contains(event.account)
            }
        }
        marks(&html, axis, top: top, bottom: bottom)
        html.close("svg")
    }

    /// Steps far from all events would squeeze the plot.
    private func isNear(_ step: Step) -> Bool {
        guard let first = events.first?.microseconds, let last = events.last?.microseconds else {
            return false
        }
        let span = max(60_000_000, Double(last) - Double(first))
        return Double(step.microseconds) <= Double(last) + span
            && Double(step.microseconds) >= Double(first) - span
    }

    private func sum(_ html: inout HTMLText, _ axis: TimeAxis, top: Double) {
        let base = top + Self.sumHeight
        var path = "M\(figure(axis.left)) \(figure(base))"
        // At most one corner for each unit of the axis.
        var lastX = axis.left
        for (index, event) in events.enumerated() {
            let x = axis.x(event.microseconds)
            guard x - lastX >= 1 || index == events.count - 1 || index == 0 else { continue }
            let y = base - Double(index + 1) / Double(events.count) * (Self.sumHeight - 8)
            path += "H\(figure(x))V\(figure(y))"
            lastX = x
        }
        path += "H\(figure(axis.right))"
        html.open(
            "path",
            ["class": "area", "d": path + "V\(figure(base))Z"]
        )
        html.close("path")
        html.open("path", ["class": "sum", "d": path])
        html.close("path")
        html.element(
            "text",
            "messages so far",
            [
                "x": figure(Self.nameWidth - 12), "y": figure(base - 2), "text-anchor": "end",
            ]
        )
        html.element(
            "text",
            "\(events.count)",
            [
                "class": "label", "x": figure(Self.nameWidth - 12), "y": figure(top + 12),
                "text-anchor": "end",
            ]
        )
    }

    private struct Spot: Hashable {
        var column: Int
        var outcome: ReportedEvent.Outcome
    }

    /// Messages of about the same time are one dot, larger the more they are.
    private func dots(
        _ html: inout HTMLText,
        _ axis: TimeAxis,
        y: Double,
        _ isHere: (ReportedEvent) -> Bool
    ) {
        var spots: [Spot: (count: Int, first: ReportedEvent)] = [:]
        var order: [Spot] = []
        for event in events where isHere(event) {
            let spot = Spot(column: Int(axis.x(event.microseconds) / 5), outcome: event.outcome)
            if let known = spots[spot] {
                spots[spot] = (known.count + 1, known.first)
            } else {
                spots[spot] = (1, event)
                order.append(spot)
            }
        }
        for spot in order {
            guard let (count, first) = spots[spot] else { continue }
            // Those of one time and other outcomes lie beside each other.
            let shift = spot.outcome == .sent ? -3.0 : spot.outcome == .bounced ? 3.0 : 0
            html.open(
                "circle",
                [
                    "class": "dot \(spot.outcome.style)", "cx": figure(axis.x(first.microseconds)),
                    "cy": figure(y + shift),
                    "r": figure(min(13, 5 + 1.6 * Double(count - 1).squareRoot())),
                ]
            )
            let more = count > 1 ? " and \(count - 1) more" : ""
            html.element(
                "title",
                "\(clock(first.microseconds)) to \(first.recipient)\(more): \(spot.outcome.name)"
            )
            html.close("circle")
        }
    }

    private func marks(_ html: inout HTMLText, _ axis: TimeAxis, top: Double, bottom: Double) {
        for step in steps where step.action != "updated" && isNear(step) {
            let x = axis.x(step.microseconds)
            html.open(
                "line",
                [
                    "class": step.action == "resolved" ? "step resolved" : "step", "x1": figure(x),
                    "x2": figure(x), "y1": figure(top - 6), "y2": figure(bottom),
                ]
            )
            html.close("line")
            html.element(
                "text",
                step.action,
                [
                    "class": "label", "x": figure(x), "y": "12",
                    "text-anchor": x > axis.right - 40 ? "end" : "middle",
                ]
            )
        }
    }
}

/// `10:04:10`, UTC.
func clock(_ microseconds: Int64) -> String {
    String(rfc3339(microseconds: microseconds).dropFirst(11).prefix(8))
}

/// `2026-03-01 10:04:10`, UTC.
func moment(_ microseconds: Int64) -> String {
    rfc3339(microseconds: microseconds).prefix(10) + " " + clock(microseconds)
}

/// Text with its middle left out; by scalars.
func shortened(_ text: String, max: Int) -> String {
    let scalars = Array(text.unicodeScalars)
    guard scalars.count > max else { return text }
    var out = String.UnicodeScalarView()
    out.append(contentsOf: scalars.prefix(max / 2))
    out.append("…")
    out.append(contentsOf: scalars.suffix(max - max / 2 - 1))
    return String(out)
}
