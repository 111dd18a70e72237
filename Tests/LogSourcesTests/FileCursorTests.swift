import LinuxIO
@testable import LogSources
import Records
import SystemPackage
import Testing

private func letters(_ count: Int) -> String { String(repeating: "x", count: count) }

/// Texts, and where their last whole line ends.
private let ends: [(String, UInt64)] = [
    ("one\ntwo\n", 8), ("one\ntwo", 4), ("half", 0), ("\n", 1), ("one\n\n", 5),
    (letters(200_000), 0), ("one\n" + letters(200_000), 4), (letters(65_535) + "\n", 65_536),
    (letters(65_536) + "\ny", 65_537),
]

/// Cursors for reading only what is written from now on.
@Suite struct FileCursorTests {
    @Test(arguments: ends)
    func theEndIsBehindTheLastWholeLine(_ text: String, _ offset: UInt64) throws {
        let folder = try ScratchFolder()
        let path = try folder.file("log", Array(text.utf8))
        #expect(try FileCursor(endOf: path)?.offset == offset)
    }

    @Test func whatIsNotThereOrEmptyHasNone() throws {
        let folder = try ScratchFolder()
        #expect(try FileCursor(endOf: folder.path.appending("log")) == nil)
        #expect(try FileCursor(endOf: folder.file("empty", [])) == nil)
    }

    /// Also when the file is rotated before the follower has opened it.
    @Test(arguments: [false, true])
    func onlyWhatComesLaterIsRead(isRotated: Bool) throws {
        let folder = try ScratchFolder()
        let path = try folder.file("log", Array("old\nhalf ".utf8))
        let cursor = try FileCursor(endOf: path)
        if isRotated {
            try SystemCalls().rename(path, to: folder.path.appending("log.1"))
            try append(Array("line\n".utf8), to: folder.path.appending("log.1"))
        } else {
            try append(Array("line\n".utf8), to: path)
        }
        try append(Array("new\n".utf8), to: path)
        var follower = try Follower(path, cursor: cursor)
        try follower.fill()
        let lines = follower.given.lines.map { String(decoding: $0.bytes, as: UTF8.self) }
        #expect(lines == ["half line", "new"])
    }
}
