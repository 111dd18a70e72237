import Records
public import State

extension Continuity {
    /// Adds what changed since the last call to a commit.
    public mutating func takeChanges(into changes: inout Changes) {
        for piece in takeChanges() {
            if let body = piece.body {
                changes.setPiece(piece.kind.pieceKind, key: piece.key.span, body: body.span)
            } else {
                changes.removePiece(piece.kind.pieceKind, key: piece.key.span)
            }
        }
    }

    /// Takes in what a state folder holds, in place of what is here.
    ///
    /// Also while a daemon writes to the folder.
    public mutating func restore(from store: StateReader) throws(EngineRestoreError) {
        // Two reads see two commits: a day may leave between them. Such bad luck does not repeat.
        var attemptsLeft = 3
        while true {
            var pieces: [Piece] = []
            do {
                for kind in [Piece.Kind.gap, .day] {
                    try store.forEachPiece(kind.pieceKind) { key, body in
                        pieces.append(Piece(kind: kind, key: key.copied, body: body.copied))
                        return true
                    }
                }
            } catch {
                throw .state(error)
            }
            do {
                return try restore(pieces)
            } catch {
                attemptsLeft -= 1
                guard attemptsLeft > 0 else {
                    throw .stored(StoredStateError(piece: "continuity", cause: error))
                }
            }
        }
    }
}

extension Continuity.Piece.Kind {
    fileprivate var pieceKind: PieceKind {
        switch self {
        case .day: .continuity
        case .gap: .gap
        }
    }
}
