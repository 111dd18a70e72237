import Foundation
import MailEvents
import TestSupport
import Testing

@testable import Detection

private func event(
    _ dialect: Dialect,
    id: String,
    sender: String = "",
    delivery: Delivery = .deferred
) -> SendEvent {
    var event = SendEvent()
    event.dialect = dialect
    event.delivery = delivery
    event.queueID = event.append(Array(id.utf8).span)
    event.sender = event.append(Array(sender.utf8).span)
    return event
}

/// The words that a shell makes of a command's arguments.
private func words(_ command: String) throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "set -- \(command); for word; do printf '%s\\0' \"$word\"; done"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast()
        .map { String(decoding: $0, as: UTF8.self) }
}

@Suite struct ServerCommandsTests {
    /// What a login or an address may be chosen to be.
    static let names = [
        "alice@hosted.example", "o'brien@hosted.example", "a b", "$(reboot)", "`reboot`",
        "; reboot;",
        "-rf", "\\", "'", "''", "\"", "a&b|c>d<e*?[x]~!#%", "'; reboot; '", "x'\\''y",
    ]

    @Test(arguments: names) func aShellReadsOneWordAndNothingElse(_ name: String) throws {
        let quoted = try #require(ServerCommands.quoted(name))
        #expect(try words("a \(quoted) z") == ["a", name, "z"])
    }

    @Test(
        arguments: [
            "", "a\nb", "a\u{1b}[2J", "a\0b", "\u{202e}evil", "ü@hosted.example", "a\tb",
            String(repeating: "a", count: 129),
        ]
    )
    func whatNoTerminalShouldGetIsLeftOut(_ name: String) {
        #expect(ServerCommands.quoted(name) == nil)
        let commands = ServerCommands(
            [event(.postfix, id: "4jY8Gq6", sender: name)],
            accounts: [name],
            isStolen: true
        )
        #expect(commands.commands == ["postsuper -h 4jY8Gq6"])
    }

    @Test(arguments: names) func everyCommandIsOneLineOfASCII(_ name: String) throws {
        for dialect in Dialect.allCases {
            let commands = ServerCommands(
                [event(dialect, id: "4jY8Gq6", sender: name)],
                accounts: [name],
                isStolen: true
            )
            for command in commands.commands {
                #expect(command.utf8.allSatisfy { 0x20...0x7e ~= $0 })
                guard dialect != .exchange, dialect != .microsoft365 else { continue }
                // Nothing of the name is syntax: the shell finds the line well formed.
                let check = Process()
                check.executableURL = URL(fileURLWithPath: "/bin/sh")
                check.arguments = ["-n", "-c", command]
                try check.run()
                check.waitUntilExit()
                #expect(check.terminationStatus == 0, "\(command)")
            }
        }
    }

    @Test func onlyWhatMayStillBeInTheQueueIsHeld() {
        let events = [
            event(.exim, id: "1aBcDe-000001-Ab", delivery: .deferred),
            event(.exim, id: "1aBcDe-000002-Ab", delivery: .sent),
            event(.exim, id: "1aBcDe-000001-Ab", delivery: .unknown),
            event(.exim, id: "; reboot", delivery: .deferred),
        ]
        let commands = ServerCommands(events, accounts: [], isStolen: false)
        #expect(commands.commands == ["exim -Mf 1aBcDe-000001-Ab"])
    }

    @Test func aSendersMarksMeanThemselvesInExiqgrep() {
        let commands = ServerCommands(
            [event(.exim, id: "1aBcDe-000001-Ab", sender: "a.b+c'd@x.test", delivery: .sent)],
            accounts: [],
            isStolen: false
        )
        #expect(
            commands.commands == [#"exiqgrep -i -f 'a\.b\+c'\''d@x\.test' | xargs -r exim -Mf"#]
        )
    }

    @Test func sessionsAreEndedOnlyWhereTheLoginIsStolen() {
        let events = [event(.postfix, id: "4jY8Gq6", delivery: .sent)]
        let own = ServerCommands(events, accounts: ["alice"], isStolen: false).commands
        let stolen = ServerCommands(events, accounts: ["alice"], isStolen: true).commands
        #expect(!own.contains { $0.hasPrefix("doveadm") })
        #expect(stolen.contains("doveadm kick -- 'alice'"))
    }

    @Test func aPowerShellDoublesQuotes() {
        let commands = ServerCommands(
            [event(.exchange, id: "1", delivery: .sent)],
            accounts: ["o'brien@hosted.example"],
            isStolen: false
        )
        #expect(
            commands.commands == [
                "Set-MailboxMessageConfiguration -Identity 'o''brien@hosted.example' "
                    + "-ReadReceiptResponse NeverSend"
            ]
        )
    }
}
