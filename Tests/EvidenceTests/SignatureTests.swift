import Findings
import Glibc
import SafeText
import SystemPackage
import TestSupport
import Testing

@testable import Evidence

private func signer(_ byte: UInt8 = 7) throws -> EvidenceSigner {
    try #require(EvidenceSigner(seed: [UInt8](repeating: byte, count: 32)))
}

private func sealedFile(
    _ signer: EvidenceSigner,
    previous: String? = nil
) throws -> [UInt8] {
    try contents().sealed(
        host: "mx.example",
        posternVersion: "1.0.0",
        previous: previous,
        signer: signer,
        limits: BundleLimits()
    ).file
}

/// Members of a signed bundle by name, to be changed and packed again.
private func signedMembers(_ signer: EvidenceSigner) throws -> [(String, [UInt8])] {
    let bundle = try BundleReader().read(sealedFile(signer))
    return BundleMember.allCases.map { ($0.rawValue, bundle[$0] ?? []) }
}

@Suite struct SignatureTests {
    /// RFC 8032, 7.1, test 2.
    @Test func aSignatureIsThatOfTheStandard() throws {
        let seed = try #require(
            bytes(ofHex: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        )
        let signer = try #require(EvidenceSigner(seed: seed))
        #expect(
            signer.publicKey.hex
                == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        )
        #expect(
            hex(try signer.signature(of: [0x72]))
                == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
    }

    @Test func theSameContentsSignedTwiceAreTheSameBytes() throws {
        #expect(try sealedFile(signer()) == sealedFile(signer()))
        #expect(try sealedFile(signer()) != sealedFile(signer(8)))
    }

    @Test func aSignedBundleHoldsAndNamesItsKey() throws {
        let bundle = try BundleReader().read(sealedFile(signer()))
        #expect(bundle.check().isEmpty)
        #expect(bundle.manifest.key == (try signer().publicKey))
        #expect(bundle[.signature]?.count == 64)
    }

    /// Every byte of every member, of the manifest and of the signature, changed to another value and
    /// packed into a sound archive.
    @Test(arguments: BundleMember.allCases, [1, 2] as [UInt64])
    func anyChangedByteOfASignedBundleIsFound(member: BundleMember, seed: UInt64) throws {
        let members = try signedMembers(signer())
        let index = try #require(members.firstIndex { $0.0 == member.rawValue })
        var random = SeededGenerator(seed: seed)
        for position in members[index].1.indices {
            var changed = members
            changed[index].1[position] ^= UInt8.random(in: 1...255, using: &random)
            guard let bundle = try? BundleReader().read(packed(changed)) else { continue }
            #expect(!bundle.check().isEmpty, "byte \(position)")
        }
    }

    @Test func aManifestMadeAnewNeedsANewSignature() throws {
        var members = try signedMembers(signer())
        let other = try BundleReader().read(sealedFile(signer(), previous: digestHex([1])))
        members[members.count - 2].1 = other[.manifest] ?? []
        #expect(
            try BundleReader().read(packed(members)).check().map(\.member) == ["MANIFEST.sig"]
        )
    }

    @Test func aSignatureThatWasTakenOffIsMissed() throws {
        var members = try signedMembers(signer())
        members.removeLast()
        #expect(
            try BundleReader().read(packed(members)).check().map(\.member) == ["MANIFEST.sig"]
        )
        // And one that was put on is one too many.
        var unsigned = try memberBytes()
        unsigned.append((BundleMember.signature.rawValue, [UInt8](repeating: 0, count: 64)))
        #expect(
            try BundleReader().read(packed(unsigned)).check().map(\.member) == ["MANIFEST.sig"]
        )
    }

    @Test func opensslChecksASignature() throws {
        let scratch = try Scratch()
        let bundle = try BundleReader().read(sealedFile(signer()))
        let key = scratch.path.appending("key.pem")
        let manifest = scratch.path.appending("MANIFEST.json")
        let signature = scratch.path.appending("MANIFEST.sig")
        try write(Array(signer().publicKey.pem.utf8), to: key)
        try write(bundle[.manifest] ?? [], to: manifest)
        try write(bundle[.signature] ?? [], to: signature)
        let arguments = [
            "pkeyutl", "-verify", "-pubin", "-inkey", key.string, "-rawin", "-in",
            manifest.string, "-sigfile", signature.string,
        ]
        guard let status = run("/usr/bin/openssl", arguments) else { return }
        #expect(status == 0)
        try write((bundle[.manifest] ?? []) + [0x20], to: manifest)
        #expect(run("/usr/bin/openssl", arguments) != 0)
    }
}

@Suite struct SigningKeyFileTests {
    @Test func theKeyIsMadeOnceAndReadAgain() throws {
        let scratch = try Scratch()
        let file = SigningKeyFile(folder: scratch.path)
        #expect(try file.publicKey() == nil)
        let (first, isNew) = try file.open(current: nil)
        #expect(isNew)
        #expect(mode(file.path) == 0o600)
        let (second, isNewAgain) = try file.open(current: nil)
        #expect(!isNewAgain)
        #expect(second.publicKey == first.publicKey)
        #expect(try file.publicKey() == first.publicKey)
    }

    @Test(arguments: [0o640, 0o604, 0o660] as [mode_t])
    func aKeyThatOthersCanReadIsRefused(bits: mode_t) throws {
        let scratch = try Scratch()
        let file = SigningKeyFile(folder: scratch.path)
        _ = try file.open(current: nil)
        changeMode(file.path, bits)
        #expect(throws: EvidenceError.self) { try file.open(current: nil) }
    }

    @Test func whatIsNoKeyIsRefused() throws {
        let scratch = try Scratch()
        let file = SigningKeyFile(folder: scratch.path)
        try write(
            Array("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".utf8),
            to: file.path
        )
        #expect(throws: EvidenceError.self) { try file.open(current: nil) }
    }

    /// Killed before the statement was committed, the old key signs; killed after it, the new one.
    @Test func aRotationThatWasCutShortIsEndedByWhatTheChainSays() throws {
        let scratch = try Scratch()
        let file = SigningKeyFile(folder: scratch.path)
        let (old, _) = try file.open(current: nil)
        _ = try file.prepareRotation()
        #expect(try file.open(current: nil).signer.publicKey == old.publicKey)
        #expect(names(in: scratch.path) == ["evidence.key"])
        let next = try file.prepareRotation()
        #expect(try file.open(current: next.publicKey).signer.publicKey == next.publicKey)
        #expect(names(in: scratch.path) == ["evidence.key"])
        #expect(mode(file.path) == 0o600)
    }
}

@Suite struct TrustedKeysTests {
    @Test func aKeyIsKnownByItselfItsDigitsOrItsFingerprint() throws {
        let key = try signer().publicKey
        for text in [key.pem, "# mx1\n" + key.pem, key.hex + "\n", key.fingerprint] {
            var keys = TrustedKeys()
            #expect(keys.add(text) == nil)
            #expect(keys.contains(key))
            #expect(try !keys.contains(signer(8).publicKey))
        }
    }

    @Test(arguments: [("x", 1), ("\n00", 2), ("-----BEGIN PUBLIC KEY-----\nAA\n", 3), ("{}", 1)])
    func whatIsNoKeyIsToldWithItsLine(text: String, line: Int) {
        var keys = TrustedKeys()
        #expect(keys.add(text) == line)
    }

    @Test func theSuccessorOfATrustedKeyIsTrusted() throws {
        let (first, second, third) = (try signer(1), try signer(2), try signer(3))
        let one = try ChainLink(
            rotating: first,
            to: second.publicKey,
            previous: nil,
            microseconds: 0
        )
        let two = try ChainLink(
            rotating: second,
            to: third.publicKey,
            previous: one.digest,
            microseconds: 0
        )
        var keys = TrustedKeys()
        let statements = [two, one].map { String(decoding: $0.json(), as: UTF8.self) }
        #expect(keys.add(first.publicKey.hex + "\n" + statements.joined(separator: "\n")) == nil)
        #expect(keys.contains(third.publicKey))
        #expect(try !keys.contains(signer(4).publicKey))
        var others = TrustedKeys()
        #expect(
            try others.add(signer(4).publicKey.hex + "\n" + statements.joined(separator: "\n"))
                == nil
        )
        #expect(!others.contains(third.publicKey))
        #expect(!others.contains(second.publicKey))
    }
}

@Suite struct ChainLinkTests {
    private func chain() throws -> [ChainLink] {
        let (old, new) = (try signer(1), try signer(2))
        let first = ChainLink(
            bundle: "a",
            digest: digestHex([1]),
            previous: nil,
            key: old.publicKey,
            byteCount: 10,
            microseconds: 1_772_359_200_250_123
        )
        let rotation = try ChainLink(
            rotating: old,
            to: new.publicKey,
            previous: first.digest,
            microseconds: 1_772_359_200_250_123
        )
        let last = ChainLink(
            bundle: "b",
            digest: digestHex([2]),
            previous: rotation.digest,
            key: new.publicKey,
            byteCount: 10,
            microseconds: 1_772_359_200_250_123
        )
        return [
            try first.pruned("keep", microseconds: 1_772_999_200_250_123, by: new), rotation, last,
        ]
    }

    @Test func aLinkIsReadAsItWasWritten() throws {
        for link in try chain() {
            #expect(ChainLink(json: link.json()) == link)
            if link.kind != .bundle { #expect(link.isSigned) }
        }
        #expect(try checkChain(chain()) == [])
    }

    @Test func anyChangedByteOfAStatementIsFound() throws {
        for (index, link) in try chain().enumerated() where link.kind != .bundle {
            var random = SeededGenerator(seed: 3)
            let json = link.json()
            for position in json.indices {
                var changed = json
                changed[position] ^= UInt8.random(in: 1...255, using: &random)
                guard let read = ChainLink(json: changed) else { continue }
                var links = try chain()
                links[index] = read
                #expect(!checkChain(links).isEmpty, "byte \(position)")
            }
        }
    }

    @Test func whatIsTakenOutOrExchangedIsFound() throws {
        for index in 1..<3 {
            var links = try chain()
            links.remove(at: index - 1)
            // The oldest may be gone; one between others may not.
            #expect(checkChain(links).isEmpty == (index == 1))
            links = try chain()
            links.swapAt(index, index - 1)
            #expect(!checkChain(links).isEmpty)
        }
    }

    @Test func aKeyThatNobodyNamedIsFound() throws {
        var links = try chain()
        links[2].key = try signer(3).publicKey
        #expect(checkChain(links).count == 1)
        links = try chain()
        links[0] = try links[0].pruned("keep", microseconds: 0, by: signer(4))
        #expect(checkChain(links).count == 1)
    }
}
