import Crypto
public import Records
import SafeText

/// A raw line in a bundle, with the place where it was read.
public struct EvidenceLine: Sendable, Hashable {
    /// The number of the line in the whole run of the engine, see ``KeptLine/sequence``.
    public var sequence: UInt64
    /// The name of the source.
    public var source: String
    /// The file as the source named it.
    public var path: String
    /// Absent where the file has none, as standard input.
    public var identity: FileIdentity?
    /// Offset of the line's first byte in the (decompressed) file.
    public var offset: UInt64
    /// The line as it was read, without its newline: any bytes.
    public var bytes: [UInt8]
    /// The line was longer than what is kept of it.
    public var isShortened: Bool

    public init(
        sequence: UInt64,
        source: String,
        path: String,
        identity: FileIdentity?,
        offset: UInt64,
        bytes: [UInt8],
        isShortened: Bool
    ) {
        self.sequence = sequence
        self.source = source
        self.path = path
        self.identity = identity
        self.offset = offset
        self.bytes = bytes
        self.isShortened = isShortened
    }

    /// `lines.log` and `provenance.jsonl`: in both, line n tells of `lines[n - 1]`.
    static func encode(_ lines: [EvidenceLine]) -> (log: [UInt8], provenance: [UInt8]) {
        var log: [UInt8] = []
        var provenance: [UInt8] = []
        log.reserveCapacity(lines.reduce(0) { $0 + $1.bytes.count + 8 })
        provenance.reserveCapacity(lines.count * 400)
        var place = ProvenancePlace()
        for (index, line) in lines.enumerated() {
            if isPlain(line.bytes) {
                log.append(contentsOf: line.bytes)
            } else {
                log.append(contentsOf: escapedRecord(line.bytes))
            }
            log.append(newline)
            line.appendProvenance(number: index + 1, &place, to: &provenance)
            provenance.append(newline)
        }
        return (log, provenance)
    }

    /// The line's object in `provenance.jsonl`, without a newline.
    ///
    /// Device and inode are strings as in the Elastic Common Schema (`log.file.device_id`): a JSON
    /// reader that makes numbers `Double`s would round them. The fingerprint is
    /// ``FileIdentity/headDigest``.
    ///
    /// - Parameter number: the line's number in `lines.log`, from 1.
    func provenance(number: Int) -> [UInt8] {
        var place = ProvenancePlace()
        var bytes: [UInt8] = []
        appendProvenance(number: number, &place, to: &bytes)
        return bytes
    }

    /// The same, at the end of `out`. A bundle may have ten thousand lines, and the alert waits for
    /// it: so it is written byte by byte, and what one line shares with the next is kept.
    ///
    /// - Parameter place: of the line before.
    private func appendProvenance(
        number: Int,
        _ place: inout ProvenancePlace,
        to out: inout [UInt8]
    ) {
        if !place.isSame(as: self) { place = ProvenancePlace(of: self) }
        out.append(ascii: "{\"postern.line\":")
        out.append(decimal: UInt64(number))
        out.append(ascii: ",\"postern.sequence\":")
        out.append(decimal: sequence)
        out.append(contentsOf: place.members)
        out.append(ascii: ",\"log.offset\":")
        out.append(decimal: offset)
        out.append(ascii: ",\"sha256\":\"")
        for byte in SHA256.hash(data: bytes) { out.append(hexOf: byte) }
        out.append(
            ascii: isShortened
                ? "\",\"postern.shortened\":true}" : "\",\"postern.shortened\":false}"
        )
    }
}

/// What the provenance of a line says of the file, which the lines around it share.
private struct ProvenancePlace {
    private var source = ""
    private var path = ""
    private var identity: FileIdentity?
    private var isMade = false
    /// Its members of the object, each behind a comma.
    private(set) var members: [UInt8] = []

    init() {}

    init(of line: EvidenceLine) {
        source = line.source
        path = line.path
        identity = line.identity
        isMade = true
        var object = JSONObjectWriter()
        object.member("postern.source", source)
        object.member("log.file.path", path)
        if let identity {
            object.member("log.file.device_id", String(identity.device))
            object.member("log.file.inode", String(identity.inode))
            object.member("log.file.fingerprint", hex(bigEndian(identity.headDigest)))
            object.member("postern.fingerprint_bytes", identity.headByteCount)
        }
        members = object.finished()
        members[0] = UInt8(ascii: ",")
        members.removeLast()
    }

    func isSame(as line: EvidenceLine) -> Bool {
        // By bytes: `==` of strings takes some characters for one.
        isMade && identity == line.identity && source.utf8.elementsEqual(line.source.utf8)
            && path.utf8.elementsEqual(line.path.utf8)
    }
}

/// Whether a line stands in `lines.log` as it is: printable ASCII without a backslash.
private func isPlain(_ bytes: [UInt8]) -> Bool {
    // Without an early end, so that it is done many bytes at a time.
    var isPlain = true
    for byte in bytes {
        isPlain = isPlain && byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "\\")
    }
    return isPlain
}

extension [UInt8] {
    fileprivate mutating func append(ascii text: StaticString) {
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }

    fileprivate mutating func append(decimal number: UInt64) {
        let start = count
        var rest = number
        repeat {
            append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    fileprivate mutating func append(hexOf byte: UInt8) {
        append(Self.hexDigit(byte >> 4))
        append(Self.hexDigit(byte & 15))
    }
}

/// Why a line of a bundle cannot be read back: the bundle does not hold there.
public struct EvidenceLineError: Error, Sendable, Hashable {
    /// What does not hold, with the number of the line, counted from 1.
    public var mismatch: Mismatch
}

/// Reads `lines.log` and `provenance.jsonl` side by side, as written by a stranger.
///
/// There is one way to write each line, and any other is refused: so two bundles with the same
/// lines have the same bytes, and nothing can hide in how a line is written. That the digest in the
/// provenance is the line's follows from it.
struct EvidenceLineReader {
    /// A path of 4,096 bytes (`PATH_MAX`), each escaped to six, as path and as name of the source.
    private static let placeBytesMax = 64 << 10

    private let log: [UInt8]
    private let provenance: [UInt8]
    private var logPosition = 0
    private var provenancePosition = 0
    /// How many lines were read, or could not be.
    private(set) var number = 0

    init(log: [UInt8], provenance: [UInt8]) {
        self.log = log
        self.provenance = provenance
    }

    /// The next line; nil at the end of both members.
    ///
    /// After an error, unless ``isAtEnd``, reading can go on with the line that follows.
    mutating func next() throws(EvidenceLineError) -> EvidenceLine? {
        if isAtEnd { return nil }
        number += 1
        guard let raw = Self.nextLine(of: log, &logPosition) else {
            logPosition = log.count
            provenancePosition = provenance.count
            throw mismatch(.lines, expected: "a line", found: "its end")
        }
        guard let place = Self.nextLine(of: provenance, &provenancePosition) else {
            logPosition = log.count
            provenancePosition = provenance.count
            throw mismatch(.provenance, expected: "a line", found: "its end")
        }
        guard let bytes = rawBytes(ofEscaped: raw), escapedRecord(bytes).elementsEqual(raw) else {
            throw mismatch(
                .lines,
                expected: "an escaped record",
                found: String(decoding: raw, as: UTF8.self)
            )
        }
        return try line(bytes, place: place)
    }

    var isAtEnd: Bool { logPosition == log.count && provenancePosition == provenance.count }

    private func line(
        _ bytes: [UInt8],
        place: ArraySlice<UInt8>
    ) throws(EvidenceLineError) -> EvidenceLine {
        guard place.count <= Self.placeBytesMax else {
            throw mismatch(
                .provenance,
                expected: "at most \(Self.placeBytesMax) bytes",
                found: "\(place.count)"
            )
        }
        let object: JSONObject
        do {
            object = try JSONObjectReader.read(Array(place))
        } catch {
            throw mismatch(.provenance, expected: "a JSON object", found: error.description)
        }
        guard let sequence = object["postern.sequence"]?.unsigned,
            let source = object["postern.source"]?.string,
            let path = object["log.file.path"]?.string,
            let offset = object["log.offset"]?.unsigned,
            case .boolean(let isShortened) = object["postern.shortened"]
        else {
            throw mismatch(
                .provenance,
                expected: "sequence, source, path, offset and whether it was shortened",
                found: String(decoding: place, as: UTF8.self)
            )
        }
        let line = EvidenceLine(
            sequence: sequence,
            source: source,
            path: path,
            identity: try identity(object),
            offset: offset,
            bytes: bytes,
            isShortened: isShortened
        )
        let digest = object["sha256"]?.string ?? "none"
        guard digest.utf8.elementsEqual(digestHex(bytes).utf8) else {
            throw mismatch(
                .provenance,
                expected: "SHA-256 \(digestHex(bytes)), as of the line in lines.log",
                found: digest
            )
        }
        let expected = line.provenance(number: number)
        guard expected.elementsEqual(place) else {
            throw mismatch(
                .provenance,
                expected: String(decoding: expected, as: UTF8.self),
                found: String(decoding: place, as: UTF8.self)
            )
        }
        return line
    }

    private func identity(_ object: JSONObject) throws(EvidenceLineError) -> FileIdentity? {
        guard let device = object["log.file.device_id"] else { return nil }
        guard let device = device.string.flatMap({ UInt64($0) }),
            let inode = object["log.file.inode"]?.string.flatMap({ UInt64($0) }),
            let digest = object["log.file.fingerprint"]?.string.flatMap({ UInt64($0, radix: 16) }),
            let count = object["postern.fingerprint_bytes"]?.unsigned.flatMap({
                UInt32(exactly: $0)
            })
        else {
            throw mismatch(
                .provenance,
                expected: "device, inode and fingerprint of the file",
                found: "others"
            )
        }
        return FileIdentity(device: device, inode: inode, headDigest: digest, headByteCount: count)
    }

    private func mismatch(
        _ member: BundleMember,
        expected: String,
        found: String
    ) -> EvidenceLineError {
        EvidenceLineError(
            mismatch: Mismatch("\(member.rawValue):\(number)", expected: expected, found: found)
        )
    }

    /// The line at `position`, which moves behind its newline; nil without one.
    private static func nextLine(
        of bytes: [UInt8],
        _ position: inout Int
    ) -> ArraySlice<UInt8>? {
        guard let end = bytes[position...].firstIndex(of: newline) else { return nil }
        defer { position = end + 1 }
        return bytes[position..<end]
    }
}

extension JSONValue {
    /// The number, if it is an integer that is not negative.
    var unsigned: UInt64? {
        switch self {
        case .integer(let number): UInt64(exactly: number)
        case .number(let text): UInt64(text)
        default: nil
        }
    }

    /// The number, if it is an integer that counts something.
    var count: Int? { unsigned.flatMap { Int(exactly: $0) } }
}

let newline = UInt8(ascii: "\n")

/// SHA-256 in lower-case hexadecimal.
func digestHex(_ bytes: [UInt8]) -> String { hex(Array(SHA256.hash(data: bytes))) }

private func bigEndian(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
}
