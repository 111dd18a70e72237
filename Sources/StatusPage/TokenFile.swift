public import LinuxIO
import SafeText
public import SystemPackage

/// Where a state folder keeps the token of the page: `http.token`, mode 0600.
public enum TokenFile {
    public static let name: FilePath.Component = "http.token"

    /// What is wrong with the file.
    public struct Unusable: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Reads the token; nil when there is none.
    public static func read(
        folder: FilePath,
        calls: SystemCalls = SystemCalls()
    ) throws(Unusable) -> AccessToken? {
        let path = folder.appending(name)
        do {
            let file = try calls.open(path, [.read, .nonBlocking, .noFollow])
            let status = try file.status()
            guard status.kind == .regular, status.size <= 512, status.mode & 0o077 == 0 else {
                throw Unusable(description: "\(path): not a file of mode 0600 with a token")
            }
            let text = String(
                decoding: try file.readFully(count: Int(status.size), at: 0),
                as: UTF8.self
            )
            guard let token = AccessToken(text.hasSuffix("\n") ? String(text.dropLast()) : text)
            else {
                throw Unusable(
                    description: "\(path): a token of 32 to 256 letters and digits was expected"
                )
            }
            return token
        } catch let error as Unusable {
            throw error
        } catch let error as SystemCallError {
            guard error.cause == .noSuchFileOrDirectory else {
                throw Unusable(description: "\(error)")
            }
            return nil
        } catch {
            preconditionFailure("all errors are typed")
        }
    }

    /// Reads the token, or makes one: only the one who has the folder's lock may.
    public static func open(
        folder: FilePath,
        calls: SystemCalls = SystemCalls()
    ) throws(Unusable) -> AccessToken {
        if let token = try read(folder: folder, calls: calls) { return token }
        let token = AccessToken()
        do {
            try calls.replaceDurably(
                folder.appending(name),
                with: Array((token.text + "\n").utf8),
                mode: 0o600
            )
        } catch {
            throw Unusable(description: "\(error)")
        }
        return token
    }
}
