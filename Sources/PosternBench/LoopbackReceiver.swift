import Glibc

/// An HTTP server on loopback that says yes to everything. It runs while somebody waits for what it
/// gets, in that thread.
final class LoopbackReceiver {
    let port: UInt16
    private let socket: Int32
    private var connections: [(descriptor: Int32, bytes: [UInt8])] = []

    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter isListening: false: nobody is there until ``listen()``, and the port stays ours.
    init(isListening: Bool = true) throws {
        socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = socket
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(number, address, size) == 0
                    && getsockname(number, address, &size) == 0
            }
        }
        guard isBound else { throw Failed(description: "no port on loopback") }
        port = UInt16(bigEndian: address.sin_port)
        if isListening { listen() }
    }

    deinit {
        for connection in connections { close(connection.descriptor) }
        close(socket)
    }

    func listen() { _ = Glibc.listen(socket, 16) }

    /// Answers requests until one is the last that is wanted.
    ///
    /// - Parameter isLast: gets the body of each.
    func serve(seconds: Double, until isLast: (String) -> Bool) throws {
        let deadline = FollowedDaemon.now() + seconds
        while true {
            var entries = [pollfd(fd: socket, events: Int16(POLLIN), revents: 0)]
            for connection in connections {
                entries.append(
                    pollfd(fd: connection.descriptor, events: Int16(POLLIN), revents: 0)
                )
            }
            guard FollowedDaemon.now() < deadline,
                unsafe poll(&entries, nfds_t(entries.count), 1_000) >= 0
            else { throw Failed(description: "what was waited for did not come") }
            var isDone = false
            for index in connections.indices.reversed() where entries[index + 1].revents != 0 {
                if try take(index, isLast) { isDone = true }
            }
            if entries[0].revents != 0 {
                let accepted = accept(socket, nil, nil)
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                if accepted >= 0 { connections.append((accepted, [])) }
            }
            if isDone { return }
        }
    }

    private func take(_ index: Int, _ isLast: (String) -> Bool) throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe Glibc.read(connections[index].descriptor, &buffer, buffer.count)
        guard count > 0 else {
            close(connections.remove(at: index).descriptor)
            return false
        }
        connections[index].bytes += buffer[..<count]
        var isDone = false
        while let body = nextBody(index) {
            FollowedDaemon.write(
                Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8),
                to: connections[index].descriptor
            )
            if isLast(body) { isDone = true }
        }
        return isDone
    }

    private func nextBody(_ index: Int) -> String? {
        let bytes = connections[index].bytes
        let end = Array("\r\n\r\n".utf8)
        guard bytes.count >= 4,
            let head = (0...(bytes.count - 4)).first(where: {
                bytes[$0..<($0 + 4)].elementsEqual(end)
            })
        else { return nil }
        let lines = String(decoding: bytes[..<head], as: UTF8.self).lowercased()
            .split(separator: "\r\n")
        let length = lines.first { $0.hasPrefix("content-length:") }?
            .dropFirst("content-length:".count).filter { $0 != " " }
        let bodyEnd = head + 4 + (length.flatMap { Int($0) } ?? 0)
        guard bytes.count >= bodyEnd else { return nil }
        connections[index].bytes.removeFirst(bodyEnd)
        return String(decoding: bytes[(head + 4)..<bodyEnd], as: UTF8.self)
    }
}
