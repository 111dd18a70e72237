import Findings
import Pipeline
import SafeText

/// Pages of all accounts, those with the most sends first: asks the engine for them at most every ten
/// seconds, however many ask here, and sorts them where it does not wait.
actor AccountDesk {
    private let board: LiveBoard
    private let pseudonyms: Pseudonyms?
    private var sorted: (nanoseconds: UInt64, accounts: [LiveFigures.Account])?

    /// A first page shows nothing older; the pages behind it go on with the same list, if they come in
    /// the minute that it is kept.
    private static let freshNanoseconds: UInt64 = 10_000_000_000
    private static let keptNanoseconds: UInt64 = 60_000_000_000

    init(board: LiveBoard, pseudonyms: Pseudonyms?) {
        self.board = board
        self.pseudonyms = pseudonyms
    }

    /// - Parameter offset: how many accounts were given before.
    /// - Returns: nil when the engine does not answer.
    func page(offset: Int, limit: Int) async -> [UInt8]? {
        let age = offset == 0 ? Self.freshNanoseconds : Self.keptNanoseconds
        guard let all = await board.accounts(within: age) else {
            sorted = nil
            return nil
        }
        if sorted?.nanoseconds != all.nanoseconds {
            let accounts = all.accounts.sorted {
                ($1.sends, $0.name) < ($0.sends, $1.name)
            }
            sorted = (all.nanoseconds, accounts)
        }
        let accounts = sorted?.accounts ?? []
        let page = accounts.dropFirst(offset).prefix(limit)
        var object = JSONObjectWriter()
        object.member("accounts", json: LiveFigures.list(page.map { $0.json(pseudonyms) }))
        object.member("active_accounts", accounts.count)
        object.member("sends_of_others", all.sendsOfOthers)
        if offset + page.count < accounts.count {
            object.member("next", "\(offset + page.count)")
        }
        return object.finished()
    }
}
