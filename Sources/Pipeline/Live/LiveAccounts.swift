/// What all accounts did in the last hour of the log, at one moment.
public struct LiveAccounts: Sendable {
    /// When: monotonic nanoseconds, which name it too.
    public let nanoseconds: UInt64
    /// In no order.
    public let accounts: [LiveFigures.Account]
    /// Sends of accounts beyond those that are told apart, since the last five minutes began.
    public let sendsOfOthers: UInt64

    init(nanoseconds: UInt64, accounts: [LiveFigures.Account], sendsOfOthers: UInt64) {
        self.nanoseconds = nanoseconds
        self.accounts = accounts
        self.sendsOfOthers = sendsOfOthers
    }
}
