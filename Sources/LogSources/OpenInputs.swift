public import LinuxIO
public import SystemPackage

/// What a list of paths came to: see ``openInputs(_:calls:)``.
public struct OpenedInputs: Sendable {
    /// In the order in which they were named; below a folder, in the order of the names' bytes.
    public var inputs: [Input] = []
    /// What is not read, and why, in the same order.
    public var skipped: [SkippedInput] = []
    /// Archives whose members are read in their own order although their times say another, see
    /// ``Swift/Array/boundRestarts()``.
    public var keptInOrder: [FilePath] = []
    /// Inputs whose rows go from the latest to the earliest.
    public var backwards: [FilePath] = []
}

/// A path that gives nothing to read.
public struct SkippedInput: Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// It has no bytes.
        case empty
        /// It is no log by its content; in words.
        case notALog(String)
        /// The same file as an earlier one; its lines would count twice.
        case duplicate(of: FilePath)
        /// A link to a folder, found in a folder: following it could lead in a ring.
        case linkedFolder
        /// A device, socket or pipe, found in a folder: reading it could wait for ever.
        case notAFile
        /// It could not be read, and was found in a folder.
        case unreadable(SystemCallError)
        /// It lies deeper than ``ArchiveLimits/nestingMax``.
        case nestedTooDeep
        /// The archive has more members than ``ArchiveLimits/membersMax``; those before were read.
        case tooManyMembers
        /// A member of an archive that only names another file.
        case memberLink
        /// A member of an archive with holes.
        case sparseMember
        /// A member of a zip that needs a password.
        case encrypted
        /// A member of a zip whose compression is not read; in the words of libarchive.
        case unknownMethod(String)
        /// A member of an archive whose name leads out of it, with `..`.
        case leadsOutside
        /// It has the text of an earlier input; its lines would count twice.
        case sameText(as: FilePath)
        /// Its text is the beginning of another input's; its lines would count twice.
        case beginning(of: FilePath)
    }

    public var path: FilePath
    public var reason: Reason
    /// Whether the user named it, rather than a folder above it.
    public var isNamed: Bool

    public init(path: FilePath, reason: Reason, isNamed: Bool) {
        self.path = path
        self.reason = reason
        self.isNamed = isNamed
    }
}

/// Checks the inputs of a replay before anything is read from them: each is opened, and known by
/// its content.
///
/// - Parameter paths: files, folders (read with all below them), pipes, and `-` for standard input.
/// - Returns: the inputs, and what was left out.
/// - Throws: for the first path that was named and cannot be opened or read.
public func openInputs(
    _ paths: [FilePath],
    calls: SystemCalls = SystemCalls()
) throws(SourceError) -> OpenedInputs {
    var walk = InputWalk(calls: calls)
    for path in paths {
        do {
            try walk.add(path, isNamed: true)
        } catch {
            throw SourceError(error)
        }
    }
    return walk.opened
}

private struct InputWalk {
    let calls: SystemCalls
    var opened = OpenedInputs()
    /// Device and inode of each regular file so far.
    private var seen: [FileKey: FilePath] = [:]
    /// Which input holds the journal files of a folder.
    private var journals: [FilePath: Int] = [:]

    init(calls: SystemCalls) { self.calls = calls }

    mutating func add(_ path: FilePath, isNamed: Bool) throws(SystemCallError) {
        if isNamed, path == "-" {
            try addStream(path, try calls.standardInput())
            return
        }
        let status = try calls.status(of: path)
        switch status.kind {
        case .regular: try addFile(path, isNamed: isNamed)
        case .folder: try addFolder(path, isNamed: isNamed)
        case .pipe, .socket, .device, .link:
            if isNamed {
                try addStream(path, try calls.open(path))
            } else {
                skip(path, .notAFile, isNamed)
            }
        }
    }

    private mutating func addFolder(_ path: FilePath, isNamed: Bool) throws(SystemCallError) {
        if !isNamed, try calls.status(of: path, followingLinks: false).kind == .link {
            skip(path, .linkedFolder, isNamed)
            return
        }
        for name in try calls.names(inFolder: path) {
            let below = path.appending(name)
            do {
                try add(below, isNamed: false)
            } catch {
                skip(below, .unreadable(error), false)
            }
        }
    }

    private mutating func addFile(_ path: FilePath, isNamed: Bool) throws(SystemCallError) {
        let file = try calls.open(path, [.read, .nonBlocking])
        let status = try file.status()
        let key = FileKey(status)
        if let earlier = seen[key] {
            skip(path, .duplicate(of: earlier), isNamed)
            return
        }
        seen[key] = path
        let head = try file.readFully(count: Content.headBytes, at: 0)
        let inputFile = InputFile(path, status, head: head, calls: calls)
        switch Content(head: head) {
        case .empty: skip(path, .empty, isNamed)
        case .text(.plain): opened.inputs.append(Input(inputFile, .plain, head: head))
        case .text(let encoding): addCompressed(inputFile, encoding, head: head, isNamed)
        case .archive: addArchive(inputFile, .plain, head: head)
        case .journal: addJournal(path, status)
        case .other(let words):
            let count = min(Int(clamping: status.size), Content.headBytes)
            let tail = try file.readFully(count: count, at: status.size - UInt64(count))
            if Content.isLogBehindZeros(head: head, tail: tail) {
                opened.inputs.append(Input(inputFile, .plain, head: head))
            } else {
                skip(path, .notALog(words), isNamed)
            }
        }
    }

    /// Journal files of one folder are one journal: they are read together, in the order of their
    /// entries, since the archived ones and those of users interleave.
    private mutating func addJournal(_ path: FilePath, _ status: FileStatus) {
        let folder = path.removingLastComponent()
        if let index = journals[folder] {
            opened.inputs[index].addJournalFile(path, status)
        } else {
            journals[folder] = opened.inputs.count
            opened.inputs.append(Input(journalFile: path, status, calls: calls))
        }
    }

    /// A compressed file is a log, an archive, or compressed once more.
    private mutating func addCompressed(
        _ file: InputFile,
        _ encoding: Encoding,
        head: [UInt8],
        _ isNamed: Bool
    ) {
        switch Content(head: Input.head(of: file, encoding)) {
        case .empty, .text(.plain): opened.inputs.append(Input(file, encoding, head: head))
        case .text, .archive: addArchive(file, encoding, head: head)
        case .other(let words):
            let how = encoding.isCompression ? "compressed: " : ""
            skip(file.path, .notALog(how + words), isNamed)
        case .journal:
            skip(
                file.path,
                .notALog("compressed: a journal, which can only be read unpacked"),
                isNamed
            )
        }
    }

    /// Goes through an archive once and takes the logs in it.
    private mutating func addArchive(_ file: InputFile, _ encoding: Encoding, head: [UInt8]) {
        let hint = Input.timeHint(of: file, encoding, head: head)
        var survey = ArchiveSurvey(ArchiveFile(file: file, timeHint: hint), encoding)
        survey.run()
        opened.inputs += survey.opened.inputs
        opened.skipped += survey.opened.skipped
    }

    /// A stream is looked at as soon as its first bytes come; it may be waited for.
    private mutating func addStream(
        _ path: FilePath,
        _ stream: consuming Descriptor
    ) throws(SystemCallError) {
        let status = try stream.status()
        if status.kind == .folder {
            throw SystemCallError(call: .read, path: path, cause: .isDirectory)
        }
        if status.kind == .regular {
            let key = FileKey(status)
            if let earlier = seen[key] {
                skip(path, .duplicate(of: earlier), true)
                return
            }
            seen[key] = path
        }
        var head: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: Content.headBytes)
        while !Content.isDecided(by: head) {
            let count = try stream.read(into: &buffer, 0..<buffer.count)
            if count == 0 { break }
            head.append(contentsOf: buffer[..<count])
        }
        switch Content(head: head) {
        case .empty: skip(path, .empty, true)
        case .text(let encoding):
            // What is within can be known only by reading it.
            let isArchive = encoding != .plain
            opened.inputs.append(
                Input(path, encoding, stream: stream, head: head, isArchive: isArchive)
            )
        case .archive:
            opened.inputs.append(
                Input(path, .plain, stream: stream, head: head, isArchive: true)
            )
        case .journal: skip(path, .notALog("a journal, which can only be read as a file"), true)
        case .other(let words): skip(path, .notALog(words), true)
        }
    }

    private mutating func skip(
        _ path: FilePath,
        _ reason: SkippedInput.Reason,
        _ isNamed: Bool
    ) {
        opened.skipped.append(SkippedInput(path: path, reason: reason, isNamed: isNamed))
    }
}
