import CCurl

/// How a server is reached, and who it must be.
public struct TransferSettings: Sendable, Hashable {
    /// Time for the connection, its TLS included.
    public var connectMilliseconds = 5_000
    /// Time for the whole.
    public var wholeMilliseconds = 10_000
    /// Certificates that are trusted in place of the system's: a PEM file.
    public var authorityFile: String?
    /// Our own certificate and its key: PEM files.
    public var certificateFile: String?
    public var keyFile: String?
    /// A proxy's URL; nil: as `https_proxy` and `no_proxy` of the environment say.
    public var proxy: String?
    public var userAgent = "Postern"

    public init() {}
}

/// What a server answered.
struct TransferAnswer: Sendable, Hashable {
    var status: Int
    /// `Retry-After`, in seconds from now.
    var retryAfterSeconds: Int64?
    /// The first ``Transfer/answerBytesMax`` bytes.
    var body: [UInt8]
}

/// Why there was no answer, for the operator. Says nothing of the body that was sent.
struct TransferError: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
}

/// Sends requests by HTTP and HTTPS, with libcurl: one handle, whose connection stays open between
/// requests.
///
/// Redirects are not followed: an alert goes where the settings say. TLS is verified, from version 1.2
/// on. It belongs to one thread.
final class Transfer: Sendable {
    /// Bytes of an answer that are kept; a longer answer is cut off.
    static let answerBytesMax = 65_536

    private let handle: CurlHandle
    private let settings: TransferSettings

    init(_ settings: TransferSettings) throws(TransferError) {
        handle = try CurlHandle()
        self.settings = settings
    }

    /// Connects, TLS included, and says nothing.
    static func reach(_ url: String, _ settings: TransferSettings) throws(TransferError) {
        let handle = try CurlHandle()
        try handle.set(CURLOPT_URL, url)
        try handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
        try handle.set(CURLOPT_CONNECT_ONLY, 1)
        try handle.set(settings)
        if let proxy = settings.proxy { try handle.set(CURLOPT_PROXY, proxy) }
        try handle.check(handle.perform())
    }

    /// Posts a body.
    ///
    /// - Parameters:
    ///   - url: http or https.
    ///   - headers: names and values; neither may hold a control character.
    func post(
        _ body: [UInt8],
        to url: String,
        headers: [(name: String, value: String)]
    ) throws(TransferError) -> TransferAnswer {
        handle.reset()
        let list = CurlList()
        // `Expect: 100-continue` costs a round trip, and some receivers never answer it.
        for (name, value) in headers + [(name: "Expect", value: "")] {
            let line = value.isEmpty ? "\(name):" : "\(name): \(value)"
            try list.append(line)
        }
        try handle.set(CURLOPT_URL, url)
        try handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
        try handle.set(CURLOPT_FOLLOWLOCATION, 0)
        try handle.set(settings)
        try handle.set(CURLOPT_USERAGENT, settings.userAgent)
        if let proxy = settings.proxy { try handle.set(CURLOPT_PROXY, proxy) }
        try handle.set(CURLOPT_POST, 1)
        try handle.set(CURLOPT_HTTPHEADER, list)
        try handle.set(CURLOPT_POSTFIELDSIZE_LARGE, size: body.count)
        let answer = AnswerBody()
        try unsafe handle.set(CURLOPT_WRITEFUNCTION, take)
        // Body and answer outlive the one call that uses their addresses.
        let code = unsafe body.withUnsafeBytes { bytes in
            unsafe handle.setPointer(CURLOPT_POSTFIELDS, bytes.baseAddress)
            unsafe handle.setPointer(
                CURLOPT_WRITEDATA,
                Unmanaged.passUnretained(answer).toOpaque()
            )
            return handle.perform()
        }
        let (isFull, kept) = (answer.isFull, answer.bytes)
        let status = handle.number(CURLINFO_RESPONSE_CODE)
        // An answer that was cut off for its length is an answer.
        let isAnswered = code == CURLE_OK || code == CURLE_WRITE_ERROR && isFull && status > 0
        guard isAnswered else { throw handle.error(code) }
        let wait = handle.size(CURLINFO_RETRY_AFTER)
        return TransferAnswer(
            status: status,
            retryAfterSeconds: wait > 0 ? wait : nil,
            body: kept
        )
    }
}

/// The bytes of an answer as they come.
private final class AnswerBody {
    var bytes: [UInt8] = []
    var isFull = false
}

/// libcurl's write callback (CURLOPT_WRITEFUNCTION(3)); what it returns says how much was taken.
private func take(
    _ data: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else { return 0 }
    let answer = unsafe Unmanaged<AnswerBody>.fromOpaque(context).takeUnretainedValue()
    let whole = size * count
    let taken = min(whole, Transfer.answerBytesMax - answer.bytes.count)
    // libcurl gives `size * count` bytes.
    unsafe answer.bytes.append(contentsOf: UnsafeRawBufferPointer(start: data, count: taken))
    if taken < whole { answer.isFull = true }
    return taken
}
