import Foundation
import TestSupport
import Testing

/// The daemon under a service manager.
struct ServiceTests {
    private static let root = sourceTree.path

    /// When it is ready, reloads and stops, and that it lives: `Tests/Rigs/service` has the details.
    @Test(.timeLimit(.minutes(2)), arguments: [[], ["--abstract"]])
    func theManagerHearsWhenItIsDue(options: [String]) async throws {
        let result = try await runToEnd(
            Self.root + "/Tests/Rigs/service",
            [try Program().path] + options
        )
        #expect(result.status == 0, "\(result.said)")
    }

    @Test func theUnitIsValidAndHardened() async throws {
        let unit = Self.root + "/deploy/postern.service"
        // 15 of 100: systemd's own measure, in which 100 is a service without any bounds.
        let security = try await runToEnd(
            "/usr/bin/systemd-analyze",
            ["security", "--offline=true", "--threshold=15", "--no-pager", unit]
        )
        #expect(security.status == 0, "\(security.said)")
        // The programs that it names must be there, so it is verified with those of this tree.
        let scratch = try Scratch()
        let text = try String(contentsOfFile: unit, encoding: .utf8)
        #expect(text.contains("=/usr/bin/postern "))
        let path = try scratch.write(
            "postern.service",
            text.replacingOccurrences(of: "=/usr/bin/postern ", with: "=\(try Program().path) ")
        )
        let verified = try await runToEnd(
            "/usr/bin/systemd-analyze",
            ["verify", "--man=no", path]
        )
        #expect(verified.status == 0, "\(verified.said)")
        let complaints = verified.said.split(separator: "\n").filter { $0.contains(path) }
        #expect(complaints == [], "\(verified.said)")
    }
}
