import LogSources
import SafeText

extension SourceNote {
    /// What happened to a journal, in words; nil for notes about files.
    var journalWords: String? {
        switch self {
        case .forged(let forged):
            "\(forged.count) journal entries claim to be the mail server's and are not, the first as "
                + "\(shown(forged.identifier)) at \(rfc3339(microseconds: forged.microseconds)), by "
                + "user \(forged.userID.map { "\($0)" } ?? "unknown"), command "
                + "\(shown(forged.command ?? "unknown")), unit \(shown(forged.unit ?? "none")); "
                + "they were not read"
        case .suppressed(let suppressed):
            "journald left out \(suppressed.count) messages of \(shown(suppressed.unit)) until "
                + "\(rfc3339(microseconds: suppressed.microseconds)): see RateLimitBurst= in "
                + "journald.conf(5)"
        case .vacuumed(let vacuumed):
            "journal entries from \(rfc3339(microseconds: vacuumed.fromMicroseconds)) to "
                + "\(rfc3339(microseconds: vacuumed.toMicroseconds)) were removed before they were read"
        case .damaged, .resumed, .lost, .readsRotated, .rotated, .disappeared, .truncated,
            .cannotOpen, .notWatched, .expanded, .leftOut, .notInTimeOrder:
            nil
        }
    }
}
