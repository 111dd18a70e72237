import CCurl

/// libcurl, opened when it is first needed.
@safe
struct Curl: @unchecked Sendable {
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

/// One handle of libcurl: the options of a transfer, and its connection. It belongs to one thread.
@safe
final class CurlHandle: @unchecked Sendable {
    private let curl: UnsafePointer<postern_curl>
    private let handle: UnsafeMutableRawPointer

    init() throws(TransferError) {
        guard let library = Curl.library else {
            throw TransferError(description: "libcurl.so.4 is missing (Debian: libcurl4)")
        }
        guard let handle = unsafe postern_curl_handle(library.functions) else {
            throw TransferError(description: "libcurl has no memory left")
        }
        unsafe curl = library.functions
        unsafe self.handle = handle
    }

    deinit { unsafe postern_curl_close(curl, handle) }

    /// Forgets the options; connections stay open.
    func reset() { unsafe postern_curl_reset(curl, handle) }

    func perform() -> CURLcode { unsafe postern_curl_perform(curl, handle) }

    // MARK: Options

    /// Times, and by which certificates each side knows the other.
    func set(_ settings: TransferSettings) throws(TransferError) {
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectMilliseconds)
        try set(CURLOPT_TIMEOUT_MS, settings.wholeMilliseconds)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = settings.authorityFile { try set(CURLOPT_CAINFO, file) }
        if let file = settings.certificateFile { try set(CURLOPT_SSLCERT, file) }
        if let file = settings.keyFile { try set(CURLOPT_SSLKEY, file) }
    }

    func set(_ option: CURLoption, _ value: Int) throws(TransferError) {
        try check(unsafe postern_curl_number(curl, handle, option, value))
    }

    func set(_ option: CURLoption, _ value: String) throws(TransferError) {
        // libcurl copies texts (curl_easy_setopt(3)).
        try check(unsafe postern_curl_text(curl, handle, option, value))
    }

    func set(_ option: CURLoption, size: Int) throws(TransferError) {
        try check(unsafe postern_curl_size(curl, handle, option, curl_off_t(size)))
    }

    /// The list must outlive the transfer.
    func set(_ option: CURLoption, _ list: CurlList) throws(TransferError) {
        try check(unsafe postern_curl_list(curl, handle, option, list.first))
    }

    func set(
        _ option: CURLoption,
        _ function:
            @escaping @convention(c) (
                UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?
            ) -> Int
    ) throws(TransferError) {
        try check(unsafe postern_curl_function(curl, handle, option, function))
    }

    /// What it points to must outlive the transfer.
    @unsafe
    func setPointer(_ option: CURLoption, _ pointer: UnsafeRawPointer?) {
        _ = unsafe postern_curl_pointer(curl, handle, option, pointer)
    }

    // MARK: What came of it

    func number(_ info: CURLINFO) -> Int {
        var value = 0
        _ = unsafe postern_curl_number_of(curl, handle, info, &value)
        return value
    }

    func size(_ info: CURLINFO) -> Int64 {
        var value: curl_off_t = 0
        _ = unsafe postern_curl_size_of(curl, handle, info, &value)
        return Int64(value)
    }

    func check(_ code: CURLcode) throws(TransferError) {
        guard code == CURLE_OK else { throw error(code) }
    }

    func error(_ code: CURLcode) -> TransferError {
        guard let words = unsafe postern_curl_words(curl, code) else {
            return TransferError(description: "libcurl: \(code)")
        }
        return TransferError(description: unsafe String(cString: words))
    }

    // MARK: A connection that is used without a protocol

    /// The socket of the connection; negative: there is none.
    var socket: CInt {
        var number: curl_socket_t = -1
        _ = unsafe postern_curl_socket_of(curl, handle, &number)
        return number
    }

    /// Sends a part of it without waiting.
    ///
    /// - Returns: how many bytes; nil when there is no room now.
    func send(_ bytes: ArraySlice<UInt8>) throws(TransferError) -> Int? {
        var sent = 0
        // SAFETY: the slice has as many bytes as it says.
        let code = unsafe bytes.withUnsafeBytes { bytes in
            unsafe postern_curl_send(curl, handle, bytes.baseAddress, bytes.count, &sent)
        }
        if code == CURLE_AGAIN { return nil }
        try check(code)
        return sent
    }

    /// Whether the other side has neither ended the connection nor broken it. What it sent meanwhile is
    /// read and forgotten.
    func isOpen() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            var received = 0
            // SAFETY: the buffer has as many bytes as it says.
            let code = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe postern_curl_receive(curl, handle, bytes.baseAddress, bytes.count, &received)
            }
            if code == CURLE_AGAIN { return true }
            guard code == CURLE_OK, received > 0 else { return false }
        }
    }
}

/// A list of lines as libcurl takes it.
@safe
final class CurlList {
    fileprivate var first: UnsafeMutablePointer<curl_slist>?

    deinit {
        if let library = Curl.library { unsafe postern_curl_free(library.functions, first) }
    }

    func append(_ line: String) throws(TransferError) {
        guard let library = Curl.library,
            let longer = unsafe postern_curl_append(library.functions, first, line)
        else { throw TransferError(description: "libcurl has no memory left") }
        unsafe first = longer
    }
}
