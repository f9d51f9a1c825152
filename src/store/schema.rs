//! The tables and the small key-value table `meta`.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;

/// Marks the file as one of this program's ("MLPs").
pub const APPLICATION_ID: i32 = 0x4d4c_5073;

/// Each entry brings the schema from its index to the next version.
pub const MIGRATIONS: &[&str] = &[
    VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6,
];

/// The schema version that this build reads and writes.
#[must_use]
pub fn version() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

// Triggers are served in runs: `served` says up to which number they are done and by which cycle,
// `tries` how often the waiting ones failed. So a cycle that serves thousands writes one row.
const VERSION_1: &str = "
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE feeds (
    feed TEXT PRIMARY KEY,
    cycles INTEGER NOT NULL DEFAULT 0,
    last_start REAL,
    last_end REAL,
    last_success REAL,
    last_changed INTEGER NOT NULL DEFAULT 0,
    has_snapshot INTEGER NOT NULL DEFAULT 0,
    list_digest BLOB,
    etag TEXT,
    last_modified TEXT,
    export_digest BLOB,
    export_before BLOB,
    held_digest BLOB,
    held_since REAL,
    held_reason TEXT,
    held_accepted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID, STRICT;

CREATE TABLE triggers (
    seq INTEGER PRIMARY KEY,
    feed TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    source TEXT NOT NULL,
    accepted REAL NOT NULL,
    traceparent TEXT,
    data TEXT,
    size INTEGER NOT NULL
) STRICT;

CREATE TABLE served (
    feed TEXT NOT NULL,
    upto INTEGER NOT NULL,
    processing_id TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (feed, upto)
) WITHOUT ROWID, STRICT;

CREATE TABLE tries (
    feed TEXT NOT NULL,
    upto INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (feed, upto)
) WITHOUT ROWID, STRICT;

CREATE TABLE cycles (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feed TEXT NOT NULL,
    processing_id TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX cycles_by_processing_id ON cycles (feed, processing_id);

CREATE TABLE matches (
    feed TEXT NOT NULL,
    match_id INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    date TEXT,
    PRIMARY KEY (feed, match_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE raw (
    feed TEXT NOT NULL,
    match_id INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (feed, match_id)
) STRICT;

CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feed TEXT NOT NULL,
    processing_id TEXT NOT NULL,
    match_id INTEGER NOT NULL,
    category TEXT NOT NULL,
    priority TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX changes_by_match ON changes (feed, match_id, id);

CREATE TABLE assets (
    feed TEXT NOT NULL,
    match_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    planned BLOB,
    stored BLOB,
    url TEXT,
    stored_at REAL,
    PRIMARY KEY (feed, match_id, kind)
) WITHOUT ROWID, STRICT;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feed TEXT NOT NULL,
    destination TEXT NOT NULL,
    match_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    processing_id TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    next_attempt REAL NOT NULL,
    settled REAL,
    last_error TEXT,
    traceparent TEXT,
    digest BLOB NOT NULL,
    payload TEXT
) STRICT;
CREATE INDEX outbox_by_state ON outbox (state, destination, next_attempt);
CREATE INDEX outbox_by_match ON outbox (feed, destination, match_id, id);
CREATE INDEX outbox_by_cycle ON outbox (processing_id, state);

CREATE TABLE avatars (
    clubs TEXT PRIMARY KEY,
    made REAL NOT NULL,
    png BLOB NOT NULL
) STRICT;
";

// In the order of the triggers, so that the oldest are found at the start.
const VERSION_2: &str = "
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY,
    feed TEXT NOT NULL,
    id BLOB NOT NULL,
    body BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    accepted REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX requests_by_id ON requests (feed, id);
";

// Names are looked up in memory, see `names`.
const VERSION_3: &str = "
DROP INDEX requests_by_id;
";

// Messages to people: who gets them, how urgent they are, and when they may go out at the earliest.
const VERSION_4: &str = "
ALTER TABLE outbox ADD COLUMN recipient TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN priority TEXT NOT NULL DEFAULT 'low';
ALTER TABLE outbox ADD COLUMN not_before REAL;
DROP INDEX outbox_by_match;
CREATE INDEX outbox_by_match ON outbox (feed, destination, match_id, recipient, id);
";

// What waits is found without reading what is settled, and counted without reading what is large.
const VERSION_5: &str = "
CREATE INDEX outbox_open ON outbox (feed, destination, match_id, recipient, id)
    WHERE state IN ('pending', 'running');
CREATE INDEX outbox_urgent ON outbox (feed, destination, next_attempt)
    WHERE state = 'pending' AND priority = 'critical';
CREATE INDEX outbox_counts ON outbox (feed, destination, state, priority, created, not_before);
";

// What waits for a reader is found without reading what waits for others. SQLite sees that a query is
// within an index by `OR`, and not by `IN`.
const VERSION_6: &str = "
CREATE INDEX outbox_readers ON outbox (feed, destination, recipient, kind, id, match_id)
    WHERE state = 'pending' AND (kind = 'message' OR kind = 'digest');
";

/// Reads a value of the table `meta`.
pub fn meta(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

/// Removes a value of the table `meta`.
pub fn remove_meta(connection: &Connection, key: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM meta WHERE key = ?1")?
        .execute([key])?;
    Ok(())
}

/// Writes a value of the table `meta`.
pub fn put_meta(connection: &Connection, key: &str, value: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute(params![key, value])?;
    Ok(())
}
