import SafeText

/// What a trace shows, and the lines that prove it.
public struct TraceVerdict: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// Handed in with a login of this server.
        case authenticated
        /// Handed in without one, and sent on to other servers.
        case relayed
        /// Handed in by a program on the machine itself.
        case local
        /// Came from another server for a mailbox here.
        case received
        /// A bounce that this server made.
        case bounceMadeHere = "bounce-made-here"
        /// A bounce from elsewhere of a message that a user handed in here.
        case bounceOfOurs = "bounce-of-ours"
        /// A bounce from elsewhere of a message that never passed here in the time of the logs.
        case bounceNeverPassed = "bounce-never-passed"
        /// A bounce from elsewhere; of what, the log does not tell.
        case bounce
        /// The line that tells how it came is not in the log.
        case unknown
    }

    /// A statement and the numbers of the lines that prove it, see ``Trace/lines``.
    public struct Part: Sendable, Equatable {
        /// Quotes the log: every output escapes it.
        public var words: String
        /// Line sequences.
        public var proof: [UInt64]
    }

    public var kind: Kind
    public var parts: [Part]

    /// The verdict as one sentence.
    public var sentence: String { parts.map(\.words).joined(separator: "; ") + "." }

    public var proof: [UInt64] { parts.flatMap(\.proof) }
}

extension Trace {
    /// The verdict.
    ///
    /// - Parameters:
    ///   - first: what the logs cover: microseconds since 1970.
    ///   - last: the same.
    public func verdict(logsFrom first: Int64, to last: Int64) -> TraceVerdict {
        let root = messages[0]
        if let original, isBounceFromElsewhere {
            return bounceVerdict(original, root, logsFrom: first, to: last)
        }
        var parts: [TraceVerdict.Part] = []
        let kind: TraceVerdict.Kind
        if let login = root.login {
            kind = .authenticated
            parts.append(
                TraceVerdict.Part(
                    words: "Sent with the login of \(login)" + origin(root, withLogin: true),
                    proof: [root.loginLine ?? root.opening, root.encryption].compactMap { $0 }
                )
            )
        } else if let link = root.links.first(where: { $0.kind == .subject }) {
            kind = .bounceMadeHere
            parts.append(
                TraceVerdict.Part(
                    words: "A bounce that this server made of \(link.queueID)",
                    proof: [link.sequence]
                )
            )
        } else if let user = localUser {
            kind = .local
            parts.append(
                TraceVerdict.Part(
                    words: "Handed in without a login on the machine itself, by user ID \(user.id)",
                    proof: [user.sequence]
                )
            )
        } else if root.isOpened {
            let isRelayed = finalDeliveries.contains { !$0.isLocal && !$0.isToHere }
            kind = isRelayed ? .relayed : .received
            parts.append(
                TraceVerdict.Part(
                    words: (isRelayed ? "Relayed without a login" : "Came in without a login")
                        + origin(root, withLogin: false)
                        + (isRelayed
                            ? "" : ": no account of this server sent it"),
                    proof: [root.opening].compactMap { $0 }
                )
            )
        } else {
            kind = .unknown
            parts.append(
                TraceVerdict.Part(
                    words:
                        "The line that tells who handed it in is not in these logs, which begin at "
                        + civilSecond(first),
                    proof: []
                )
            )
        }
        parts += outcomeParts + bounceParts
        return TraceVerdict(kind: kind, parts: parts)
    }

    /// Bounces that this server made of what was handed in: Postfix says so on a line of the message,
    /// Exim on one of the bounce.
    private var bounceParts: [TraceVerdict.Part] {
        var bounces: [(queueID: String, sequence: UInt64)] = []
        for message in messages {
            for link in message.links {
                switch link.kind {
                case .notification: bounces.append((link.queueID, link.sequence))
                case .subject where message.serial != messages[0].serial:
                    bounces.append((message.queueID, link.sequence))
                case .subject, .handedOn, .outer, .renamed: break
                }
            }
        }
        var named: Set<String> = []
        return bounces.filter { named.insert($0.queueID).inserted }.prefix(5).map { bounce in
            TraceVerdict.Part(
                words: "a bounce or delay notice was made of it, \(bounce.queueID)",
                proof: [bounce.sequence]
            )
        }
    }

    /// ` from ADDRESS (NAME; TLSv1.3, PLAIN)`.
    private func origin(_ message: TracedMessage, withLogin: Bool) -> String {
        var text = message.clientIP.map { " from \($0)" } ?? ""
        var facts: [String] = []
        if let tls = message.tls { facts.append("TLS: \(tls)") }
        if withLogin, let method = message.loginMethod { facts.append("method \(method)") }
        if !facts.isEmpty { text += " (" + facts.joined(separator: ", ") + ")" }
        return text
    }

    /// Postfix's pickup(8) names the user: `QID: uid=33 from=<www-data>`.
    private var localUser: (id: String, sequence: UInt64)? {
        for line in mentions + messages[0].lines {
            let header = SyslogHeader(line.bytes.span)
            let mark = Array("\(messages[0].queueID): uid=".utf8)
            guard header.isPresent, header.tag.count >= 6,
                line.bytes.span.has("pickup", at: header.tag.upperBound - 6),
                line.bytes[header.textStart...].starts(with: mark)
            else { continue }
            let digits = line.bytes[(header.textStart + mark.count)...].prefix {
                $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")
            }
            return (String(decoding: digits, as: UTF8.self), line.sequence)
        }
        return nil
    }

    // MARK: Outcomes

    /// What became of each copy at last: deliveries to a filter whose output is there do not count.
    private var finalDeliveries: [TracedDelivery] {
        messages.filter { message in !message.links.contains { $0.kind == .subject } }
            .flatMap { message in
                message.outcomes.filter { delivery in
                    !message.links.contains { link in
                        guard case .handedOn = link.kind, link.sequence == delivery.sequence else {
                            return false
                        }
                        return messages.contains {
                            $0.queueID == link.queueID
                                && TraceGroups.holds(link, from: message, to: $0)
                        }
                    }
                }
            }
    }

    private var outcomeParts: [TraceVerdict.Part] {
        let deliveries = finalDeliveries
        guard !deliveries.isEmpty else {
            let words =
                if messages.contains(where: \.isRefused) {
                    "refused by this server once its content was known"
                } else if messages.contains(where: \.isDeleted) {
                    "deleted from the queue by hand"
                } else if messages.contains(where: \.isHeld) {
                    "held in the queue"
                } else {
                    "no delivery is in these logs"
                }
            return [TraceVerdict.Part(words: words, proof: [])]
        }
        var parts: [TraceVerdict.Part] = []
        var groups: [(words: String, recipients: [String], proof: [UInt64])] = []
        for delivery in deliveries {
            let words = delivery.words
            let recipient =
                delivery.recipient == delivery.target
                ? delivery.recipient : "\(delivery.recipient) (\(delivery.target))"
            if let known = groups.firstIndex(where: { $0.words == words }) {
                groups[known].recipients.append(recipient)
                groups[known].proof.append(delivery.sequence)
            } else {
                groups.append((words, [recipient], [delivery.sequence]))
            }
        }
        for group in groups.prefix(10) {
            var names = group.recipients.prefix(5).joined(separator: ", ")
            if group.recipients.count > 5 { names += " and \(group.recipients.count - 5) more" }
            parts.append(
                TraceVerdict.Part(
                    words: "\(group.words) for \(names)",
                    proof: Array(group.proof.prefix(5))
                )
            )
        }
        if groups.count > 10 {
            parts.append(
                TraceVerdict.Part(words: "and \(groups.count - 10) more outcomes", proof: [])
            )
        }
        return parts
    }

    // MARK: Bounces

    private func bounceVerdict(
        _ original: BounceOriginal,
        _ root: TracedMessage,
        logsFrom first: Int64,
        to last: Int64
    ) -> TraceVerdict {
        let proof = [root.opening].compactMap { $0 }
        let came = "A bounce that came in" + origin(root, withLogin: false)
        let period = "between \(civilSecond(first)) and \(civilSecond(last))"
        let kind: TraceVerdict.Kind
        var words: String
        switch original {
        case .sent(let subject, let queueID):
            kind = .bounceOfOurs
            words =
                "\(came) of a message that was sent here: \"\(subject)\" was handed in with a login as "
                + queueID
        case .neverPassed(let subject):
            kind = .bounceNeverPassed
            words =
                "\(came) of a message that never passed here \(period): nobody handed \"\(subject)\" in"
            // Postfix's and Exim's defaults are 5 and 4 days (maximal_queue_lifetime in postconf(5);
            // the retry rules of Exim's default configuration).
            words +=
                root.firstMicroseconds - first < Self.queueMicroseconds
                ? ". Servers bounce mail up to 5 days after it was sent; unless it was sent before "
                    + "these logs begin, it was forged elsewhere"
                : "; it was forged elsewhere"
        case .untold(let subject):
            kind = .bounce
            words =
                "\(came), about \"\(subject)\"; the log has no subjects of what users hand in, so it "
                + "cannot tell whether that passed here (postern doctor tells what to add)"
        case .unnamed:
            kind = .bounce
            words =
                "\(came); its lines do not say which message it is about. Look for the Message-ID or "
                + "the recipient that the bounce itself names: postern trace --message-id ID"
        }
        return TraceVerdict(
            kind: kind,
            parts: [TraceVerdict.Part(words: words, proof: proof)] + outcomeParts
        )
    }

    private static let queueMicroseconds: Int64 = 5 * 86_400_000_000
}

extension TracedDelivery {
    /// What became of it, without the recipient.
    fileprivate var words: String {
        let by = relay.isEmpty || relay == "none" ? "" : " by \(relay)"
        let why = reply.isEmpty ? "" : " (\(reply.prefix(200)))"
        switch outcome {
        case .sent: return isLocal ? "delivered to a mailbox here\(by)" : "accepted\(by)"
        case .deferred: return "deferred\(by)\(why)"
        case .bounced: return "refused\(by)\(why)"
        case .expired: return "given up after too long"
        case .discarded: return "thrown away"
        case .other: return "tried\(by)\(why)"
        }
    }
}

extension TraceResult {
    /// That nothing was found, and what that means.
    ///
    /// - Parameter query: what was asked for.
    public func nothingFound(_ query: TraceQuery) -> String {
        guard let first = firstMicroseconds, let last = lastMicroseconds else {
            return "No line of these logs has a time stamp."
        }
        return
            "No message \(query.words) passed here between \(civilSecond(first)) and \(civilSecond(last)). "
            + "If a bounce or a complaint names it, it was forged elsewhere, or it passed outside that "
            + "time."
    }
}

/// `2026-11-23 14:58:55 UTC`.
func civilSecond(_ microseconds: Int64) -> String {
    rfc3339(microseconds: microseconds).prefix(19).replacingT + " UTC"
}

extension Substring {
    fileprivate var replacingT: String {
        String(map { $0 == "T" ? " " : $0 })
    }
}
