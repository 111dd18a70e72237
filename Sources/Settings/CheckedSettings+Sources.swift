extension CheckedSettings {
    /// One log to follow.
    public struct Source: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            /// A file, or all files that a pattern such as `/var/log/exim4/mainlog*` finds.
            case file(path: String, backfill: Backfill)
            case journal(JournalSource)
        }
        public var kind: Kind
        /// Names it in records, cursors and messages. No two sources share one.
        public var name: String
        /// It may carry the same log as another source.
        public var allowDuplicate: Bool

        /// - Parameter name: nil: the path of a file; `journal` for this machine's journal, and
        ///   `journal:` with folder, first file or namespace for another.
        public init(kind: Kind, name: String? = nil, allowDuplicate: Bool = false) {
            self.kind = kind
            self.name = name ?? kind.defaultName
            self.allowDuplicate = allowDuplicate
        }
    }

    /// What is read before the file itself, at the first start.
    public enum Backfill: String, Sendable, Hashable, CaseIterable {
        /// Its rotated siblings, compressed or not, the oldest first.
        case rotated
        case none
    }

    /// Which entries of which journal are followed.
    public struct JournalSource: Sendable, Hashable {
        /// Where the journal lies.
        public enum Place: Sendable, Hashable {
            /// This machine's.
            case local
            /// All journal files below a folder.
            case directory(String)
            /// These files, at least one.
            case files([String])
            /// This machine's, of one namespace; `*`: of all.
            case namespace(String)
        }

        /// A field that must have one of some values.
        public struct Match: Sendable, Hashable {
            /// As systemd.journal-fields(7) names fields: upper-case letters, digits and `_`.
            public var field: String
            /// At least one.
            public var values: [String]
        }

        public var place = Place.local
        /// Units whose entries count; `*` and `?` stand for any characters. If empty, there is a
        /// match.
        public var units = defaultUnits
        /// All must be met; at most ``matchesMax``, each field once, in the order of the file.
        public var matches: [Match] = []
        /// If there are any, `SYSLOG_IDENTIFIER` is one of them or begins with one and a slash.
        public var identifiers: [String] = []

        public init() {}

        /// The units of mail servers. Postfix's main instance runs in `postfix@-.service` where
        /// Debian's packages support several (README.Debian of Postfix 3.4), and else in
        /// `postfix.service`.
        public static let defaultUnits = [
            "postfix@-.service", "postfix.service", "exim4.service",
        ]
        public static let matchesMax = 64
    }
}

extension CheckedSettings.Source.Kind {
    fileprivate var defaultName: String {
        switch self {
        case .file(let path, _): path
        case .journal(let journal):
            switch journal.place {
            case .local: "journal"
            case .directory(let path): "journal:" + path
            case .files(let paths): "journal:" + (paths.first ?? "")
            case .namespace(let name): "journal:" + name
            }
        }
    }

    /// Whether two sources carry the same log, as far as their settings tell.
    func isSameLog(as other: Self) -> Bool {
        switch (self, other) {
        case (.file(let path, _), .file(let otherPath, _)): path == otherPath
        case (.journal(let journal), .journal(let other)): journal == other
        case (.file, .journal), (.journal, .file): false
        }
    }
}
