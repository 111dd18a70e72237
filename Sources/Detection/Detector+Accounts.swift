public import Findings
import MailEvents
import Sigma

/// A window that has something of an account, as it stands.
public struct AccountWindow: Sendable, Hashable {
    /// Name of the rule; its title or ID where it has none.
    public var rule: String
    /// The group-by values in canonical form.
    public var group: [String]
    /// Events in the window, and how many of them are the account's.
    public var events: Int
    public var eventsOfAccount: Int
    /// What the rule compares with its threshold; nil where it compares none.
    public var figure: String?
    public var threshold: Int
    /// Event time of the first and the last event: microseconds.
    public var first: Int64
    public var last: Int64
    /// The alert that is open.
    public var alert: AlertID?
}

/// What forgetting an account took out of the windows, and what it had to leave.
public struct ForgottenWindows: Sendable, Hashable {
    /// Windows of the account alone.
    public var windows = 0
    /// Its events in windows of others.
    public var events = 0
    /// Its events that are proof of open alerts of others, and stay until those resolve.
    public var eventsKept = 0

    public init() {}
}

extension Detector {
    /// The windows that hold something of an account, in the order of the rules.
    ///
    /// - Parameter account: in canonical form.
    public mutating func windows(of account: [UInt8]) -> [AccountWindow] {
        var found: [AccountWindow] = []
        for (index, correlation) in correlations.enumerated() {
            for number in groups[index].ordered {
                let group = groups[index][number]
                let entries = groups[index].entries(of: number)
                let own = entries.count { held[$0.held]?.isOf(account) ?? false }
                guard own > 0 || isGroup(group, of: account, correlation) else { continue }
                var figure: String?
                if !entries.isEmpty {
                    figure =
                        groups[index].figure(
                            correlation,
                            number,
                            endingAt: entries.count - 1
                        )?.text
                }
                let isOpen = group.episode?.isOpen ?? false
                found.append(
                    AccountWindow(
                        rule: correlation.head.name ?? correlation.head.title,
                        group: group.values.map { String(decoding: $0, as: UTF8.self) },
                        events: entries.count,
                        eventsOfAccount: own,
                        figure: figure,
                        threshold: correlation.threshold,
                        first: entries.first?.microseconds ?? 0,
                        last: entries.last?.microseconds ?? 0,
                        alert: isOpen ? group.episode?.id : nil
                    )
                )
            }
        }
        return found
    }

    /// Forgets the windows of an account, and its events in the windows of others; alerts of others
    /// keep their proof. Nothing resolves by it.
    ///
    /// - Parameter account: in canonical form.
    public mutating func forget(_ account: [UInt8]) -> ForgottenWindows {
        var forgotten = ForgottenWindows()
        for (index, correlation) in correlations.enumerated() {
            for number in groups[index].ordered {
                let group = groups[index][number]
                if isGroup(group, of: account, correlation) {
                    forgotten.windows += 1
                    remove(index, number)
                    continue
                }
                let own = groups[index].entries(of: number).filter {
                    held[$0.held]?.isOf(account) ?? false
                }
                if group.episode?.isOpen ?? false {
                    let proof = group.episode?.events ?? []
                    let all = Set(proof + own.map(\.held))
                    forgotten.eventsKept += all.count { held[$0]?.isOf(account) ?? false }
                    continue
                }
                guard !own.isEmpty else { continue }
                forgotten.events += own.count
                let ids = Set(own.map(\.held))
                for event in groups[index].removeEntries(number, where: { ids.contains($0.held) }) {
                    held.giveBack(event)
                }
                // With nothing left and no alert to be reopened, there is nothing to be kept.
                let isEmpty = groups[index].entryCount(number) == 0
                if isEmpty, groups[index][number].episode == nil { remove(index, number) }
            }
        }
        return forgotten
    }

    /// Whether the group is one account's: its values name it.
    private func isGroup(
        _ group: CorrelationGroups.Group,
        of account: [UInt8],
        _ correlation: Correlation
    ) -> Bool {
        guard let fields = correlation.groupFields.first else { return false }
        return zip(fields, group.values).contains { field, value in
            field == EventField.userName.index && value == account
        }
    }
}

extension HeldEvent {
    fileprivate func isOf(_ account: [UInt8]) -> Bool {
        Array(event.text[event.account.indices]) == account
    }
}
