import CCurl

/// Why a message was not taken.
struct MailTransferError: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
    /// The server's last reply code; 0: there was none.
    var code: Int
}

/// Hands messages to an SMTP server, with libcurl: one handle, whose connection stays open for a while.
/// It belongs to one thread.
final class MailTransfer: Sendable {
    private let handle: CurlHandle
    private let settings: SMTPSettings

    init(_ settings: SMTPSettings) throws(MailTransferError) {
        do {
            handle = try CurlHandle()
        } catch {
            throw MailTransferError(description: error.description, code: 0)
        }
        self.settings = settings
    }

    /// - Parameter bytes: with CRLF; lines that begin with a dot are libcurl's to double.
    /// - Returns: the server's last reply.
    func send(
        _ bytes: [UInt8],
        from: String,
        to recipients: [String]
    ) throws(MailTransferError) -> String {
        try perform(MailExchange(bytes)) { (handle) throws(TransferError) in
            let list = CurlList()
            for recipient in recipients { try list.append("<\(recipient)>") }
            try handle.set(CURLOPT_MAIL_FROM, "<\(from)>")
            try handle.set(CURLOPT_MAIL_RCPT, list)
            try handle.set(CURLOPT_UPLOAD, 1)
            try handle.set(CURLOPT_INFILESIZE_LARGE, size: bytes.count)
            return list
        }
    }

    /// Connects, logs in where it would for a message, and does nothing there (`NOOP`).
    func reach() throws(MailTransferError) {
        _ = try perform(MailExchange([])) { (handle) throws(TransferError) in
            try handle.set(CURLOPT_CUSTOMREQUEST, "NOOP")
            try handle.set(CURLOPT_NOBODY, 1)
            return nil
        }
    }

    /// - Parameter prepare: says what is wanted; gives what must outlive it.
    /// - Returns: the server's last reply.
    private func perform(
        _ exchange: MailExchange,
        _ prepare: (CurlHandle) throws(TransferError) -> CurlList?
    ) throws(MailTransferError) -> String {
        let code: CURLcode
        do {
            code = try transfer(exchange, prepare)
        } catch {
            throw MailTransferError(description: error.description, code: 0)
        }
        let reply = exchange.lastReply
        guard code == CURLE_OK else {
            let words = handle.error(code).description
            // Only what was said last: an earlier reply is not why it failed.
            let number = handle.number(CURLINFO_RESPONSE_CODE)
            throw MailTransferError(
                description: words + (reply.isEmpty ? "" : ": " + reply),
                code: number
            )
        }
        return reply
    }

    private func transfer(
        _ exchange: MailExchange,
        _ prepare: (CurlHandle) throws(TransferError) -> CurlList?
    ) throws(TransferError) -> CURLcode {
        handle.reset()
        try handle.set(CURLOPT_URL, settings.url)
        try handle.set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        try handle.set(settings.transfer)
        let level = settings.allowsPlain ? CURLUSESSL_TRY : CURLUSESSL_ALL
        try handle.set(CURLOPT_USE_SSL, Int(level.rawValue))
        if let user = settings.user { try handle.set(CURLOPT_USERNAME, user) }
        if let password = settings.password { try handle.set(CURLOPT_PASSWORD, password) }
        let list = try prepare(handle)
        try unsafe handle.set(CURLOPT_READFUNCTION, give)
        try unsafe handle.set(CURLOPT_HEADERFUNCTION, hear)
        let context = unsafe Unmanaged.passUnretained(exchange).toOpaque()
        unsafe handle.setPointer(CURLOPT_READDATA, context)
        unsafe handle.setPointer(CURLOPT_HEADERDATA, context)
        // `exchange` outlives the call: the caller holds it; the list must too.
        return withExtendedLifetime(list) { handle.perform() }
    }
}

/// What of a message is still to be sent, and what the server said.
private final class MailExchange {
    var rest: ArraySlice<UInt8>
    var lastReply = ""

    init(_ bytes: [UInt8]) { rest = bytes[...] }
}

/// libcurl's read callback (CURLOPT_READFUNCTION(3)); 0 ends the message.
private func give(
    _ buffer: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer = unsafe buffer, let context = unsafe context else { return 0 }
    let exchange = unsafe Unmanaged<MailExchange>.fromOpaque(context).takeUnretainedValue()
    let part = exchange.rest.prefix(size * count)
    // The buffer has room for `size * count` bytes.
    unsafe UnsafeMutableRawBufferPointer(start: buffer, count: part.count).copyBytes(from: part)
    exchange.rest = exchange.rest.dropFirst(part.count)
    return part.count
}

/// libcurl's header callback (CURLOPT_HEADERFUNCTION(3)), which hears each line of a server's replies.
private func hear(
    _ data: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else { return 0 }
    let exchange = unsafe Unmanaged<MailExchange>.fromOpaque(context).takeUnretainedValue()
    // libcurl gives `size * count` bytes.
    let line = unsafe Array(UnsafeRawBufferPointer(start: data, count: size * count))
    let text = String(decoding: line.prefix(400).filter { $0 >= 0x20 }, as: UTF8.self)
    // 221 answers libcurl's farewell, not the message (RFC 5321 §4.2.2).
    if !text.isEmpty, !text.hasPrefix("221") { exchange.lastReply = text }
    return size * count
}
