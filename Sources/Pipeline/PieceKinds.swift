import State

/// The numbers under which rooms' bytes lie in the state. They are on disk for good.
extension PieceKind {
    static let memoryAccount = PieceKind(rawValue: 1)
    static let memoryDomain = PieceKind(rawValue: 2)
    static let memoryClock = PieceKind(rawValue: 3)
    static let heldEvent = PieceKind(rawValue: 4)
    static let group = PieceKind(rawValue: 5)
    static let detectionClock = PieceKind(rawValue: 6)
    static let assembly = PieceKind(rawValue: 7)
    static let assemblerClock = PieceKind(rawValue: 8)
    static let file = PieceKind(rawValue: 9)
    static let lineHold = PieceKind(rawValue: 10)
    static let keptLines = PieceKind(rawValue: 11)
    static let engineClock = PieceKind(rawValue: 12)
    static let latestBundle = PieceKind(rawValue: 13)
    static let continuity = PieceKind(rawValue: 14)
    static let gap = PieceKind(rawValue: 15)
    static let source = PieceKind(rawValue: 16)
    static let laneClock = PieceKind(rawValue: 17)
    static let session = PieceKind(rawValue: 18)
    static let inbound = PieceKind(rawValue: 19)
    static let coverageClock = PieceKind(rawValue: 20)
    static let coverageHour = PieceKind(rawValue: 21)
    static let coverageDay = PieceKind(rawValue: 22)
    static let memoryActivity = PieceKind(rawValue: 23)
    static let memoryHorizon = PieceKind(rawValue: 24)
}
