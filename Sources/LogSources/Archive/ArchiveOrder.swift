public import SystemPackage

extension Input {
    /// Whether `next` can be read on in the same pass over an archive.
    fileprivate func isPassed(before next: Input) -> Bool {
        guard case .member(let mine) = place, case .member(let others) = next.place else {
            return false
        }
        return mine.archive == others.archive && mine.number < others.number
    }

    fileprivate var archive: ArchiveFile? {
        if case .member(let member) = place { member.archive } else { nil }
    }

    fileprivate var memberNumber: Int {
        if case .member(let member) = place { member.number } else { 0 }
    }
}

extension [Input] {
    /// Puts the members of an archive into the archive's own order where another would begin it again
    /// more than ``ArchiveLimits/restartsMax`` times: each beginning reads over all that stands
    /// before the member, which a stranger could make as long as he likes.
    ///
    /// - Returns: the archives that it was done to.
    public mutating func boundRestarts() -> [FilePath] {
        var passes: [ArchiveFile: Int] = [:]
        for (index, input) in enumerated() {
            guard let archive = input.archive else { continue }
            if index == 0 || !self[index - 1].isPassed(before: input) {
                passes[archive, default: 0] += 1
            }
        }
        var paths: [FilePath] = []
        for archive in passes.filter({ $0.value > ArchiveLimits.restartsMax }).map(\.key)
            .sorted(by: { $0.file.path.string < $1.file.path.string })
        {
            let members = filter { $0.archive == archive }
                .sorted { $0.memberNumber < $1.memberNumber }
            guard let place = firstIndex(where: { $0.archive == archive }) else { continue }
            removeAll { $0.archive == archive }
            insert(contentsOf: members, at: place)
            paths.append(archive.file.path)
        }
        return paths
    }
}
