import MailEvents

/// What `postern doctor` found, and what is to be done.
public struct DoctorReport: Sendable {
    public enum Standing: String, Sendable {
        /// As it should be.
        case good
        /// Postern works without it, and better with it.
        case advice
        /// Postern cannot do its work without it.
        case missing
    }

    public struct Finding: Sendable, Equatable {
        public var name: String
        public var standing: Standing
        /// How many of how many, where it is a share.
        public var share: Share?
        /// What was found, in words; quotes the log and settings, so every output escapes it.
        public var words: String
    }

    public struct Share: Sendable, Equatable {
        public var have: Int
        public var of: Int

        /// In whole percent, rounded down, so that 100 means all.
        var percent: Int { of == 0 ? 0 : have * 100 / of }
    }

    /// What to do, with the exact lines.
    public struct Remedy: Sendable, Equatable {
        public var title: String
        /// Lines to be added, each in the file that the comment before it names.
        public var lines: [String]
        /// Commands to be run afterwards.
        public var commands: [String] = []
    }

    /// What was read, one line each.
    public var sources: [String] = []
    public var findings: [Finding] = []
    public var remedies: [Remedy] = []
    /// Subjects of receipts that are known by their content type alone.
    public var unknownSubjects: [String] = []
    public var counts = CheckupCounts()
    public var accountCount = 0

    /// Nothing that Postern needs is missing.
    public var isReady: Bool { !findings.contains { $0.standing == .missing } }

    /// A source could not be read.
    ///
    /// - Parameter words: what, why, and what to do about it.
    public mutating func deny(_ words: String) {
        findings.insert(
            Finding(name: "rights", standing: .missing, share: nil, words: words),
            at: 0
        )
    }

    mutating func add(
        _ name: String,
        _ standing: Standing,
        _ words: String,
        share: Share? = nil
    ) {
        findings.append(Finding(name: name, standing: standing, share: share, words: words))
    }
}

/// What is known of the mail server beyond its log.
public struct ServerKnowledge: Sendable {
    public var postfix: PostfixSettings?
    /// The tables that could be read, by their paths.
    public var tables: [String: HeaderTable] = [:]
    /// Tables that could not, and why.
    public var unreadable: [String: String] = [:]

    public init() {}
}

extension DoctorReport {
    /// Less than so many percent of the submissions with something is too little. Some have no
    /// subject; and some of the mail lies in the queue when the log ends.
    private static let shareMin = 90
    private static let outcomeShareMin = 50

    /// - Parameters:
    ///   - checkup: it has taken all lines in, and is finished.
    ///   - server: what its settings say; they may be those of another machine's.
    public init(_ checkup: borrowing Checkup, _ server: ServerKnowledge) {
        for dialect in Dialect.allCases {
            if let counts = checkup.counts[dialect] { self.counts.add(counts) }
        }
        accountCount = checkup.accountCount
        unknownSubjects = checkup.unknownSubjects
        judgeSubmissions()
        if counts.submissions > 0 {
            judgeShares()
            judgeContentType()
        }
        judgeInbound()
        for dialect in Dialect.allCases {
            guard let counts = checkup.counts[dialect] else { continue }
            switch dialect {
            case .postfix: judgePostfix(counts, checkup, server)
            case .exim: adviseExim(counts)
            case .sendmail, .openSMTPD: adviseOther(dialect, counts)
            case .exchange, .microsoft365: break
            }
        }
    }

    private mutating func judgeSubmissions() {
        if counts.submissions == 0 {
            add(
                "submissions",
                .missing,
                counts.withoutAccount > 0
                    ? "no message came with a login in the log, and \(counts.withoutAccount) came from "
                        + "users without one"
                    : "no message came with a login: is this the log of the server that users hand "
                        + "their mail to?"
            )
        } else {
            add(
                "submissions",
                .good,
                "\(counts.submissions) messages of \(accountCount) accounts, "
                    + "\(counts.receipts) of them read receipts"
            )
        }
    }

    private mutating func judgeShares() {
        func standing(_ share: Share, _ least: Int) -> Standing {
            share.percent >= least ? .good : .missing
        }
        let all = counts.submissions
        let account = Share(have: all, of: all + counts.withoutAccount)
        add(
            "account",
            standing(account, Self.shareMin),
            account.percent >= Self.shareMin
                ? "who sent it" : "messages came from users without a login in the log",
            share: account
        )
        let recipient = Share(have: counts.withRecipient, of: all)
        add(
            "recipient",
            standing(recipient, Self.shareMin),
            recipient.percent >= Self.shareMin
                ? "to whom" : "recipients are not logged, or the lines that name them are missing",
            share: recipient
        )
        let subject = Share(have: counts.withSubject, of: all)
        add(
            "subject",
            standing(subject, Self.shareMin),
            subject.percent >= Self.shareMin
                ? "tells receipts by their prefix"
                : "without it a receipt cannot be told from a letter",
            share: subject
        )
        let outcome = Share(have: counts.withOutcome, of: counts.recipients)
        add(
            "outcome",
            standing(outcome, Self.outcomeShareMin),
            outcome.percent >= Self.outcomeShareMin
                ? "what became of it"
                : "the lines that tell of deliveries are missing: do they go to another log?",
            share: outcome
        )
    }

    private mutating func judgeContentType() {
        if counts.withContentType > 0 {
            add(
                "content type",
                .good,
                "\(counts.withContentType) submissions have one that matters: it tells receipts in "
                    + "every language"
            )
        } else {
            add(
                "content type",
                .advice,
                "not logged: receipts are known by the subject's prefix alone, in the languages that "
                    + "are known"
            )
        }
        guard !unknownSubjects.isEmpty else { return }
        add(
            "prefixes",
            .advice,
            "\(unknownSubjects.count) subjects of receipts have no known prefix; add it under "
                + "receipts: { not_read: [], read: [] } in the settings"
        )
    }

    private mutating func judgeInbound() {
        guard counts.inbound > 0 else { return }
        if counts.stripped > 0 {
            add(
                "at the gate",
                .good,
                "receipt requests are stripped from inbound mail: \(counts.stripped) in these lines"
            )
        } else if counts.inboundRequests > 0 {
            add(
                "baits",
                .good,
                "\(counts.inboundRequests) of \(counts.inbound) inbound messages asked for a receipt"
            )
        } else {
            add(
                "baits",
                .advice,
                "no receipt request was logged in \(counts.inbound) inbound messages: if that is not "
                    + "by chance, an alert cannot name the mail that asked for the receipt"
            )
        }
    }
}

extension CheckupCounts {
    mutating func add(_ other: CheckupCounts) {
        withoutAccount += other.withoutAccount
        submissions += other.submissions
        withSubject += other.withSubject
        withRecipient += other.withRecipient
        recipients += other.recipients
        withOutcome += other.withOutcome
        withContentType += other.withContentType
        receipts += other.receipts
        inbound += other.inbound
        inboundWithSubject += other.inboundWithSubject
        inboundRequests += other.inboundRequests
        stripped += other.stripped
    }

    /// Whether subjects are missing.
    var lacksSubjects: Bool { submissions > 0 && withSubject * 10 < submissions * 9 }
}
