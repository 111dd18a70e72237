import Pipeline
import SafeText
import State

/// What Prometheus reads, in its text format (version 0.0.4).
///
/// No account, domain, address or subject is in a label: those of sinks say what kind of sink it is.
struct Metrics {
    private(set) var text = ""

    private mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func sample(
        _ name: String,
        _ labels: [(String, String)] = [],
        _ value: String
    ) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(value)\n"
    }

    private mutating func single(
        _ name: String,
        _ type: String,
        _ help: String,
        _ value: some FixedWidthInteger
    ) {
        family(name, type, help)
        sample(name, [], String(value))
    }

    /// "Label values can be any UTF-8, with backslash, double quote and line feed escaped"
    /// (Prometheus, exposition formats); what is unsafe to show is escaped as everywhere.
    private static func escaped(_ value: String) -> String {
        var out = ""
        for scalar in shownKeepingBackslashes(value).unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// Seconds with three digits after the point.
    private static func seconds(_ microseconds: Int64) -> String {
        let (whole, rest) = floorDivide(microseconds, by: 1_000_000)
        let digits = String(rest / 1_000)
        return "\(whole)." + String(repeating: "0", count: 3 - digits.utf8.count) + digits
    }

    // MARK: What the engine published

    mutating func add(_ figures: LiveFigures, isAlive: Bool, isReady: Bool) {
        family("postern_build_info", "gauge", "The program's version; the value is 1.")
        sample("postern_build_info", [("version", figures.version)], "1")
        family(
            "postern_start_time_seconds",
            "gauge",
            "When this daemon started, in seconds since 1970."
        )
        sample("postern_start_time_seconds", [], Self.seconds(figures.startedMicroseconds))
        single(
            "postern_alive",
            "gauge",
            "1 while the engine gives signs of life.",
            isAlive ? 1 : 0
        )
        single("postern_ready", "gauge", "1 once lines are read.", isReady ? 1 : 0)
        addTotals(figures.totals)
        single(
            "postern_open_messages",
            "gauge",
            "Messages of which not all lines came yet.",
            figures.openMessages
        )
        single("postern_accounts", "gauge", "Accounts in the memory.", figures.accountsKnown)
        single(
            "postern_pairs",
            "gauge",
            "Pairs of an account and a domain in the memory.",
            figures.pairsKnown
        )
        single(
            "postern_active_accounts",
            "gauge",
            "Accounts that sent something in the last hour of the log.",
            figures.activeAccounts
        )
        family(
            "postern_log_time_seconds",
            "gauge",
            "The time that the log has reached, in seconds since 1970."
        )
        if let time = figures.logMicroseconds {
            sample("postern_log_time_seconds", [], Self.seconds(time))
        }
        single(
            "postern_caught_up",
            "gauge",
            "1 when all that is written was read.",
            figures.isCaughtUp ? 1 : 0
        )
        single(
            "postern_commit_failing",
            "gauge",
            "1 while the state cannot be written.",
            figures.commitFailure == nil ? 0 : 1
        )
        addSources(figures.sources)
        addCoverage(figures.seen)
        family("postern_sink_up", "gauge", "1 while a sink takes what it is sent.")
        for sink in figures.sinks {
            sample("postern_sink_up", [("sink", sink.label)], sink.state == .working ? "1" : "0")
        }
    }

    private mutating func addTotals(_ totals: LiveFigures.Totals) {
        single("postern_lines_total", "counter", "Lines read by this daemon.", totals.linesOfRun)
        single(
            "postern_submissions_total",
            "counter",
            "Messages that accounts handed in.",
            totals.messages
        )
        single(
            "postern_sends_total",
            "counter",
            "The same, each recipient by itself.",
            totals.sends
        )
        single(
            "postern_receipts_total",
            "counter",
            "Sends that are read receipts.",
            totals.receipts
        )
        single(
            "postern_unseen_domain_sends_total",
            "counter",
            "Sends to domains that the account had neither written to nor heard from.",
            totals.unseen
        )
        single(
            "postern_commits_failed_total",
            "counter",
            "Times that the state could not be written.",
            totals.commitsFailed
        )
        family("postern_alert_changes_total", "counter", "Changes of alerts.")
        for action in ["opened", "updated", "reopened", "resolved"] {
            sample(
                "postern_alert_changes_total",
                [("action", action)],
                String(totals.alerts[action] ?? 0)
            )
        }
        family("postern_notices_total", "counter", "Notices of Postern about itself.")
        // Those that alerts are made of are there from the start, so that the first one counts.
        let known = [
            "postern_blind", "postern_forged", "postern_lag", "postern_limit", "postern_reload",
            "postern_sink", "postern_source_lost", "postern_state",
        ]
        for name in Set(known).union(totals.notices.keys).sorted() {
            sample(
                "postern_notices_total",
                [("notice", name)],
                String(totals.notices[name] ?? 0)
            )
        }
    }

    private mutating func addSources(_ sources: [LiveFigures.Source]) {
        family("postern_source_up", "gauge", "1 while a source can be read.")
        for source in sources {
            sample(
                "postern_source_up",
                [("source", source.name)],
                source.failure == nil ? "1" : "0"
            )
        }
        family(
            "postern_source_caught_up",
            "gauge",
            "1 when all that a source holds was read."
        )
        for source in sources {
            sample(
                "postern_source_caught_up",
                [("source", source.name)],
                source.isCaughtUp ? "1" : "0"
            )
        }
        family(
            "postern_source_last_line_time_seconds",
            "gauge",
            "Time of the latest line of a source, in seconds since 1970."
        )
        for source in sources {
            guard let last = source.lastMicroseconds else { continue }
            sample(
                "postern_source_last_line_time_seconds",
                [("source", source.name)],
                Self.seconds(last)
            )
        }
    }

    private mutating func addCoverage(_ seen: LiveFigures.Seen) {
        family(
            "postern_coverage_submissions",
            "gauge",
            "Of the latest submissions (at most 200), how many had each part in the log."
        )
        for (part, count) in [
            ("any", seen.submissions), ("subject", seen.subjects), ("recipient", seen.recipients),
        ] {
            sample("postern_coverage_submissions", [("part", part)], String(count))
        }
        family(
            "postern_coverage_missing",
            "gauge",
            "1 while a part of the log has become rare, or submissions have stopped."
        )
        for part in ["subject", "recipient", "silence"] {
            sample(
                "postern_coverage_missing",
                [("part", part)],
                seen.missing.contains(part) ? "1" : "0"
            )
        }
        family(
            "postern_last_submission_time_seconds",
            "gauge",
            "Time of the latest submission, to five minutes, in seconds since 1970."
        )
        if let last = seen.lastSubmissionMicroseconds {
            sample("postern_last_submission_time_seconds", [], Self.seconds(last))
        }
    }

    // MARK: What is in the state

    mutating func add(levels: [String: Int]) {
        family("postern_alerts_open", "gauge", "Alerts that are open, by their level.")
        for level in ["informational", "low", "medium", "high", "critical"] {
            sample("postern_alerts_open", [("level", level)], String(levels[level] ?? 0))
        }
    }

    mutating func add(outbox: [OutboxSink], labels: [String: String]) {
        func each(_ name: String, _ type: String, _ help: String, _ value: (OutboxSink) -> String?)
        {
            family(name, type, help)
            for row in outbox {
                guard let label = labels[row.sink], let value = value(row) else { continue }
                sample(name, [("sink", label)], value)
            }
        }
        each("postern_outbox_waiting", "gauge", "Alerts that wait for a sink.") {
            String($0.waiting)
        }
        each("postern_outbox_abandoned", "gauge", "Alerts given up for a sink, and kept.") {
            String($0.abandoned)
        }
        each(
            "postern_outbox_oldest_waiting_time_seconds",
            "gauge",
            "When the alert that waits longest was raised, in seconds since 1970."
        ) { $0.oldestWaitingMicroseconds.map(Self.seconds) }
    }

    mutating func add(stateBytes: UInt64, evidenceBytes: UInt64, residentBytes: UInt64?) {
        single("postern_state_bytes", "gauge", "Bytes of the state's files.", stateBytes)
        single("postern_evidence_bytes", "gauge", "Bytes of evidence bundles.", evidenceBytes)
        if let residentBytes {
            single(
                "process_resident_memory_bytes",
                "gauge",
                "Resident memory of the daemon.",
                residentBytes
            )
        }
    }

    mutating func add(listeners: Int) {
        single("postern_http_event_listeners", "gauge", "Pages that hear of alerts.", listeners)
    }
}
