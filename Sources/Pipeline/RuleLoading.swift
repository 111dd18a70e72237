public import LinuxIO
public import Sigma
public import SystemPackage

/// The rule files of some folders, read as one set.
public struct LoadedRules: Sendable {
    public var rules: RuleSet
    public var mistakes: [Mistake]
    public var warnings: [Mistake]
    /// See ``RuleReading/expressions``.
    public var expressions: [WrittenExpression]
    /// The names of the files, in the order in which they were read.
    public var files: [String]
}

/// A folder of rules cannot be read.
public struct RuleFolderError: Error, Sendable {
    public let path: FilePath
    public let cause: SystemCallError
}

/// Reads every `.yml` file below the folders, in the order of their names.
///
/// - Parameters:
///   - folders: folders or files. One that is not there is an error unless it is in `optional`.
///   - optional: folders that may be missing.
///   - leftOut: names of rules that are not to be used (`rules_off`).
///   - placeholders: the values of `%name%` in values with `expand`.
public func loadRules(
    from folders: [FilePath],
    optional: Set<FilePath> = [],
    leftOut: [String] = [],
    placeholders: [String: [String]] = [:]
) throws(RuleFolderError) -> LoadedRules {
    let calls = SystemCalls()
    var files: [RuleFile] = []
    for folder in folders {
        do {
            try collect(folder, calls, &files, isNamed: true)
        } catch {
            if optional.contains(folder), error.cause == .noSuchFileOrDirectory { continue }
            throw RuleFolderError(path: folder, cause: error)
        }
    }
    let reading = RuleReading(files, placeholders: placeholders)
    var rules = reading.rules
    if !leftOut.isEmpty { rules = rules.without(Set(leftOut)) }
    return LoadedRules(
        rules: rules,
        mistakes: reading.mistakes,
        warnings: reading.warnings,
        expressions: reading.expressions,
        files: files.map(\.name)
    )
}

private func collect(
    _ path: FilePath,
    _ calls: SystemCalls,
    _ files: inout [RuleFile],
    isNamed: Bool
) throws(SystemCallError) {
    let status = try calls.status(of: path)
    if status.kind == .folder {
        let names = try calls.names(inFolder: path).sorted { $0.string < $1.string }
        for name in names where !name.string.hasPrefix(".") {
            try collect(path.appending(name), calls, &files, isNamed: false)
        }
        return
    }
    guard isNamed || path.extension == "yml" || path.extension == "yaml" else { return }
    let descriptor = try calls.open(path, [.read])
    let count = min(Int(clamping: status.size), RuleLimits().fileBytesMax + 1)
    let bytes = try descriptor.readFully(count: count, at: 0)
    files.append(RuleFile(name: path.string, bytes: bytes))
}

extension RuleSet {
    /// The set without some alert rules: those named raise no alert; what others build on stays.
    fileprivate func without(_ names: Set<String>) -> RuleSet {
        var set = self
        for index in set.correlations.indices
        where set.correlations[index].name.map(names.contains) ?? false {
            set.correlations[index].head.level = .informational
        }
        for index in set.detections.indices
        where set.detections[index].name.map(names.contains) ?? false {
            set.detections[index].head.level = .informational
        }
        return set
    }
}

/// Where the shipped rules lie: in `../share/postern/rules` beside the program, else in `rules` of
/// the source tree that the program was built in; nil when neither is there.
public func shippedRulesFolder() -> FilePath? {
    let calls = SystemCalls()
    guard let program = programPath() else { return nil }
    var candidates: [FilePath] = [
        program.removingLastComponent().removingLastComponent().appending("share/postern/rules")
    ]
    // .build/release/postern and .build/x86_64-…/release/postern.
    var folder = program.removingLastComponent()
    for _ in 0..<5 {
        folder = folder.removingLastComponent()
        candidates.append(folder.appending("rules"))
    }
    for (index, candidate) in candidates.enumerated() {
        guard let status = try? calls.status(of: candidate), status.kind == .folder else {
            continue
        }
        if index == 0 { return candidate }
        let manifest = candidate.removingLastComponent().appending("Package.swift")
        if (try? calls.status(of: manifest)) != nil { return candidate }
    }
    return nil
}

private func programPath() -> FilePath? {
    linkTarget("/proc/self/exe").map { FilePath($0) }
}
