import MailEvents
import SafeText
import Sigma

/// What an alert's events say about who sent them: the verdict, and the facts that decided.
///
/// A rule only proposes a verdict. Receipts that Outlook sends by itself carry the content type of a
/// disposition notification and answer mail that came before; whoever has stolen a login writes what
/// he likes, from wherever he is.
struct Verdict {
    /// `postern.diagnosis`.
    let name: String
    /// Begins the alert's message.
    let sentence: String
    /// What decided, each as a short sentence.
    let facts: [String]
    /// The bait that proves most: of a logged request before a subject, of a third party before
    /// others, the earliest.
    let bait: Bait?

    /// More client addresses than one person's mail programs have at the same time.
    private static let addressesMax = 5
    /// Names that a fact lists.
    private static let namesMax = 5

    init(_ events: [SendEvent], proposed: Diagnosis, blocklists: [String]) {
        let receipts = events.filter { $0.receipt == .notRead || $0.receipt == .unknown }.count
        let proven = events.filter {
            $0.receiptEvidence == .both || $0.receiptEvidence == .contentType
        }.count
        let baits = events.compactMap(\.bait)
        var addresses: Set<[UInt8]> = []
        for event in events where event.sourceIP.isPresent {
            addresses.insert(Array(event.text[event.sourceIP.indices]))
        }
        let accounts = Set(events.map { Array($0.text[$0.account.indices]) }).count
        let isSpread = addresses.count > Self.addressesMax * max(1, accounts)

        let kind = Self.decide(
            proposed,
            areReceipts: receipts > 0 && receipts * 2 >= events.count,
            isProven: proven > 0 || !baits.isEmpty,
            isSpread: isSpread
        )
        name = kind.rawValue
        sentence =
            switch kind {
            case .outlookReceipts: "Sent by the user's own Outlook, login not shown stolen"
            case .stolenLogin: "Login probably stolen"
            case .unclear: "Unclear whether by the user or by somebody else"
            }
        bait = Self.best(of: baits)

        var facts: [String] = []
        let all = events.count
        if receipts > 0 {
            facts.append(
                "\(receipts) of \(all) sends "
                    + Self.agree(
                        receipts,
                        "is a \"Not read:\" receipt",
                        "are \"Not read:\" receipts"
                    )
            )
        } else if all > 0 {
            facts.append("none of \(all) sends is a read receipt")
        }
        if proven > 0 {
            let what = Self.agree(proven, "shows it by its", "show it by their")
            facts.append("\(proven) \(what) content type")
        }
        let asked = baits.filter { $0.evidence == .request }
        if !asked.isEmpty {
            let third = asked.filter { $0.isThirdParty == true }.count
            facts.append(
                "\(asked.count) \(Self.agree(asked.count, "answers", "answer")) mail that asked for it"
                    + (third > 0 ? ", \(third) at another domain than its sender's" : "")
            )
        }
        if baits.count > asked.count {
            let others = baits.count - asked.count
            facts.append(
                "\(others) \(Self.agree(others, "has", "have")) the subject of mail that came before"
            )
        }
        let unseen = events.filter(\.facts.isDomainUnseen).count
        if unseen > 0 {
            facts.append("\(unseen) went to domains that the account had not written to before")
        }
        if isSpread {
            facts.append("they came from \(addresses.count) addresses")
        } else if addresses.count == 1, let address = addresses.first {
            facts.append("all came from \(String(decoding: address, as: UTF8.self))")
        }
        if receipts > 0, proven == 0, baits.isEmpty {
            facts.append("only the subjects show that they are receipts")
        }
        let ambiguous = events.filter(\.isAmbiguous).count
        if ambiguous > 0 {
            let have = Self.agree(ambiguous, "has", "have")
            facts.append("\(ambiguous) \(have) a log line that can be read in two ways")
        }
        if !blocklists.isEmpty {
            let names = blocklists.prefix(Self.namesMax).joined(separator: ", ")
            facts.append("servers refuse this one because of a blocklist: \(names)")
        }
        self.facts = facts
    }

    private static func agree(_ count: Int, _ one: String, _ many: String) -> String {
        count == 1 ? one : many
    }

    private static func decide(
        _ proposed: Diagnosis,
        areReceipts: Bool,
        isProven: Bool,
        isSpread: Bool
    ) -> Diagnosis {
        guard areReceipts else { return proposed == .outlookReceipts ? .unclear : proposed }
        // A mail program that answers by itself does it, whatever else the rule looks for.
        if isProven { return .outlookReceipts }
        if isSpread { return .unclear }
        return proposed == .outlookReceipts ? .outlookReceipts : .unclear
    }

    private static func best(of baits: [Bait]) -> Bait? {
        func weight(_ bait: Bait) -> Int {
            (bait.evidence == .request ? 2 : 0) + (bait.isThirdParty == true ? 1 : 0)
        }
        return baits.min { left, right in
            (-weight(left), left.microseconds) < (-weight(right), right.microseconds)
        }
    }
}
