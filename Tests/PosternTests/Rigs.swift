import Foundation
import TestSupport
import Testing

/// An environment of Python with packages of PyPI, kept from one run of the tests to the next.
struct PythonEnvironment: Sendable {
    private let folder: String
    /// Why it is not there; nil when it is.
    let trouble: String?

    private static let rigs = sourceTree.appendingPathComponent("Tests/Rigs").path

    /// - Parameter name: of its folder.
    init(_ name: String, _ packages: [String]) {
        let temporary = FileManager.default.temporaryDirectory
        folder = temporary.appendingPathComponent("postern-rigs-\(name)").path
        guard ProcessInfo.processInfo.environment["POSTERN_OFFLINE"] == nil else {
            trouble = "POSTERN_OFFLINE is set"
            return
        }
        let made = try? Self.run(Self.rigs + "/venv", [folder] + packages)
        // 75: PyPI cannot be reached. Whatever else goes wrong fails the tests.
        trouble =
            made == nil
            ? "Tests/Rigs/venv cannot be run"
            : made?.status == 75 ? "PyPI cannot be reached" : nil
    }

    /// Runs a rig in this environment.
    func rig(_ name: String, _ arguments: [String]) throws -> (status: Int32, said: String) {
        try Self.run(folder + "/bin/python", [Self.rigs + "/" + name] + arguments)
    }

    private static func run(
        _ path: String,
        _ arguments: [String]
    ) throws -> (status: Int32, said: String) {
        let scratch = try Scratch()
        let said = try scratch.write("said", "")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: said)
        process.standardError = process.standardOutput
        try process.run()
        process.waitUntilExit()
        let text = try Data(contentsOf: URL(fileURLWithPath: said))
        return (process.terminationStatus, String(decoding: text, as: UTF8.self))
    }
}

/// A rig that prints the port where it listens, and notes what it gets as lines of JSON.
class ListeningRig {
    let scratch: Scratch
    private(set) var port = 0
    private let process = Process()

    init(rig name: String, _ arguments: [String] = []) throws {
        scratch = try Scratch()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments =
            [sourceTree.appendingPathComponent("Tests/Rigs/\(name)").path, scratch.path("got")]
            + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        var line: [UInt8] = []
        while let byte = try pipe.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 {
            line.append(byte)
        }
        port = try #require(Int(String(decoding: line, as: UTF8.self)))
    }

    deinit {
        // Test runners block signals, and who they start inherits it.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// What it got, in order.
    var got: [[String: Any]] {
        let text = (try? String(contentsOfFile: scratch.path("got"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        }
    }
}
