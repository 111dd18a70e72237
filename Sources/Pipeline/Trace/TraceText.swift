import MailEvents
import SafeText

extension Trace {
    /// The trace for a terminal or a pipe: verdict, facts, and all lines with their numbers.
    ///
    /// - Returns: whole lines; safe to show.
    public func text(_ result: TraceResult, isColoured: Bool) -> String {
        let palette = Palette(isColoured: isColoured)
        let lines = lines
        var numbers: [UInt64: Int] = [:]
        for (index, line) in lines.enumerated() { numbers[line.sequence] = index + 1 }
        let verdict = verdict(
            logsFrom: result.firstMicroseconds ?? 0,
            to: result.lastMicroseconds ?? 0
        )
        let parts = verdict.parts.map { part in
            let proof = part.proof.compactMap { numbers[$0] }.sorted().map { "[\($0)]" }
                .joined()
            return shownKeepingBackslashes(part.words) + (proof.isEmpty ? "" : " \(proof)")
        }
        var text = palette.bold(parts.joined(separator: "; ") + ".") + "\n"
        for (name, value) in facts {
            let space = String(repeating: " ", count: max(1, 12 - name.count))
            text += "    \(name)\(space)\(shown(value))\n"
        }
        text += "\n"
        let width = String(lines.count).count
        for (index, line) in lines.enumerated() {
            let number = String(index + 1)
            let space = String(repeating: " ", count: width - number.count)
            let words = "    \(space)[\(number)] \(civilSecond(line.microseconds))  " + line.story
            text += (line.relation == .message ? words : palette.faint(words)) + "\n"
        }
        let leftOut = messages.reduce(0) { $0 + $1.linesLeftOut }
        if leftOut > 0 { text += "    \(leftOut) more lines are not shown\n" }
        return text
    }

    /// What is known of the message, by names.
    private var facts: [(String, String)] {
        let root = messages[0]
        var facts = [("queue ID", messages.map(\.queueID).joined(separator: ", "))]
        if let id = messages.lazy.compactMap(\.messageID).first { facts.append(("message ID", id)) }
        if let sender = root.sender {
            facts.append(("sender", sender.isEmpty ? "<> (null sender)" : sender))
        }
        var recipients: [String] = []
        for recipient in root.recipients where !recipients.contains(recipient) {
            recipients.append(recipient)
        }
        if !recipients.isEmpty {
            let more = recipients.count > 10 ? " and \(recipients.count - 10) more" : ""
            facts.append(("recipients", recipients.prefix(10).joined(separator: ", ") + more))
        }
        if let subject = messages.lazy.compactMap(\.subject).first {
            facts.append(("subject", subject))
        }
        return facts
    }

    // MARK: JSON

    /// The trace as flat JSON objects: one for each line, then the verdict, which has the member
    /// `postern.verdict`.
    ///
    /// - Parameter number: counts the traces of the result from 1.
    public func json(_ result: TraceResult, number: Int) -> [[UInt8]] {
        var objects: [[UInt8]] = []
        let lines = lines
        var places: [UInt64: String] = [:]
        for line in lines {
            places[line.sequence] = line.place
            var object = JSONObjectWriter()
            object.member("postern.trace", number)
            object.member("@timestamp", rfc3339(microseconds: line.microseconds))
            object.member("event.original", String(decoding: line.bytes, as: UTF8.self))
            object.member("postern.line", line.place)
            object.member("postern.relation", line.relation.rawValue)
            objects.append(object.finished())
        }
        let verdict = verdict(
            logsFrom: result.firstMicroseconds ?? 0,
            to: result.lastMicroseconds ?? 0
        )
        let root = messages[0]
        var object = JSONObjectWriter()
        object.member("postern.trace", number)
        object.member("postern.verdict", verdict.kind.rawValue)
        object.member("message", verdict.sentence)
        object.member("postern.proof", verdict.proof.compactMap { places[$0] })
        object.member("event.start", rfc3339(microseconds: firstMicroseconds))
        object.member("event.end", rfc3339(microseconds: lastMicroseconds))
        object.member("user.name", root.login)
        object.member("source.ip", root.clientIP)
        object.member("source.domain", root.clientName)
        object.member("postern.login_method", root.loginMethod)
        object.member("postern.tls", root.tls)
        object.member("email.local_id", messages.map(\.queueID))
        object.member("email.message_id", messages.lazy.compactMap(\.messageID).first)
        object.member("email.sender.address", root.sender)
        object.member("email.to.address", root.recipients)
        object.member("email.subject", messages.lazy.compactMap(\.subject).first)
        object.member("host.name", root.host.isEmpty ? nil : root.host)
        object.member("postern.dialect", root.dialect.name)
        objects.append(object.finished())
        return objects
    }
}

extension TraceResult {
    /// That nothing was found, as one flat JSON object.
    public func nothingFoundJSON(_ query: TraceQuery) -> [UInt8] {
        var object = JSONObjectWriter()
        object.member("postern.verdict", "not-found")
        object.member("message", nothingFound(query))
        object.member("event.start", firstMicroseconds.map { rfc3339(microseconds: $0) })
        object.member("event.end", lastMicroseconds.map { rfc3339(microseconds: $0) })
        return object.finished()
    }
}

extension TracedLine {
    /// The line without its stamp where that is known to end: whose line it is, and what it says.
    /// Safe to show.
    fileprivate var story: String {
        let header = SyslogHeader(bytes.span)
        return shown(header.isPresent ? bytes[header.host.lowerBound...] : bytes[...])
    }
}
