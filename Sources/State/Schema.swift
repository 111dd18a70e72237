/// The tables, as steps from one version to the next.
///
/// A step that has shipped is never edited: files in the field have run it.
struct Schema {
    /// "Pstn": says whose file it is (<https://www.sqlite.org/pragma.html#pragma_application_id>).
    static let applicationID: Int64 = 0x5073_746e

    /// `steps[n]` leads from version n to n + 1; version 0 is an empty file.
    var steps: [String]

    /// The version that `steps` lead to, kept as `user_version`.
    var version: Int { steps.count }

    static let current = Schema(steps: [one, two])

    /// Version 1. `digest` is a `RowDigest` of the row's name and body. `tally` has, per kind of
    /// piece, how many there are and the sum of their digests (wrapping): a page that the disk lost
    /// takes rows away without leaving a trace in the rows that stay.
    private static let one = """
        CREATE TABLE meta (
            key TEXT NOT NULL PRIMARY KEY,
            digest INTEGER NOT NULL,
            value BLOB NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE cursor (
            source TEXT NOT NULL PRIMARY KEY,
            digest INTEGER NOT NULL,
            body BLOB NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE piece (
            kind INTEGER NOT NULL,
            key BLOB NOT NULL,
            digest INTEGER NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (kind, key)
        ) WITHOUT ROWID;

        CREATE TABLE tally (
            kind INTEGER NOT NULL PRIMARY KEY,
            pieces INTEGER NOT NULL,
            digests INTEGER NOT NULL
        );

        CREATE TABLE alert (
            id TEXT NOT NULL PRIMARY KEY,
            sequence INTEGER NOT NULL,
            status TEXT NOT NULL,
            opened INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            severity INTEGER NOT NULL,
            rule TEXT NOT NULL,
            digest INTEGER NOT NULL,
            body BLOB NOT NULL
        );
        CREATE INDEX alert_changed ON alert (status, changed);

        CREATE TABLE transition (
            alert TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            time INTEGER NOT NULL,
            action TEXT NOT NULL,
            digest INTEGER NOT NULL,
            body BLOB NOT NULL,
            bundle TEXT,
            PRIMARY KEY (alert, sequence)
        );

        CREATE TABLE outbox (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            alert TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            sink TEXT NOT NULL,
            severity INTEGER NOT NULL,
            digest INTEGER NOT NULL,
            body BLOB,
            created INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            due INTEGER NOT NULL,
            state INTEGER NOT NULL,
            error TEXT,
            UNIQUE (alert, sink, sequence)
        );
        CREATE INDEX outbox_due ON outbox (sink, due) WHERE state = 0;
        CREATE INDEX outbox_mildest ON outbox (severity, number) WHERE state = 0;
        CREATE INDEX outbox_done ON outbox (state, number) WHERE state <> 0;
        """

    /// Version 2. Which dispatches are notices, so that they are the last to leave a full outbox;
    /// and what leaves first is found by sink.
    private static let two = """
        ALTER TABLE outbox ADD COLUMN notice INTEGER NOT NULL DEFAULT 0;
        DROP INDEX outbox_mildest;
        CREATE INDEX outbox_mildest ON outbox (sink, notice, severity, number) WHERE state = 0;
        """
}
