/// Whether this machine's journal holds an entry of one of these units, as far as we may read it.
///
/// - Parameter units: whole names, without wildcards.
public func journalHasEntries(ofUnits units: [String]) -> Bool {
    guard !units.isEmpty, let journal = try? JournalHandle(.local) else { return false }
    do {
        // Values of one field are alternatives (sd_journal_add_match(3)).
        for unit in units { try journal.addMatch(field: "_SYSTEMD_UNIT", value: unit) }
        try journal.seekHead()
        return try journal.next()
    } catch {
        return false
    }
}
