import TestSupport
import Testing

@testable import Evidence

/// A bundle is proof only if nobody can change a byte of it unseen.
@Suite struct BundleTamperTests {
    /// Every byte of every listed member, changed to another value and packed into a sound archive.
    @Test(arguments: BundleMember.listed)
    func anyChangedByteOfAMemberIsFound(member: BundleMember) throws {
        let members = try memberBytes()
        let index = try #require(members.firstIndex { $0.0 == member.rawValue })
        var random = SeededGenerator(seed: 1)
        for position in members[index].1.indices {
            var changed = members
            changed[index].1[position] ^= UInt8.random(in: 1...255, using: &random)
            let mismatches = try BundleReader().read(packed(changed)).check()
            #expect(mismatches.contains { $0.member == member.rawValue }, "byte \(position)")
        }
    }

    @Test func aBundleThatIsPackedAgainByAnotherProgramHolds() throws {
        #expect(try BundleReader().read(packed(memberBytes())).check().isEmpty)
        #expect(try BundleReader().read(packed(memberBytes().reversed())).check().isEmpty)
    }

    /// Shorter and longer members, and members in each other's place.
    @Test func aMemberOfAnotherLengthOrFromAnotherPlaceIsFound() throws {
        let members = try memberBytes()
        for index in BundleMember.listed.indices {
            var shorter = members
            shorter[index].1.removeLast()
            #expect(try !BundleReader().read(packed(shorter)).check().isEmpty)
            var longer = members
            longer[index].1.append(0x0a)
            #expect(try !BundleReader().read(packed(longer)).check().isEmpty)
            var missing = members
            missing.remove(at: index)
            let mismatches = try BundleReader().read(packed(missing)).check()
            #expect(mismatches.contains { $0.member == members[index].0 })
        }
        var swapped = members
        swapped[1].1 = members[2].1
        swapped[2].1 = members[1].1
        #expect(try !BundleReader().read(packed(swapped)).check().isEmpty)
    }

    /// Each bit of the file, and each byte inverted: refused, or it says just what it said before.
    @Test func aFlippedBitOfTheFileIsRefusedOrChangesNothing() throws {
        let sealed = try contents().sealed()
        let members = try memberBytes()
        var refused = 0
        for position in sealed.indices {
            for mask: UInt8 in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                var file = sealed
                file[position] ^= mask
                guard let bundle = try? BundleReader().read(file) else {
                    refused += 1
                    continue
                }
                for (name, bytes) in members {
                    let member = try #require(BundleMember(rawValue: name))
                    #expect(bundle[member] == bytes, "byte \(position), mask \(mask)")
                }
            }
        }
        // All but a few: unused bits, and other ways to copy the same zeros.
        #expect(refused > sealed.count * 8)
    }

    /// Each byte of the archive's headers, changed before it is compressed, so that no checksum of
    /// zstd helps: refused, found, or without a meaning, as a member's time.
    @Test func aChangedByteOfAHeaderIsRefusedOrFoundOrMeansNothing() throws {
        let tar = try content(ofZstdFrame: contents().sealed(), bytesMax: 1 << 20)
        let members = try memberBytes()
        for position in headerBytes(of: members) {
            var changed = tar
            changed[position] ^= 0x11
            guard let bundle = try? BundleReader().read(zstdFrame(of: changed)) else { continue }
            let isSame = members.allSatisfy { name, bytes in
                BundleMember(rawValue: name).flatMap { bundle[$0] } == bytes
            }
            #expect(isSame || !bundle.check().isEmpty, "byte \(position)")
        }
    }

    private func headerBytes(of members: [(String, [UInt8])]) -> [Int] {
        var start = 0
        var positions: [Int] = []
        for (_, bytes) in members {
            positions += start..<(start + 512)
            start += 512 + (bytes.count + 511) / 512 * 512
        }
        return positions + (start..<(start + 1_024))
    }

    @Test func aBundleCutShortAnywhereIsRefused() throws {
        let sealed = try contents().sealed()
        for count in sealed.indices {
            #expect(refusal(Array(sealed[..<count])) != nil, "\(count) bytes")
        }
    }

    @Test func anArchiveCutShortAnywhereIsRefused() throws {
        let tar = try content(ofZstdFrame: contents().sealed(), bytesMax: 1 << 20)
        for count in tar.indices {
            #expect(refusal(zstdFrame(of: Array(tar[..<count]))) != nil, "\(count) bytes")
        }
    }

    @Test func bytesAfterTheEndAreRefused() throws {
        let sealed = try contents().sealed()
        let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]
        #expect(refusal(sealed + [0]) == .trailingBytes)
        #expect(refusal(sealed + sealed) == .trailingBytes)
        #expect(refusal(sealed + skippable) == .trailingBytes)
        #expect(refusal(skippable + sealed) == .notZstd)
        let tar = try content(ofZstdFrame: sealed, bytesMax: 1 << 20)
        #expect(refusal(zstdFrame(of: tar + [0])) == nil)
        #expect(refusal(zstdFrame(of: tar + [1])) == .trailingBytes)
        #expect(refusal(zstdFrame(of: tar + tar)) == .trailingBytes)
    }
}
