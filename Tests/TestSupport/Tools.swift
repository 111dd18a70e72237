import Foundation

/// A command of the system that did not do what a test needs.
public struct ToolFailure: Error {
    public let command: String
    public let error: String
}

/// Runs a shell command in a folder, as a user would make an archive there.
///
/// - Throws: when it ends with another status than 0.
public func shell(_ command: String, in folder: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-euc", command]
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = ["PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    let error = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ToolFailure(command: command, error: String(decoding: error, as: UTF8.self))
    }
}
