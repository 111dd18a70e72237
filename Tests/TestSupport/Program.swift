public import Foundation

/// The built program, run as its users run it.
public struct Program: Sendable {
    /// What a run came to.
    public struct Result: Sendable {
        public let status: Int32
        public let output: String
        public let error: String

        /// Each line of the output as a JSON object.
        public var objects: [[String: Any]] {
            get throws {
                try output.split(separator: "\n").map { line in
                    let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
                    return value as? [String: Any] ?? [:]
                }
            }
        }
    }

    public let path: String

    /// The program that `deploy/test` built: `POSTERN_PROGRAM`, else the release build of this tree.
    public init() throws {
        path =
            ProcessInfo.processInfo.environment["POSTERN_PROGRAM"]
            ?? sourceTree.appendingPathComponent(".build/release/postern").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Missing(path: path)
        }
    }

    /// There is no program to test; `deploy/test` builds it.
    public struct Missing: Error { public let path: String }

    /// Runs the program to its end.
    public func run(_ arguments: [String], input: Data? = nil) throws -> Result {
        let scratch = try Scratch()
        let outPath = try scratch.write("out", "")
        let errPath = try scratch.write("err", "")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin", "TZ": "UTC"]
        process.standardOutput = FileHandle(forWritingAtPath: outPath)
        process.standardError = FileHandle(forWritingAtPath: errPath)
        if let input {
            let inPath = try scratch.write("in", input)
            process.standardInput = FileHandle(forReadingAtPath: inPath)
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        process.waitUntilExit()
        return Result(
            status: process.terminationReason == .exit
                ? process.terminationStatus : -process.terminationStatus,
            output: String(
                decoding: try Data(contentsOf: URL(fileURLWithPath: outPath)),
                as: UTF8.self
            ),
            error: String(
                decoding: try Data(contentsOf: URL(fileURLWithPath: errPath)),
                as: UTF8.self
            )
        )
    }

    /// Starts the program and leaves it running; its output goes to the files.
    ///
    /// - Parameter environment: besides the usual one. With a library to load first the program is
    ///   started by env(1): libfaketime changes the environment of the first program that it comes to,
    ///   behind whose place on the stack Swift looks for the arguments.
    public func start(
        _ arguments: [String],
        output: String,
        error: String,
        environment: [String: String] = [:]
    ) throws -> Process {
        for file in [output, error] where !FileManager.default.fileExists(atPath: file) {
            _ = FileManager.default.createFile(atPath: file, contents: nil)
        }
        let process = Process()
        let isDirect = environment["LD_PRELOAD"] == nil
        process.executableURL = URL(fileURLWithPath: isDirect ? path : "/usr/bin/env")
        process.arguments = isDirect ? arguments : [path] + arguments
        process.environment = ["PATH": "/usr/bin:/bin", "TZ": "UTC"].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let out = FileHandle(forWritingAtPath: output)
        out?.seekToEndOfFile()
        let err = FileHandle(forWritingAtPath: error)
        err?.seekToEndOfFile()
        process.standardOutput = out
        process.standardError = err
        try process.run()
        return process
    }
}

/// Waits until a condition holds, looking every few milliseconds; false if it did not for `seconds`.
/// Only a broken program waits so long: no test's outcome depends on speed.
public func eventually(_ seconds: Double = 60, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if try condition() { return true }
        usleep(5_000)
    }
    return try condition()
}
