extension Input {
    /// Whether all of it must be decompressed one after the other: anything but a zstd file of several
    /// frames.
    public var isOneStream: Bool {
        guard case .file(let file) = place, encoding == .zstd else { return true }
        guard let shared = try? file.openShared() else { return true }
        var frames = ZstdFrames(shared)
        let end = frames.end(ofFrameAt: 0, bytesMax: file.size)
        return end.map { $0 >= file.size } ?? true
    }
}
