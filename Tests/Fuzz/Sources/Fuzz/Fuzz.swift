import Foundation
import MailLog
import MailText
import Records

/// What is fuzzed: `FUZZ_TARGET`.
private enum Target: String {
    /// Lines of any dialect: no trap, and the fast scanner says what the reference says.
    case lines
    /// Lines up to events: no trap, and storing and restoring changes nothing.
    case assembler
    /// RFC 2047: no trap, and what comes out is clean text.
    case headers
}

private let target = ProcessInfo.processInfo.environment["FUZZ_TARGET"].flatMap(Target.init)

/// libFuzzer's entry: one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // libFuzzer's bytes live until this function ends.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    switch target {
    case .lines: fuzzLines(bytes)
    case .assembler: fuzzAssembler(bytes)
    case .headers: fuzzHeaders(bytes)
    case nil: fatalError("FUZZ_TARGET must be lines, assembler or headers")
    }
    return 0
}

private func fuzzLines(_ bytes: [UInt8]) {
    var comparison = Comparison()
    for line in bytes.split(separator: 0x0a) { comparison.read(Array(line)) }
    if let difference = comparison.differences.first { fatalError(difference) }
}

private func fuzzAssembler(_ bytes: [UInt8]) {
    // The first byte says after how many lines the state is stored and restored, and how small the
    // limits are.
    guard let first = bytes.first else { return }
    do {
        try RestoreCheck.run(
            bytes.dropFirst().split(separator: 0x0a).map(Array.init),
            restoreEvery: Int(first & 7) + 1,
            openMax: Int(first >> 3) + 1
        )
    } catch { fatalError("\(error)") }
}

private func fuzzHeaders(_ bytes: [UInt8]) {
    do { try HeaderCheck.run(bytes) } catch { fatalError("\(error)") }
}
