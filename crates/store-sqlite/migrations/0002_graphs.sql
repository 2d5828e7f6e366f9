-- Names apart from rows: on PostgreSQL the two are partitioned differently.
CREATE TABLE graph_names (
    project TEXT NOT NULL,
    id      TEXT NOT NULL,
    uid     BLOB NOT NULL CHECK (length(uid) = 16),
    PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE graphs (
    uid             BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project         TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    display_name    TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    kind            INTEGER NOT NULL,
    labels          TEXT    NOT NULL,
    revision        INTEGER NOT NULL CHECK (revision >= 1),
    oldest_revision INTEGER NOT NULL,
    node_count      INTEGER NOT NULL,
    edge_count      INTEGER NOT NULL,
    next_ordinal    INTEGER NOT NULL,
    created         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    version         INTEGER NOT NULL
) STRICT;

-- Graphs that are gone for every reader, and whose rows below wait to be removed in small batches.
CREATE TABLE deleted_graphs (
    uid BLOB NOT NULL PRIMARY KEY CHECK (length(uid) = 16)
) STRICT, WITHOUT ROWID;

-- The truth about the content of every graph. A revision is its parts from 0 up to the one with last_part.
CREATE TABLE journal (
    graph_uid BLOB    NOT NULL CHECK (length(graph_uid) = 16),
    revision  INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    last_part INTEGER NOT NULL CHECK (last_part IN (0, 1)),
    at        INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    bytes     BLOB    NOT NULL,
    PRIMARY KEY (graph_uid, revision, part)
) STRICT;

-- The checkpoint that counts. Parts of other revisions are not yet, or not any more, part of one.
CREATE TABLE checkpoints (
    graph_uid  BLOB    NOT NULL PRIMARY KEY CHECK (length(graph_uid) = 16),
    revision   INTEGER NOT NULL,
    part_count INTEGER NOT NULL,
    bytes      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint_parts (
    graph_uid BLOB    NOT NULL CHECK (length(graph_uid) = 16),
    revision  INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    bytes     BLOB    NOT NULL,
    PRIMARY KEY (graph_uid, revision, part)
) STRICT;
