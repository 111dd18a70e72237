/// The name among `names` that `name` was most probably meant to be, or nil when none is near.
///
/// Near means at most one edit (insert, delete, replace, swap of two neighbours) for every three
/// characters, and at least one edit is always allowed. Of equally near names the first wins. Cost:
/// the product of the lengths for each name of a similar length.
func nearestName(to name: String, among names: some Sequence<String>) -> String? {
    let wanted = Array(name.lowercased().unicodeScalars)
    guard !wanted.isEmpty, wanted.count <= 256 else { return nil }
    var best: String?
    var bestDistance = max(1, wanted.count / 3) + 1
    for candidate in names where candidate != name {
        let letters = Array(candidate.lowercased().unicodeScalars)
        guard abs(letters.count - wanted.count) < bestDistance else { continue }
        let distance = editDistance(wanted, letters)
        if distance < bestDistance {
            best = candidate
            bestDistance = distance
        }
    }
    return best
}

/// `; did you mean …?` for a message, or nothing.
func hint(for name: String, among names: some Sequence<String>) -> String {
    guard let nearest = nearestName(to: name, among: names) else { return "" }
    return "; did you mean `\(nearest)`?"
}

/// Edits that turn `a` into `b`: insert, delete, replace, or swap two neighbours (the optimal
/// string alignment distance).
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        row.reserveCapacity(b.count + 1)
        for j in 0..<b.count {
            var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                cost = min(cost, beforeLast[j - 1] + 1)
            }
            row.append(cost)
        }
        beforeLast = last
        last = row
    }
    return last[b.count]
}
