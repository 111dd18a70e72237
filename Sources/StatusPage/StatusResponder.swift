import Evidence
import Findings
import HTTPTypes
import HummingbirdCore
import LinuxIO
import NIOCore
import Pipeline
import SafeText
import SystemPackage

/// Answers requests. Every one is a question: nothing here changes anything.
struct StatusResponder: Sendable {
    let access: Access
    let board: LiveBoard
    let desk: StateDesk
    let accounts: AccountDesk
    let hub: EventHub
    let folder: FilePath
    let pseudonyms: Pseudonyms?

    /// Longest time without a sign of life of an engine that is well: it gives one every 20 s.
    static let lifeNanoseconds: UInt64 = 90_000_000_000
    private static let chunkBytes = 64 << 10

    func respond(to request: Request) async -> Response {
        let isHead = request.method == .head
        guard request.method == .get || isHead else {
            return message(.methodNotAllowed, "only GET is answered here", [(.allow, "GET, HEAD")])
        }
        let query = Query(request.uri.query)
        let claim = Access.Claim(
            path: request.uri.path,
            host: request.head.authority,
            authorization: request.headers[.authorization],
            cookie: request.headers[.cookie],
            queryToken: query["token"]
        )
        let now = Clocks.realtimeMicroseconds() / 1_000_000
        switch access.decide(claim, nowSeconds: now) {
        case .misdirected:
            return message(
                .misdirectedRequest,
                "this name is not one of ours: name it in the settings (http: hosts)"
            )
        case .unauthorized:
            return unauthorized(claim.path)
        case .signsIn:
            let cookie =
                "\(Access.cookieName)=\(access.session(nowSeconds: now) ?? ""); HttpOnly; "
                + "SameSite=Strict; Path=/; Max-Age=\(AccessToken.sessionSeconds)"
            return message(
                .seeOther,
                "signed in",
                [(.setCookie, cookie), (.location, safeLocation(claim.path))]
            )
        case .allowed: break
        }
        let response = await answer(request.uri.path, query)
        return isHead ? response.createHeadResponse() : response
    }

    /// A path of our own: never `//host`.
    private func safeLocation(_ path: String) -> String {
        let isPlain =
            path.hasPrefix("/") && !path.hasPrefix("//")
            && path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x5c }
        return isPlain ? path : "/"
    }

    // MARK: Routes

    private func answer(_ path: String, _ query: Query) async -> Response {
        do {
            switch path {
            case "/": return page(Asset.page)
            case "/page.css": return page(Asset.style)
            case "/page.js": return page(Asset.script)
            case "/icon.svg": return page(Asset.icon)
            case "/metrics": return try await metrics()
            case "/healthz": return health()
            case "/readyz": return readiness()
            case "/api/v1/now":
                let (figures, rate) = board.read()
                return json(figures.json(linesPerSecond: rate, pseudonyms: pseudonyms))
            case "/api/v1/accounts": return await accounts(query)
            case "/api/v1/alerts": return try await alerts(query)
            case "/api/v1/continuity":
                guard let offset = query.number("cursor", 0...1_000_000, or: 0),
                    let limit = query.number("limit", 1...StateDesk.pageMax, or: 50)
                else { return badQuery }
                return json(try await desk.continuity(offset: offset, limit: limit))
            case "/api/v1/sinks":
                return json(try await desk.sinks(board.read().figures))
            case "/api/v1/events": return events()
            default:
                if let id = path.dropping("/api/v1/alerts/") { return try await alert(id) }
                if let name = path.dropping("/api/v1/evidence/") { return evidence(name) }
                return message(.notFound, "there is no such page")
            }
        } catch {
            return message(.serviceUnavailable, shown("the state cannot be read: \(error)"))
        }
    }

    private func metrics() async throws -> Response {
        let (figures, _) = board.read()
        var metrics = Metrics()
        metrics.add(
            figures,
            isAlive: board.isAlive(within: Self.lifeNanoseconds),
            isReady: board.isReady
        )
        // What the engine knows is told even while the state cannot be read.
        if let levels = try? await desk.openLevels() { metrics.add(levels: levels) }
        if let outbox = try? await desk.outboxBySink() {
            let labels = Dictionary(
                figures.sinks.map { ($0.name, $0.label) },
                uniquingKeysWith: { first, _ in first }
            )
            metrics.add(outbox: outbox, labels: labels)
        }
        let sizes = await desk.sizes()
        metrics.add(
            stateBytes: sizes.state,
            evidenceBytes: sizes.evidence,
            residentBytes: residentBytes()
        )
        metrics.add(listeners: hub.count)
        return answer(
            .ok,
            "text/plain; version=0.0.4; charset=utf-8",
            Array(metrics.text.utf8)
        )
    }

    /// `/proc/self/statm`: pages of 4 KiB, the second number those that are resident (proc(5)).
    private func residentBytes() -> UInt64? {
        guard let file = try? SystemCalls().open("/proc/self/statm") else { return nil }
        var buffer = [UInt8](repeating: 0, count: 128)
        guard let count = try? file.read(into: &buffer, 0..<buffer.count) else { return nil }
        let words = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
        return words.count > 1 ? UInt64(words[1]).map { $0 &* 4_096 } : nil
    }

    private func health() -> Response {
        board.isAlive(within: Self.lifeNanoseconds)
            ? message(.ok, "ok") : message(.serviceUnavailable, "the engine gives no sign of life")
    }

    private func readiness() -> Response {
        let (figures, _) = board.read()
        guard board.isReady else { return message(.serviceUnavailable, "not reading yet") }
        guard figures.commitFailure == nil else {
            return message(.serviceUnavailable, "the state cannot be written")
        }
        return health()
    }

    private func accounts(_ query: Query) async -> Response {
        guard let offset = query.number("cursor", 0...1_000_000, or: 0),
            let limit = query.number("limit", 1...StateDesk.pageMax, or: 50)
        else { return badQuery }
        guard let bytes = await accounts.page(offset: offset, limit: limit) else {
            return message(
                .serviceUnavailable,
                "the engine does not answer",
                [(.retryAfter, "5")]
            )
        }
        return json(bytes)
    }

    private func alerts(_ query: Query) async throws -> Response {
        let status = query["status"]
        guard status == nil || status == "open" || status == "resolved",
            let limit = query.number("limit", 1...StateDesk.pageMax, or: 50),
            let bytes = try await desk.alerts(
                status: status,
                cursor: query["cursor"],
                limit: limit
            )
        else { return badQuery }
        return json(bytes)
    }

    private func alert(_ id: String) async throws -> Response {
        guard AlertID(id) != nil, let bytes = try await desk.alert(id) else {
            return message(.notFound, "there is no such alert")
        }
        return json(bytes)
    }

    private func evidence(_ name: String) -> Response {
        guard pseudonyms == nil else {
            return message(.forbidden, "bundles hold names, and pseudonyms are shown here")
        }
        guard let bundle = BundleName(name),
            let file = try? SystemCalls().open(
                folder.appending("evidence").appending(bundle.description),
                [.read, .nonBlocking, .noFollow]
            ), let status = try? file.status(), status.kind == .regular
        else { return message(.notFound, "there is no such bundle") }
        let size = Int(status.size)
        let open = OpenFile(file)
        let body = ResponseBody(contentLength: size) { writer in
            var offset = 0
            while offset < size {
                let bytes = try open.read(min(Self.chunkBytes, size - offset), at: offset)
                // A bundle is never shortened; if one was, the connection ends short too.
                guard !bytes.isEmpty else { break }
                try await writer.write(ByteBuffer(bytes: bytes))
                offset += bytes.count
            }
            try await writer.finish(nil)
        }
        var headers = Self.headers("application/zstd")
        headers[.contentDisposition] = "attachment; filename=\"\(bundle.description)\""
        return Response(status: .ok, headers: headers, body: body)
    }

    private func events() -> Response {
        guard let stream = hub.listen() else {
            return message(
                .serviceUnavailable,
                "too many pages hear of alerts already",
                [(.retryAfter, "30")]
            )
        }
        let body = ResponseBody { writer in
            // So that the browser knows that it is connected, and waits before it comes again.
            try await writer.write(ByteBuffer(bytes: Array("retry: 5000\n\n".utf8)))
            for await message in stream { try await writer.write(ByteBuffer(bytes: message)) }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: Self.headers("text/event-stream"), body: body)
    }

    // MARK: Answers

    private var badQuery: Response {
        message(.badRequest, "cursor, limit or status is not what was expected")
    }

    private func unauthorized(_ path: String) -> Response {
        guard path == "/" else {
            return message(
                .unauthorized,
                "the token is missing, or another one: postern status prints it",
                [(.wwwAuthenticate, "Bearer realm=\"postern\"")]
            )
        }
        var response = page(Asset.locked)
        response.status = .unauthorized
        return response
    }

    private func page(_ asset: Asset) -> Response { answer(.ok, asset.type, asset.bytes) }

    private func json(_ bytes: [UInt8]) -> Response { answer(.ok, "application/json", bytes) }

    private func message(
        _ status: HTTPResponse.Status,
        _ text: String,
        _ more: [(HTTPField.Name, String)] = []
    ) -> Response {
        var response = answer(status, "text/plain; charset=utf-8", Array((text + "\n").utf8))
        for (name, value) in more { response.headers[name] = value }
        return response
    }

    private func answer(
        _ status: HTTPResponse.Status,
        _ type: String,
        _ bytes: [UInt8]
    ) -> Response {
        Response(
            status: status,
            headers: Self.headers(type),
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// What a browser may do with anything of ours: load our own files, and nothing else.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static let otherHeaders: [(HTTPField.Name, String)] = [
        ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
    ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }

    private static func headers(_ type: String) -> HTTPFields {
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.cacheControl] = "no-store"
        headers[.contentSecurityPolicy] = policy
        headers[.xContentTypeOptions] = "nosniff"
        headers[.crossOriginResourcePolicy] = "same-origin"
        for (name, value) in otherHeaders { headers[name] = value }
        return headers
    }
}

/// A file that is read piece by piece.
private final class OpenFile: Sendable {
    private let file: Descriptor

    init(_ file: consuming Descriptor) { self.file = file }

    func read(_ count: Int, at offset: Int) throws -> [UInt8] {
        try file.readFully(count: count, at: UInt64(offset))
    }
}

/// The parameters of a query: the first of each name. Values are words of ours, so that no escape is
/// needed or read.
private struct Query {
    private var values: [(name: Substring, value: Substring)] = []

    init(_ text: String?) {
        for pair in (text ?? "").split(separator: "&", maxSplits: 16) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values.append((parts[0], parts[1])) }
        }
    }

    subscript(name: String) -> String? {
        values.first { $0.name == name }.map { String($0.value) }
    }

    /// Nil when it is given and is no number of the range.
    func number(_ name: String, _ range: ClosedRange<Int>, or missing: Int) -> Int? {
        guard let text = self[name] else { return missing }
        guard let number = Int(text), range.contains(number) else { return nil }
        return number
    }
}

extension String {
    /// What follows a prefix; nil when it does not begin so.
    fileprivate func dropping(_ prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
