import ArgumentParser
import Glibc
import Memory
import Records
import State
import SystemPackage

/// What the memory of who wrote to whom costs: bytes in memory, and seconds until it is there.
struct MemoryBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Loads ten million pairs of account and domain from a state folder.",
        discussion: """
            The first time it fills the folder and ends; each later time it loads what lies there, as \
            the daemon does at its start. Half of the domains are a few that everybody writes to.

            EXAMPLE
              PosternBench memory /var/tmp/pairs
              PosternBench memory /var/tmp/pairs
            """
    )

    @Option(help: "Pairs of an account and a domain.")
    var pairs = 10_000_000

    @Option(help: "Accounts that have them.")
    var accounts = 200_000

    @OptionGroup var report: ReportOptions

    @Argument(help: "Folder of the state.")
    var folder: String

    func validate() throws {
        guard accounts > 0, pairs >= accounts else {
            throw ValidationError("each account has a pair or more")
        }
    }

    func run() throws {
        let path = FilePath(folder)
        let isFilled = unsafe access(path.appending("postern.sqlite").string, R_OK) == 0
        let store = try StateStore(folder: path, create: .init(nowMicroseconds: 0, host: "bench"))
        guard isFilled else { return try fill(store) }
        let before = residentMegabytes()
        let begin = now()
        var memory = AccountMemory(seed: .constant)
        for (kind, stored) in [
            (AccountMemory.Piece.Kind.horizon, 24), (.account, 1), (.activity, 23),
        ] as [(AccountMemory.Piece.Kind, UInt16)] {
            try store.forEachPiece(PieceKind(rawValue: stored)) { key, body in
                let piece = AccountMemory.Piece(kind: kind, key: copy(key), body: copy(body))
                return (try? memory.restore(piece)) != nil
            }
        }
        let seconds = now() - begin
        let after = residentMegabytes()
        var result = BenchReport("memory")
        result.input("pairs", memory.pairCount)
        result.input("accounts", memory.accountCount)
        result.add("loading", "s", [seconds])
        result.add("resident", "MiB", after)
        result.add("resident before", "MiB", before)
        let bytes = (after - before) * 1_048_576 / max(1, memory.pairCount)
        result.add("a pair", "bytes", bytes)
        report.print(result)
    }

    private func fill(_ store: StateStore) throws {
        var random: UInt64 = 1
        var done = 0
        let each = pairs / accounts
        for start in stride(from: 0, to: accounts, by: 10_000) {
            var memory = AccountMemory(seed: .constant)
            memory.sawDay(20_500, at: 1_771_200_000_000_000)
            for index in start..<min(accounts, start + 10_000) {
                let name = Array("account\(index)@client\(index % 5_000).hosted.example".utf8)
                let account = memory.account(memory.hash(name.span), name: name.span)
                for _ in 0..<(index == accounts - 1 ? pairs - done : each) {
                    // Domains by their hashes: half of the letters go to 20,000 of them.
                    let choice = next(&random)
                    let domain = choice & 1 == 0 ? choice % 40_000 : choice % 4_000_000
                    memory.wrote(
                        account,
                        to: memory.hash(bytes(of: domain).span),
                        day: 20_200 + Int(choice >> 8 % 300),
                        isReceipt: false
                    )
                    done += 1
                }
                memory.contacted(
                    account,
                    next(&random),
                    at: 1_771_200_000_000_000,
                    mayRepeat: false
                )
            }
            var changes = Changes()
            for piece in memory.takeChanges() {
                let kind: UInt16 =
                    switch piece.kind {
                    case .account: 1
                    case .activity: 23
                    case .horizon: 24
                    case .domain, .clock, .name: 0
                    }
                guard kind > 0 else { continue }
                changes.setPiece(
                    PieceKind(rawValue: kind),
                    key: piece.key.span,
                    body: piece.body.span
                )
            }
            try store.commit(changes, durable: false)
        }
        print("the folder is filled; run it again to load it")
    }

    /// A number's bytes, as a name.
    private func bytes(of number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
    }

    private func next(_ random: inout UInt64) -> UInt64 {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return random >> 20
    }

    private func copy(_ bytes: Span<UInt8>) -> [UInt8] {
        var array: [UInt8] = []
        array.reserveCapacity(bytes.count)
        for index in bytes.indices { array.append(bytes[index]) }
        return array
    }

    private func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The process' resident memory (`/proc/self/statm`, proc(5)): MiB.
    private func residentMegabytes() -> Int {
        guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard unsafe fgets(&line, 256, file) != nil else { return 0 }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4_096 / 1_048_576
    }
}
