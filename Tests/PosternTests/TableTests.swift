import Foundation
import TestSupport
import Testing

/// Tables of Exchange and Microsoft 365, with the events that are in them.
@Suite struct TableTests {
    /// The folder has what three services of a server wrote of the same messages; the first export is
    /// UTF-16, the second goes from the latest to the earliest.
    @Test(arguments: ["exchange", "microsoft365-summary.csv", "microsoft365-trace.csv"])
    func theEventsOfATableAreTheExpectedOnes(_ name: String) throws {
        let result = try Program().run(["events", "--json", corpus(name).path])
        #expect(result.status == 0)
        let expected = try String(
            contentsOf: corpus(name.replacing(".csv", with: "") + ".events.jsonl"),
            encoding: .utf8
        )
        // Records name the file by the path that was given.
        #expect(result.output.replacing(sourceTree.path + "/", with: "") == expected)
    }

    @Test func anExportInUTF16IsReadFromAPipeToo() throws {
        let bytes = try Data(contentsOf: corpus("microsoft365-summary.csv"))
        let result = try Program().run(["events", "--json", "-"], input: bytes)
        #expect(result.status == 0)
        let users = try result.objects.map { $0["email.to.address"] as? String }
        #expect(
            users == [
                "bob@shop.example", "carol@corp.example", "x@unseen-1.example",
                "y@unseen-2.example",
            ]
        )
    }

    /// What detection can make nothing of is told.
    @Test func anExportThatGoesBackInTimeIsToldOf() throws {
        let result = try Program().run(["replay", corpus("microsoft365-trace.csv").path])
        #expect(result.error.contains("from the latest to the earliest"))
        let other = try Program().run(["replay", corpus("microsoft365-summary.csv").path])
        #expect(!other.error.contains("from the latest"))
    }

    /// Rows may lie days apart; each keeps its time.
    @Test func theRowsOfAnExportMayLieDaysApart() throws {
        let head = "Received,SenderAddress,RecipientAddress,Subject,Status,FromIP,MessageId\n"
        let days = ["2026-03-01", "2026-03-05", "2026-03-09", "2026-05-01"]
        let rows = days.map {
            "\($0)T10:00:00Z,alice@corp.example,bob@shop.example,Hello,Delivered,,<\($0)@pc>\n"
        }
        let input = Data((head + rows.joined()).utf8)
        let result = try Program().run(["events", "--json", "-"], input: input)
        let times = try result.objects.map { $0["@timestamp"] as? String }
        #expect(times == days.map { $0 + "T10:00:00.000Z" })
    }
}
