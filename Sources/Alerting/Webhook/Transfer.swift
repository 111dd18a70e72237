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

/// libcurl, opened when it is first needed.
@safe
private struct Curl: @unchecked Sendable {
    /// Filled once, and there until the program ends: handles may be used until then.
    let functions: UnsafePointer<postern_curl>

    private init?() {
        let functions = UnsafeMutablePointer<postern_curl>.allocate(capacity: 1)
        unsafe functions.initialize(to: postern_curl())
        guard unsafe postern_curl_open(functions) != 0 else {
            unsafe functions.deallocate()
            return nil
        }
        unsafe self.functions = UnsafePointer(functions)
    }

    /// Nil where it is not installed.
    static let library = Curl()
}

/// Sends requests by HTTP and HTTPS, with libcurl: one handle, whose connection stays open between
/// requests.
///
/// Redirects are not followed: an alert goes where the settings say. TLS is verified, from version 1.2
/// on. It belongs to one thread.
@safe
final class Transfer: @unchecked Sendable {
    /// Bytes of an answer that are kept; a longer answer is cut off.
    static let answerBytesMax = 65_536

    private let curl: UnsafePointer<postern_curl>
    private let handle: UnsafeMutableRawPointer
    private let settings: TransferSettings

    init(_ settings: TransferSettings) throws(TransferError) {
        guard let library = Curl.library else {
            throw TransferError(description: "libcurl.so.4 is missing (Debian: libcurl4)")
        }
        guard let handle = unsafe postern_curl_handle(library.functions) else {
            throw TransferError(description: "libcurl has no memory left")
        }
        unsafe curl = library.functions
        unsafe self.handle = handle
        self.settings = settings
    }

    deinit { unsafe postern_curl_close(curl, handle) }

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
        unsafe postern_curl_reset(curl, handle)
        var list: UnsafeMutablePointer<curl_slist>?
        defer { unsafe postern_curl_free(curl, list) }
        // `Expect: 100-continue` costs a round trip, and some receivers never answer it.
        for (name, value) in headers + [(name: "Expect", value: "")] {
            let line = value.isEmpty ? "\(name):" : "\(name): \(value)"
            guard let longer = unsafe postern_curl_append(curl, list, line) else {
                throw TransferError(description: "libcurl has no memory left")
            }
            unsafe list = longer
        }
        try set(CURLOPT_URL, url)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectMilliseconds)
        try set(CURLOPT_TIMEOUT_MS, settings.wholeMilliseconds)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        try set(CURLOPT_USERAGENT, settings.userAgent)
        if let file = settings.authorityFile { try set(CURLOPT_CAINFO, file) }
        if let file = settings.certificateFile { try set(CURLOPT_SSLCERT, file) }
        if let file = settings.keyFile { try set(CURLOPT_SSLKEY, file) }
        if let proxy = settings.proxy { try set(CURLOPT_PROXY, proxy) }
        try set(CURLOPT_POST, 1)
        try check(unsafe postern_curl_list(curl, handle, CURLOPT_HTTPHEADER, list))
        let size = curl_off_t(body.count)
        try check(unsafe postern_curl_size(curl, handle, CURLOPT_POSTFIELDSIZE_LARGE, size))
        let answer = AnswerBody()
        try check(unsafe postern_curl_function(curl, handle, CURLOPT_WRITEFUNCTION, take))
        let context = unsafe Unmanaged.passUnretained(answer).toOpaque()
        try check(unsafe postern_curl_pointer(curl, handle, CURLOPT_WRITEDATA, context))
        // Body and answer outlive the one call that uses their addresses.
        let code = unsafe body.withUnsafeBytes { bytes in
            _ = unsafe postern_curl_pointer(curl, handle, CURLOPT_POSTFIELDS, bytes.baseAddress)
            return unsafe postern_curl_perform(curl, handle)
        }
        let (isFull, kept) = (answer.isFull, answer.bytes)
        var status = 0
        _ = unsafe postern_curl_number_of(curl, handle, CURLINFO_RESPONSE_CODE, &status)
        // An answer that was cut off for its length is an answer.
        let isAnswered = code == CURLE_OK || code == CURLE_WRITE_ERROR && isFull && status > 0
        guard isAnswered else { throw error(code) }
        var wait: curl_off_t = 0
        _ = unsafe postern_curl_size_of(curl, handle, CURLINFO_RETRY_AFTER, &wait)
        return TransferAnswer(
            status: status,
            retryAfterSeconds: wait > 0 ? Int64(wait) : nil,
            body: kept
        )
    }

    private func set(_ option: CURLoption, _ value: Int) throws(TransferError) {
        try check(unsafe postern_curl_number(curl, handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws(TransferError) {
        // libcurl copies texts (curl_easy_setopt(3)).
        try check(unsafe postern_curl_text(curl, handle, option, value))
    }

    private func check(_ code: CURLcode) throws(TransferError) {
        guard code == CURLE_OK else { throw error(code) }
    }

    private func error(_ code: CURLcode) -> TransferError {
        guard let words = unsafe postern_curl_words(curl, code) else {
            return TransferError(description: "libcurl: \(code)")
        }
        return TransferError(description: unsafe String(cString: words))
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
