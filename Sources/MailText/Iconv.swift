import Glibc

/// One open iconv(3) handle, from some charset to UTF-8: the room's fence around glibc's converters.
///
/// Safe because the handle is opened, used and closed only here, and iconv gets pointers to buffers
/// that outlive the call, with their true sizes.
@safe
final class Iconv {
    private let handle: iconv_t
    /// Bytes to step over where the input is no character.
    private let unitBytes: Int

    /// Opens the converter, or nil when glibc has none of that name. `name` must hold no slash, no
    /// comma and no zero: glibc would read more than a name from it.
    init?(from name: String, unitBytes: Int = 1) {
        // iconv_open(3): "In case of error, … returns (iconv_t) -1".
        guard let handle = unsafe iconv_open("UTF-8", name), Int(bitPattern: handle) != -1 else {
            return nil
        }
        unsafe self.handle = handle
        self.unitBytes = unitBytes
    }

    deinit {
        unsafe iconv_close(handle)
    }

    /// Appends `bytes` as UTF-8 and returns how many places were no characters: each gives one
    /// U+FFFD. A character that is incomplete at the end is left out when `isCut`. Conversion stops
    /// soon after `out` holds `bytesMax` bytes.
    func convert(_ bytes: [UInt8], isCut: Bool, bytesMax: Int, into out: inout [UInt8]) -> Int {
        var replaced = 0
        var offset = 0
        var isFlushing = bytes.isEmpty
        // iconv(3): without input, "sets cd's conversion state to the initial state".
        unsafe iconv(handle, nil, nil, nil, nil)
        while out.count < bytesMax {
            let step = step(
                bytes,
                from: offset,
                isFlushing: isFlushing,
                bytesMax: bytesMax,
                into: &out
            )
            replaced += step.replaced
            switch step.end {
            case .whole:
                // Some converters hold the last character back until they are told of the end.
                if isFlushing { return replaced }
                isFlushing = true
            case .outOfRoom:
                guard step.written > 0 || step.read > 0 else { return replaced }
            case .illegal where offset + step.read < bytes.count:
                replaced += 1
                out.append(contentsOf: UTF8Scalar.replacement)
                offset += min(unitBytes, bytes.count - offset - step.read)
            case .illegal, .incomplete:
                if !isCut {
                    replaced += 1
                    out.append(contentsOf: UTF8Scalar.replacement)
                }
                if isFlushing { return replaced }
                isFlushing = true
            }
            offset += step.read
        }
        return replaced
    }

    private enum End {
        case whole, outOfRoom, illegal, incomplete
    }

    private struct Step {
        var end: End
        /// Bytes of input that are done with.
        var read: Int
        /// Bytes of output.
        var written: Int
        var replaced: Int
    }

    /// One call of iconv, with room for 1 KiB.
    private func step(
        _ bytes: [UInt8],
        from offset: Int,
        isFlushing: Bool,
        bytesMax: Int,
        into out: inout [UInt8]
    ) -> Step {
        var end = End.whole
        var left = bytes.count - offset
        let text = unsafe [UInt8](unsafeUninitializedCapacity: 1024) { room, written in
            unsafe bytes.withUnsafeBytes { input in
                let chars = unsafe input.bindMemory(to: CChar.self).baseAddress?.advanced(
                    by: offset
                )
                // iconv never writes to its input; its C type only lacks the `const`.
                var next = unsafe UnsafeMutablePointer(mutating: chars)
                var free = unsafe UnsafeMutableRawBufferPointer(room).bindMemory(to: CChar.self)
                    .baseAddress
                var freeCount = room.count
                let result =
                    unsafe isFlushing
                    ? iconv(handle, nil, nil, &free, &freeCount)
                    : iconv(handle, &next, &left, &free, &freeCount)
                if result == -1 {
                    end = errno == E2BIG ? .outOfRoom : errno == EILSEQ ? .illegal : .incomplete
                }
                written = room.count - freeCount
            }
        }
        // Checked like all text, so that `out` is UTF-8 whatever a converter does.
        let replaced = HeaderText.append(
            text.span,
            dropsCutTail: false,
            bytesMax: bytesMax,
            to: &out
        )
        return Step(
            end: end,
            read: bytes.count - offset - left,
            written: text.count,
            replaced: replaced
        )
    }
}
