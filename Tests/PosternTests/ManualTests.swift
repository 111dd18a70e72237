import Foundation
import TestSupport
import Testing

/// Manual pages, completions and the shipped settings file say what the program does.
struct ManualTests {
    /// `Tests/Rigs/manual` compares: keys and defaults of the settings, fields and modifiers of rules,
    /// commands; and has the pages and completions checked by those who read them.
    @Test func thePagesKeepToTheProgram() async throws {
        let result = try await runToEnd(
            sourceTree.appendingPathComponent("Tests/Rigs/manual").path,
            [try Program().path]
        )
        #expect(result.status == 0, "\(result.said)")
    }
}
