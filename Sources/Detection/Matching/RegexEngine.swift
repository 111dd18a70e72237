import CPCRE2
public import Sigma

/// The fence around PCRE2: every pointer of this room lives in this file.
///
/// A compiled expression. PCRE2 promises that it "is thread-safe as long as it is not being changed"
/// (pcre2api(3), MULTITHREADING), and nothing changes it after `init`, which also runs the JIT
/// compiler. It is freed once, when the last plan that holds it goes. That is the proof for
/// `@unchecked Sendable`.
@safe
final class CompiledRegex: @unchecked Sendable {
    /// What PCRE2 says is wrong with a pattern.
    struct Refusal: Error {
        /// Bytes from the pattern's start to where the mistake was noticed.
        let offset: Int
        let message: String

        /// As a rule's mistake.
        var words: String { "bad regular expression at offset \(offset): \(message)" }
    }

    fileprivate let code: OpaquePointer

    init(_ regex: RegexPattern) throws(Refusal) {
        // MATCH_INVALID_UTF: a log may hold bytes that are no UTF-8; they match nothing, and the
        // rest of the text is searched. It implies that no check can fail at match time.
        var options =
            UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP) | UInt32(PCRE2_MATCH_INVALID_UTF)
            | UInt32(PCRE2_NEVER_BACKSLASH_C)
        if regex.ignoresCase { options |= UInt32(PCRE2_CASELESS) }
        if regex.isMultiline { options |= UInt32(PCRE2_MULTILINE) }
        if regex.dotMatchesAll { options |= UInt32(PCRE2_DOTALL) }
        if regex.isAnchoredAtStart { options |= UInt32(PCRE2_ANCHORED) }
        if regex.isAnchoredAtEnd { options |= UInt32(PCRE2_ENDANCHORED) }
        var errorCode: Int32 = 0
        var errorOffset = 0
        // One byte more than the pattern, so that the base address exists; PCRE2 is told the length.
        let pattern = Array(regex.pattern.utf8) + [0]
        let code = unsafe pattern.withUnsafeBufferPointer { buffer in
            // SAFETY: the buffer outlives the call, and PCRE2 copies what it keeps.
            unsafe pcre2_compile_8(
                buffer.baseAddress,
                buffer.count - 1,
                options,
                &errorCode,
                &errorOffset,
                nil
            )
        }
        guard let code = unsafe code else {
            throw Refusal(offset: errorOffset, message: Self.message(errorCode))
        }
        unsafe self.code = code
        // Without JIT (an architecture without it, or memory that must not become executable) the
        // interpreter does the same, slower; so the result is of no interest.
        _ = unsafe pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
    }

    /// What is wrong with a pattern; nil when nothing is.
    static func mistake(in regex: RegexPattern) -> String? {
        do {
            _ = try CompiledRegex(regex)
            return nil
        } catch {
            return error.words
        }
    }

    deinit {
        // SAFETY: made by pcre2_compile, and no other object holds it.
        unsafe pcre2_code_free_8(code)
    }

    private static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            // SAFETY: PCRE2 writes at most the given number of bytes, with a final zero.
            unsafe pcre2_get_error_message_8(code, buffer.baseAddress, buffer.count)
        }
        return String(decoding: buffer.prefix(max(0, Int(length))), as: UTF8.self)
    }
}

/// What one matcher needs to run expressions: it belongs to one matcher and so to one thread at a
/// time, which is what pcre2api(3) asks of match data, match contexts and JIT stacks.
@safe
struct RegexScratch: ~Copyable, @unchecked Sendable {
    enum Outcome { case match, noMatch, limit }

    private let data: OpaquePointer
    private let context: OpaquePointer
    private let stack: OpaquePointer?

    init(_ limits: MatchLimits) {
        // Only the fact of a match is asked for, so one pair of offsets does.
        let data = unsafe pcre2_match_data_create_8(1, nil)
        let context = unsafe pcre2_match_context_create_8(nil)
        guard let data = unsafe data, let context = unsafe context else {
            preconditionFailure("out of memory for a PCRE2 match context")
        }
        unsafe self.data = data
        unsafe self.context = context
        _ = unsafe pcre2_set_match_limit_8(context, limits.regexMatchLimit)
        _ = unsafe pcre2_set_depth_limit_8(context, limits.regexMatchLimit)
        _ = unsafe pcre2_set_heap_limit_8(context, limits.regexHeapKiBMax)
        // pcre2jit(3): without a stack of its own, JIT code has 32 KiB of the machine stack.
        unsafe stack = pcre2_jit_stack_create_8(32 << 10, Int(limits.regexHeapKiBMax) << 10, nil)
        if let stack = unsafe stack {
            unsafe pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
        }
    }

    deinit {
        // SAFETY: each was made in `init` and is held by nobody else.
        if let stack = unsafe stack { unsafe pcre2_jit_stack_free_8(stack) }
        unsafe pcre2_match_context_free_8(context)
        unsafe pcre2_match_data_free_8(data)
    }

    /// Searches `text` for the expression. A search that reaches a limit says so.
    mutating func search(_ regex: CompiledRegex, in text: Span<UInt8>) -> Outcome {
        let result = unsafe text.withUnsafeBufferPointer { buffer in
            // SAFETY: PCRE2 reads `count` bytes during the call and keeps no pointer that is used
            // afterwards; match data are written over by the next search.
            if let base = buffer.baseAddress {
                return unsafe pcre2_match_8(regex.code, base, buffer.count, 0, 0, data, context)
            }
            var empty: UInt8 = 0
            return unsafe pcre2_match_8(regex.code, &empty, 0, 0, 0, data, context)
        }
        if result >= 0 { return .match }
        // Whatever else goes wrong (match, depth, heap and JIT stack limits, memory) is no answer.
        return result == PCRE2_ERROR_NOMATCH ? .noMatch : .limit
    }
}

/// Whether a text matches a regular expression that is asked once, compiled for it. Not for hot
/// paths.
///
/// - Returns: nil when PCRE2 refuses the expression, or a limit was reached.
public func searchOnce(_ regex: RegexPattern, in text: [UInt8]) -> Bool? {
    guard let compiled = try? CompiledRegex(regex) else { return nil }
    var scratch = RegexScratch(MatchLimits())
    return switch scratch.search(compiled, in: text.span) {
    case .match: true
    case .noMatch: false
    case .limit: nil
    }
}
