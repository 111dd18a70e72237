import Alerting
public import Findings
import SafeText

extension Incident {
    /// The incident without names: for those who need not know whose it is. Raw lines are left out,
    /// as they would tell; the digests stay those of the bundles.
    public func withPseudonyms(_ pseudonyms: Pseudonyms) -> Incident {
        var other = self
        let names = facts.accounts + events.map(\.account)
        func sentence(_ text: String) -> String { pseudonyms.sentence(text, naming: names) }
        other.facts.message = sentence(facts.message)
        other.facts.account = facts.account.map(pseudonyms.address)
        other.facts.accounts = facts.accounts.map(pseudonyms.address)
        other.facts.hosts = facts.hosts.map(pseudonyms.domain)
        other.facts.diagnosisFacts = facts.diagnosisFacts.map(sentence)
        other.facts.commands = []
        other.events = events.map { event in
            var other = event
            other.account = pseudonyms.address(event.account)
            other.recipient = pseudonyms.address(event.recipient)
            other.domain = pseudonyms.domain(event.domain)
            other.subject = event.subject.map(pseudonyms.subject)
            // It names the computer that wrote the message.
            other.messageID = nil
            other.client = event.client.map(pseudonyms.client)
            other.sender = event.sender.map(pseudonyms.address)
            other.baitSender = event.baitSender.map(pseudonyms.address)
            return other
        }
        other.lines = []
        other.hasPseudonyms = true
        return other
    }
}
