import CCurl
import LinuxIO

/// A TCP connection, within TLS or not, on which only we speak. It belongs to one thread.
///
/// libcurl makes it (`CURLOPT_CONNECT_ONLY`), so that certificates are verified as for a webhook.
final class Connection: Sendable {
    private let handle: CurlHandle
    private let number: CInt
    private let milliseconds: Int

    /// Connects.
    ///
    /// - Parameter settings: times for the connection and for each message; for TLS also certificates.
    init(
        _ settings: TransferSettings,
        host: String,
        port: Int,
        isSecure: Bool
    ) throws(TransferError) {
        handle = try CurlHandle()
        milliseconds = settings.wholeMilliseconds
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        try handle.set(CURLOPT_URL, (isSecure ? "https://" : "http://") + "\(name):\(port)/")
        try handle.set(CURLOPT_CONNECT_ONLY, 1)
        try handle.set(settings)
        // Neither HTTP nor its proxies.
        try handle.set(CURLOPT_PROXY, "")
        try handle.set(CURLOPT_SSL_ENABLE_ALPN, 0)
        let code = handle.perform()
        guard code == CURLE_OK else {
            let words = handle.error(code).description
            throw TransferError(description: "\(name):\(port): \(words)")
        }
        number = handle.socket
    }

    /// Whether the other side has not ended it.
    func isOpen() -> Bool { handle.isOpen() }

    /// Writes all of it and waits until the other kernel has it.
    func send(_ bytes: [UInt8]) throws(TransferError) {
        let end = Clocks.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        func left() throws(TransferError) -> Int {
            let now = Clocks.monotonicNanoseconds()
            guard now < end else {
                throw TransferError(description: "the other side takes nothing")
            }
            return Int((end - now) / 1_000_000) + 1
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            if let count = try handle.send(rest) {
                rest = rest.dropFirst(count)
            } else {
                _ = SocketWait.until(number, writable: true, milliseconds: try left())
            }
        }
        // A receiver acknowledges within 40 ms (`TCP_DELACK_MIN`, include/net/tcp.h of Linux).
        var pause = 1
        while let waiting = SocketWait.unacknowledged(number), waiting > 0 {
            // Ends at once when the connection is broken.
            _ = SocketWait.until(number, writable: false, milliseconds: min(pause, try left()))
            guard isOpen() else { break }
            pause = min(pause * 2, 50)
        }
        guard isOpen() else {
            throw TransferError(description: "the other side ended the connection")
        }
    }
}
