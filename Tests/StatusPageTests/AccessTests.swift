import Foundation
import LinuxIO
import SystemPackage
import TestSupport
import Testing

@testable import StatusPage

/// Who may see what, from a request's head.
struct AccessTests {
    static let text = "abcdefghijklmnopqrstuvwxyz234567"

    private func access(_ place: Access.Place, hosts: [String] = []) throws -> Access {
        let token: AccessToken = try #require(AccessToken(Self.text))
        return Access(place: place, hosts: hosts, token: token)
    }

    private func claim(
        _ path: String,
        host: String? = "127.0.0.1:8025",
        authorization: String? = nil,
        cookie: String? = nil,
        query: String? = nil
    ) -> Access.Claim {
        Access.Claim(
            path: path,
            host: host,
            authorization: authorization,
            cookie: cookie,
            queryToken: query
        )
    }

    @Test func onLoopbackMetricsAndHealthAreOpenAndNothingElse() throws {
        let access = try access(.loopback)
        for path in ["/metrics", "/healthz"] {
            #expect(access.decide(claim(path), nowSeconds: 0) == .allowed)
        }
        for path in [
            "/", "/readyz", "/metrics/", "/healthz/../", "/api/v1/alerts", "/page.js", "/nothing",
        ] {
            #expect(access.decide(claim(path), nowSeconds: 0) == .unauthorized, "\(path)")
        }
    }

    @Test func beyondLoopbackNothingIsOpen() throws {
        let access = try access(.network, hosts: ["mx1.example"])
        for path in ["/metrics", "/healthz", "/"] {
            let asked = claim(path, host: "mx1.example:8025")
            #expect(access.decide(asked, nowSeconds: 0) == .unauthorized)
        }
    }

    @Test func theTokenOpensAsAHeaderAndNothingLikeIt() throws {
        let access = try access(.loopback)
        for header in ["Bearer " + Self.text, "bearer " + Self.text] {
            #expect(access.decide(claim("/", authorization: header), nowSeconds: 0) == .allowed)
        }
        for header in [
            "", "Bearer", "Bearer ", Self.text, "Basic " + Self.text, "Bearer " + Self.text + " ",
            "Bearer " + Self.text.dropLast(), "Bearer x" + Self.text,
        ] {
            let asked = claim("/", authorization: header)
            #expect(access.decide(asked, nowSeconds: 0) == .unauthorized, "\(header)")
        }
        // A wrong one opens nothing that would be open without.
        let wrong = claim("/metrics", authorization: "Bearer wrong")
        #expect(access.decide(wrong, nowSeconds: 0) == .unauthorized)
    }

    @Test func theLinkSignsInForTwelveHours() throws {
        let access = try access(.loopback)
        #expect(access.decide(claim("/", query: Self.text), nowSeconds: 0) == .signsIn)
        #expect(access.decide(claim("/", query: "wrong"), nowSeconds: 0) == .unauthorized)
        let session = try #require(access.session(nowSeconds: 1_000))
        #expect(!session.contains(Self.text))
        func decision(_ cookie: String, at seconds: Int64) -> Access.Decision {
            access.decide(claim("/", cookie: cookie), nowSeconds: seconds)
        }
        #expect(decision("postern=" + session, at: 1_000) == .allowed)
        #expect(decision("a=b; postern=\(session); c=d", at: 44_199) == .allowed)
        #expect(decision("postern=" + session, at: 44_200) == .unauthorized)
        for other in [
            "postern=", "postern=" + Self.text, "xpostern=" + session,
            "postern=9" + session, "postern=\(session)0",
            "postern=99999999999." + session.split(separator: ".")[1],
        ] {
            #expect(decision(other, at: 1_000) == .unauthorized, "\(other)")
        }
    }

    /// A page of somebody else may have its own name pointed to 127.0.0.1.
    @Test func aNameThatIsNotOursIsRefusedEvenWithTheToken() throws {
        let access = try access(.loopback, hosts: ["MX1.example"])
        for host in [
            "evil.example", "evil.example:8025", "localhost.evil.example", "127.0.0.1.evil.example",
            "", "[::1", "[]", "[evil]", "localhost:x", "localhost:", "127.0.0.1:80:80", "1.2.3",
            "999.0.0.1", "127.0.0.1@evil.example",
        ] {
            let asked = claim("/metrics", host: host, authorization: "Bearer " + Self.text)
            #expect(access.decide(asked, nowSeconds: 0) == .misdirected, "\(host)")
        }
        #expect(access.decide(claim("/metrics", host: nil), nowSeconds: 0) == .misdirected)
        for host in [
            "localhost", "LOCALHOST:8025", "127.0.0.1", "[::1]:8025", "mx1.example",
            "mx1.EXAMPLE.:1",
            "192.0.2.7:8025",
        ] {
            let asked = claim("/metrics", host: host)
            #expect(access.decide(asked, nowSeconds: 0) == .allowed, "\(host)")
        }
    }

    @Test func aSocketIsGuardedByItsFile() {
        let access = Access(place: .unixSocket, hosts: [], token: nil)
        #expect(access.decide(claim("/", host: nil), nowSeconds: 0) == .allowed)
        #expect(access.decide(claim("/", host: "localhost"), nowSeconds: 0) == .allowed)
        // Behind a tunnel a browser is at the other end.
        #expect(access.decide(claim("/", host: "evil.example"), nowSeconds: 0) == .misdirected)
    }

    @Test func theTokenIsMadeOnceAndBelongsToItsOwnerAlone() throws {
        let scratch = try Scratch()
        let folder = FilePath(scratch.url.path)
        #expect(try TokenFile.read(folder: folder) == nil)
        let made = try TokenFile.open(folder: folder)
        #expect(made.text.utf8.count == 52)
        #expect(try TokenFile.open(folder: folder).text == made.text)
        let path = folder.appending(TokenFile.name)
        #expect(try SystemCalls().status(of: path).mode == 0o600)
        try SystemCalls().setMode(of: path, 0o640)
        #expect(throws: TokenFile.Unusable.self) { try TokenFile.open(folder: folder) }
    }

    @Test(arguments: ["", "short", "has a blank in it, and is long enough\n", "\u{0}"])
    func aFileWithoutATokenIsRefused(text: String) throws {
        let scratch = try Scratch()
        let path = try scratch.write("http.token", text)
        try SystemCalls().setMode(of: FilePath(path), 0o600)
        #expect(throws: TokenFile.Unusable.self) {
            try TokenFile.open(folder: FilePath(scratch.url.path))
        }
    }
}
