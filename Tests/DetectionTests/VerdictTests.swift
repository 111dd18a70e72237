import MailEvents
import Sigma
import Testing

@testable import Detection

private func event(
    _ receipt: Receipt,
    _ evidence: ReceiptEvidence = .subject,
    from address: Int = 1,
    bait: Bait? = nil
) -> SendEvent {
    var event = SendEvent()
    event.receipt = receipt
    event.receiptEvidence = receipt == .none ? .none : evidence
    event.account = event.append(Array("alice@hosted.example".utf8).span)
    event.sourceIP = event.append(Array("192.0.2.\(address)".utf8).span)
    event.bait = bait
    return event
}

private func bait(_ evidence: BaitEvidence, third: Bool?, at time: Int64) -> Bait {
    Bait(queueID: [], sender: [], evidence: evidence, microseconds: time, isThirdParty: third)
}

private func verdict(_ events: [SendEvent], _ proposed: Diagnosis) -> Verdict {
    Verdict(events, proposed: proposed, blocklists: [])
}

@Suite struct VerdictTests {
    /// Every mixture of up to six sends, against the rule in words: proven receipts are Outlook's own;
    /// those that only their subjects show are so unless they came from many places or the rule says
    /// otherwise; what is mostly no receipt is as the rule says, but never Outlook's.
    @Test(arguments: Diagnosis.allCases) func everyMixtureHasItsVerdict(proposed: Diagnosis) {
        for receipts in 0...6 {
            for others in 0...(6 - receipts) where receipts + others > 0 {
                for isProven in [false, true] {
                    for isSpread in [false, true] {
                        var events: [SendEvent] = []
                        for number in 0..<(receipts + others) {
                            let isReceipt = number < receipts
                            events.append(
                                event(
                                    isReceipt ? .notRead : .none,
                                    isProven && number == 0 ? .both : .subject,
                                    from: isSpread ? number : 1
                                )
                            )
                        }
                        let wanted: Diagnosis
                        if receipts * 2 < receipts + others || receipts == 0 {
                            wanted = proposed == .outlookReceipts ? .unclear : proposed
                        } else if isProven {
                            wanted = .outlookReceipts
                        } else if isSpread && events.count > 5 {
                            wanted = .unclear
                        } else {
                            wanted = proposed == .outlookReceipts ? .outlookReceipts : .unclear
                        }
                        #expect(verdict(events, proposed).name == wanted.rawValue)
                    }
                }
            }
        }
    }

    @Test func aBaitProvesReceiptsFromManyPlaces() {
        var events = (0..<6).map { event(.notRead, from: $0) }
        #expect(verdict(events, .outlookReceipts).name == "unclear")
        events[3].bait = bait(.request, third: true, at: 1)
        #expect(verdict(events, .outlookReceipts).name == "outlook-receipts")
    }

    @Test func theBaitThatProvesMostIsNamed() {
        let events = [
            event(.notRead, bait: bait(.subject, third: nil, at: 1)),
            event(.notRead, bait: bait(.request, third: false, at: 2)),
            event(.notRead, bait: bait(.request, third: true, at: 9)),
            event(.notRead, bait: bait(.request, third: true, at: 8)),
        ]
        #expect(verdict(events, .outlookReceipts).bait?.microseconds == 8)
    }

    @Test func factsAgreeInNumber() {
        let one = verdict([event(.notRead, .both)], .outlookReceipts).facts
        #expect(one.contains("1 of 1 sends is a \"Not read:\" receipt"))
        #expect(one.contains("1 shows it by its content type"))
        let two = verdict([event(.notRead), event(.notRead)], .outlookReceipts).facts
        #expect(two.contains("2 of 2 sends are \"Not read:\" receipts"))
        #expect(two.contains("only the subjects show that they are receipts"))
    }
}
