public import MailEvents

/// An open message, as whoever explains a line gets to see it. Texts are copies.
public struct MessageView: Sendable, Equatable {
    public var queueID: [UInt8]
    /// Tells this use of the queue ID from others.
    public var serial: UInt64
    /// The account that it was submitted with; nil when nobody logged in.
    public var login: [UInt8]?
    /// Lines of it came, but not yet the one that says where it came from.
    public var isProvisional: Bool
    /// For a message that a filter made: the queue ID of the one that went into it.
    public var outerQueueID: [UInt8]?
    /// And the account of that one.
    public var outerLogin: [UInt8]?
}

extension Assembler {
    /// The open message that a line's fact belongs to; nil when there is none. Not for hot paths.
    public mutating func message(of fact: LineFact, _ line: Span<UInt8>) -> MessageView? {
        guard fact.key != 0, fact.queueID.isPresent, let slot = openSlot(of: fact, line) else {
            return nil
        }
        let assembly = slots[Int(slot)]
        var view = MessageView(
            queueID: assembly.queueIDBytes,
            serial: assembly.serial,
            login: assembly.bytes(assembly.login),
            isProvisional: assembly.isProvisional
        )
        let outerSlot = outer(of: Int(slot))
        if outerSlot >= 0 {
            let outer = slots[Int(outerSlot)]
            view.outerQueueID = outer.queueIDBytes
            view.outerLogin = outer.bytes(outer.login)
        }
        return view
    }

    /// Whose log the message is of.
    public mutating func dialect(slot: Int32) -> Dialect { slots[Int(slot)].dialect }

    /// Of a submission that was queued, and ends without one recipient having come to light: whether
    /// its subject did. Nil of all others.
    public mutating func endedWithoutRecipient(slot: Int32) -> Bool? {
        let index = Int(slot)
        guard slots[index].isSubmission, slots[index].isActive, slots[index].recipients.isEmpty
        else { return nil }
        return slots[index].subject.isPresent || slots[index].subjectRest.isPresent
    }

    /// Where the text of a logged header ends in its line, as the message's client and sender tell it
    /// from the tail that Postfix appends (architecture §6); nil when they are not known.
    ///
    /// - Parameter fact: of kind ``LineFact/Kind/headerLine``.
    public mutating func endOfHeader(_ fact: LineFact, _ line: Span<UInt8>) -> Int? {
        guard fact.a.isPresent, let slot = openSlot(of: fact, line),
            slots[Int(slot)].client.isPresent
        else { return nil }
        let tails = Assembly.headerTails(
            line,
            from: Int(fact.a.start),
            text: slots[Int(slot)].text,
            client: slots[Int(slot)].client,
            sender: slots[Int(slot)].sender
        )
        return (tails.firstOfSender ?? tails.first)?.textEnd
    }
}

extension Assembly {
    /// The queue ID, which ordinary inbound mail has as words only.
    fileprivate var queueIDBytes: [UInt8] { bytes(queueID) ?? words.bytes }

    fileprivate func bytes(_ range: TextRange) -> [UInt8]? {
        range.isPresent ? Array(text[range.indices]) : nil
    }
}
