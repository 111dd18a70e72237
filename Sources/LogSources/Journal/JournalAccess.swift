import LinuxIO
import SystemPackage

/// Finds out why a journal cannot be read, before its silence is taken for a quiet log: libsystemd
/// passes over files that it may not open, and says nothing.
struct JournalAccess {
    private let place: JournalSelection.Place
    private let calls: SystemCalls
    private var foundCount = 0
    private var denied: SystemCallError?

    init(_ place: JournalSelection.Place, calls: SystemCalls) {
        self.place = place
        self.calls = calls
    }

    /// - Throws: when nothing can be read, or not the part where a mail server's entries are.
    mutating func check() throws(SourceError) {
        switch place {
        case .files(let files): for file in files { try look(at: file) }
        case .directory(let folder):
            try look(in: folder)
            for name in names(in: folder) where isFolder(folder.appending(name)) {
                try look(in: folder.appending(name))
            }
        case .local: for folder in machineFolders(namespace: nil) { try look(in: folder) }
        case .namespace(let name):
            for folder in machineFolders(namespace: name) { try look(in: folder) }
        }
        if let denied { throw SourceError(denied, advice: Self.groupAdvice) }
        guard foundCount == 0 else { return }
        let path: FilePath =
            switch place {
            case .directory(let folder): folder
            case .files(let files): files.first ?? ""
            case .local, .namespace: "/var/log/journal"
            }
        throw SourceError(
            SystemCallError(call: .journalOpen, path: path, cause: .noSuchFileOrDirectory),
            advice: Self.noneAdvice
        )
    }

    private static let groupAdvice =
        "journals can be read by root and by members of the group systemd-journal: add "
        + "SupplementaryGroups=systemd-journal to Postern's unit, or run "
        + "usermod --append --groups systemd-journal USER, and start Postern again"

    private static let noneAdvice =
        "no journal is there: see Storage= in journald.conf(5), or follow the mail server's log file"

    /// Folders of this machine's journals (systemd-journald.service(8), Files).
    private func machineFolders(namespace: String?) -> [FilePath] {
        guard let file = try? calls.open("/etc/machine-id"),
            let bytes = try? file.readFully(count: 32, at: 0)
        else { return [] }
        let machine = String(decoding: bytes, as: UTF8.self)
        var folders: [FilePath] = []
        for root in ["/var/log/journal", "/run/log/journal"] as [FilePath] {
            for name in names(in: root) {
                let isOurs =
                    switch namespace {
                    case nil: name.string == machine
                    case "*"?: name.string == machine || name.string.hasPrefix(machine + ".")
                    case let namespace?: name.string == machine + "." + namespace
                    }
                if isOurs { folders.append(root.appending(name)) }
            }
        }
        return folders
    }

    private func names(in folder: FilePath) -> [FilePath.Component] {
        (try? calls.names(inFolder: folder)) ?? []
    }

    private func isFolder(_ path: FilePath) -> Bool {
        (try? calls.status(of: path))?.kind == .folder
    }

    private mutating func look(in folder: FilePath) throws(SourceError) {
        do {
            for name in try calls.names(inFolder: folder) where Self.isJournal(name.string) {
                tryFile(folder.appending(name))
            }
        } catch  where error.cause == .permissionDenied {
            denied = error
        } catch {
            throw SourceError(error)
        }
    }

    private static func isJournal(_ name: String) -> Bool {
        name.hasSuffix(".journal") || name.hasSuffix(".journal~")
    }

    private mutating func tryFile(_ path: FilePath) {
        do {
            _ = try calls.open(path, [.read, .nonBlocking])
            foundCount += 1
        } catch  where error.cause == .permissionDenied || error.cause == .notPermitted {
            // Those of other users hold what these log, which is no mail server's.
            let isUsers = path.lastComponent?.string.hasPrefix("user-") ?? false
            if !isUsers { denied = error }
        } catch {
            // It was there a moment ago and has another name now, as at a rotation.
            foundCount += 1
        }
    }

    private mutating func look(at file: FilePath) throws(SourceError) {
        do {
            _ = try calls.open(file, [.read, .nonBlocking])
            foundCount += 1
        } catch  where error.cause == .permissionDenied {
            denied = error
        } catch {
            throw SourceError(error)
        }
    }
}
