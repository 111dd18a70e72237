import Records
import State

extension Coverage {
    /// Adds the pieces that changed to what is to be committed.
    mutating func takeChanges(into changes: inout Changes) {
        for piece in takeChanges() {
            if let body = piece.body {
                changes.setPiece(piece.kind.pieceKind, key: piece.key.span, body: body.span)
            } else {
                changes.removePiece(piece.kind.pieceKind, key: piece.key.span)
            }
        }
    }

    /// Takes the stored pieces in; nothing was seen before.
    mutating func restore(from store: StateReader) throws(EngineRestoreError) {
        var pieces: [Piece] = []
        do {
            for kind in [Piece.Kind.clock, .hour, .day] {
                try store.forEachPiece(kind.pieceKind) { key, body in
                    pieces.append(Piece(kind: kind, key: key.copied, body: body.copied))
                    return true
                }
            }
        } catch {
            throw .state(error)
        }
        do {
            try restore(pieces)
        } catch {
            throw .stored(StoredStateError(piece: "coverage", cause: error))
        }
    }
}

extension Coverage.Piece.Kind {
    fileprivate var pieceKind: PieceKind {
        switch self {
        case .clock: .coverageClock
        case .hour: .coverageHour
        case .day: .coverageDay
        }
    }
}
