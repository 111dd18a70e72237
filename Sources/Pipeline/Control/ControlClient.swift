import LinuxIO
public import SystemPackage

/// A command's connection to the daemon.
public struct ControlClient: ~Copyable {
    private let stream: UnixStream

    /// A batch of lines and a commit are done long before; a reload may compile thousands of rules.
    static let answerNanoseconds: UInt64 = 60_000_000_000

    /// Connects to the daemon that has the state folder.
    ///
    /// - Returns: nil when none runs.
    public static func connect(
        to folder: FilePath
    ) throws(ControlClientError) -> ControlClient? {
        let deadline = Clocks.monotonicNanoseconds() + 10_000_000_000
        while true {
            do {
                let stream = try UnixStream(folder: folder, name: ControlServer.socketName)
                return ControlClient(stream: stream)
            } catch {
                switch error.cause {
                case .noSuchFileOrDirectory, .connectionRefused: return nil
                case .wouldBlock where Clocks.monotonicNanoseconds() < deadline:
                    var nothing = PollSet()
                    _ = try? nothing.wait(atMost: 20_000_000)
                default: throw ControlClientError(message: "\(error)")
                }
            }
        }
    }

    private init(stream: consuming UnixStream) { self.stream = stream }

    /// Asks, and waits for the answer.
    public func ask(_ call: ControlCall) throws(ControlClientError) -> ControlAnswer {
        let line = call.json() + [UInt8(ascii: "\n")]
        guard line.count <= ControlCall.bytesMax else {
            throw ControlClientError(message: "the request has more than 1 MiB")
        }
        do {
            return try exchange(line)
        } catch let error as SystemCallError {
            throw ControlClientError(message: "the daemon ended the connection: \(error.cause)")
        } catch let error as ControlClientError {
            throw error
        } catch {
            preconditionFailure("all errors are typed")
        }
    }

    private func exchange(_ line: [UInt8]) throws -> ControlAnswer {
        let deadline = Clocks.monotonicNanoseconds() + Self.answerNanoseconds
        var rest = line[...]
        while !rest.isEmpty {
            if let count = try stream.write(rest) {
                rest = rest.dropFirst(count)
            } else {
                try wait(forWriting: true, deadline)
            }
        }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while received.last != UInt8(ascii: "\n") {
            guard let count = try stream.read(into: &buffer, 0..<buffer.count) else {
                try wait(forWriting: false, deadline)
                continue
            }
            guard count > 0, received.count <= 2 * ControlAnswer.bytesMax else {
                throw ControlClientError(message: "the daemon ended before it answered")
            }
            received += buffer[..<count]
        }
        guard let answer = ControlAnswer(json: received) else {
            throw ControlClientError(
                message: "the daemon's answer is not understood: is it of another version?"
            )
        }
        return answer
    }

    private func wait(forWriting: Bool, _ deadline: UInt64) throws {
        let now = Clocks.monotonicNanoseconds()
        var set = PollSet()
        _ = set.add(stream, forWriting: forWriting)
        guard now < deadline, try set.wait(atMost: deadline - now) else {
            throw ControlClientError(
                message: "the daemon has not answered for a minute; whether it did what was asked "
                    + "shows in its state"
            )
        }
    }
}

/// The daemon could not be asked.
public struct ControlClientError: Error, Sendable {
    public var message: String
}
