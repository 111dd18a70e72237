import SafeText

/// The alerts a day of each rule over its threshold, as a picture that needs nothing else: one
/// diagram below the other, a line for each timespan, a ring around the rule as it is.
public struct TunePlot: Sendable {
    public var rows: [TuneRow]
    public var days: Int
    public var budget: AlertBudget?

    private static let width = 760
    private static let height = 260
    private static let left = 70
    private static let right = 150
    private static let top = 40
    private static let bottom = 40
    /// Told apart also by who sees no colours: they differ in lightness, and the lines are named.
    private static let colours = ["#0b3c6f", "#c0392b", "#2e8b57", "#8e6c00", "#6a3d9a", "#444444"]

    public init(rows: [TuneRow], days: Int, budget: AlertBudget?) {
        self.rows = rows
        self.days = days
        self.budget = budget
    }

    /// An SVG document.
    public func svg() -> String {
        let groups = self.groups
        let height = max(1, groups.count) * Self.height
        var text =
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Self.width)\" height=\"\(height)\" "
            + "viewBox=\"0 0 \(Self.width) \(height)\" font-family=\"sans-serif\" font-size=\"12\">\n"
            + "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        for (index, group) in groups.enumerated() {
            text += "<g transform=\"translate(0 \(index * Self.height))\">\n"
            text += diagram(group)
            text += "</g>\n"
        }
        return text + "</svg>\n"
    }

    /// A page with the picture and all figures.
    public func html() -> String {
        var text = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>Postern: thresholds</title>
            <style>body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}
            td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}
            td:first-child,th:first-child,td:last-child,th:last-child{text-align:left}
            tr.current{font-weight:bold}tr.chosen{background:#e6f2e6}</style></head><body>
            <h1>Alerts a day by threshold</h1>
            <p>\(days) day\(days == 1 ? "" : "s") of log. Bold: the rule as it is. \
            Green: the lowest threshold that keeps to the budget.</p>

            """
        text += svg()
        text += "<table><tr><th>rule</th><th>timespan</th><th>threshold</th><th>alerts</th>"
        text += "<th>a day</th><th>accounts</th><th>new accounts</th></tr>\n"
        for row in rows {
            let classes = [row.variant.isCurrent ? "current" : "", row.isChosen ? "chosen" : ""]
                .filter { !$0.isEmpty }.joined(separator: " ")
            let shownAccounts = row.newAccounts.prefix(20).map(Self.escaped).joined(separator: ", ")
            let more = row.newAccounts.count > 20 ? " and \(row.newAccounts.count - 20) more" : ""
            text += "<tr class=\"\(classes)\"><td>\(Self.escaped(row.variant.ruleName))</td>"
            text += "<td>\(spanText(row.variant.timespanSeconds))</td>"
            text += "<td>\(row.variant.threshold)</td><td>\(row.alerts)</td>"
            text += "<td>\(thousandths(row.perDayThousandths(days: days)))</td>"
            text += "<td>\(row.accounts.count)</td><td>\(shownAccounts)\(more)</td></tr>\n"
        }
        return text + "</table></body></html>\n"
    }

    /// The rows of each rule, in their order.
    private var groups: [[TuneRow]] {
        var groups: [[TuneRow]] = []
        for row in rows {
            if groups.last?.last?.variant.ruleID == row.variant.ruleID {
                groups[groups.count - 1].append(row)
            } else {
                groups.append([row])
            }
        }
        return groups
    }

    private func diagram(_ rows: [TuneRow]) -> String {
        guard let first = rows.first else { return "" }
        let thresholds = Set(rows.map(\.variant.threshold)).sorted()
        let spans = Set(rows.map(\.variant.timespanSeconds)).sorted()
        let most = max(1, rows.map { $0.perDayThousandths(days: days) }.max() ?? 1)
        let innerWidth = Self.width - Self.left - Self.right
        let innerHeight = Self.height - Self.top - Self.bottom
        // Thresholds stand at even steps: they grow by factors.
        func x(_ threshold: Int64) -> Int {
            let place = thresholds.firstIndex(of: threshold) ?? 0
            return Self.left + place * innerWidth / max(1, thresholds.count - 1)
        }
        func y(_ thousandths: Int) -> Int {
            Self.top + innerHeight - min(most, thousandths) * innerHeight / most
        }
        let base = Self.top + innerHeight
        var text = label(Self.left, 20, first.variant.ruleName, "start", weight: "bold")
        text += line(Self.left, base, Self.left + innerWidth, base, "#000000")
        text += line(Self.left, Self.top, Self.left, base, "#000000")
        text += label(Self.left - 6, Self.top + 4, thousandths(most), "end")
        text += label(Self.left - 6, base, "0", "end")
        for threshold in thresholds {
            text += label(x(threshold), base + 16, "\(threshold)", "middle")
        }
        text += label(Self.left + innerWidth / 2, base + 32, "threshold", "middle")
        if let budget {
            let perDay = budget.alerts * 1_000 / budget.days
            if perDay <= most {
                text += line(
                    Self.left,
                    y(perDay),
                    Self.left + innerWidth,
                    y(perDay),
                    "#777777",
                    dashes: "4 3"
                )
                text += label(Self.left + 4, y(perDay) - 4, "budget", "start")
            }
        }
        for (index, span) in spans.enumerated() {
            let colour = Self.colours[index % Self.colours.count]
            let points = rows.filter { $0.variant.timespanSeconds == span }
            let path = points.map { row in
                "\(x(row.variant.threshold)),\(y(row.perDayThousandths(days: days)))"
            }
            text +=
                "<polyline fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\" points=\""
                + path.joined(separator: " ") + "\"/>\n"
            for row in points {
                let (cx, cy) = (x(row.variant.threshold), y(row.perDayThousandths(days: days)))
                let radius = row.variant.isCurrent ? 6 : 2
                let fill = row.variant.isCurrent ? "none" : colour
                text +=
                    "<circle cx=\"\(cx)\" cy=\"\(cy)\" r=\"\(radius)\" fill=\"\(fill)\" "
                    + "stroke=\"\(colour)\"><title>\(row.variant.threshold) in "
                    + "\(spanText(span)): \(row.alerts) alerts</title></circle>\n"
            }
            let height = Self.top + 14 + index * 16
            text += label(Self.left + innerWidth + 14, height, spanText(span), "start", colour)
        }
        return text
    }

    private func line(
        _ x1: Int,
        _ y1: Int,
        _ x2: Int,
        _ y2: Int,
        _ colour: String,
        dashes: String? = nil
    ) -> String {
        let dashes = dashes.map { " stroke-dasharray=\"\($0)\"" } ?? ""
        return "<line x1=\"\(x1)\" y1=\"\(y1)\" x2=\"\(x2)\" y2=\"\(y2)\" "
            + "stroke=\"\(colour)\"\(dashes)/>\n"
    }

    private func label(
        _ x: Int,
        _ y: Int,
        _ text: String,
        _ anchor: String,
        _ colour: String = "#000000",
        weight: String = "normal"
    ) -> String {
        "<text x=\"\(x)\" y=\"\(y)\" text-anchor=\"\(anchor)\" fill=\"\(colour)\" "
            + "font-weight=\"\(weight)\">\(Self.escaped(text))</text>\n"
    }

    /// Text that a page shows as what it is, whoever wrote it.
    static func escaped(_ text: String) -> String {
        var safe = ""
        for scalar in shown(text).unicodeScalars {
            switch scalar {
            case "&": safe += "&amp;"
            case "<": safe += "&lt;"
            case ">": safe += "&gt;"
            case "\"": safe += "&quot;"
            case "'": safe += "&#39;"
            default: safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }
}
