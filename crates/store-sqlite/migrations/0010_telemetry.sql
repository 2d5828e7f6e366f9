-- Samples. The log has one owner at a time; its entries are what came in and is in no segment yet. A segment's samples
-- are in an object, and its row says which.
CREATE TABLE telemetry_owner (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 0),
    owner       TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    last_entry  INTEGER NOT NULL
) STRICT;

CREATE TABLE telemetry_log (
    number  INTEGER NOT NULL PRIMARY KEY,
    content BLOB    NOT NULL
) STRICT;

CREATE TABLE telemetry_segments (
    uid          BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project      TEXT    NOT NULL,
    resolution   INTEGER NOT NULL,
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    sample_count INTEGER NOT NULL,
    object_bytes INTEGER NOT NULL,
    directory    BLOB    NOT NULL,
    created      INTEGER NOT NULL
) STRICT;

CREATE TABLE telemetry_reporters (
    project     TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    incarnation BLOB    NOT NULL CHECK (length(incarnation) = 16),
    sequence    INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    PRIMARY KEY (project, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX telemetry_reporters_updated ON telemetry_reporters (updated);
