-- What agents join with.
CREATE TABLE enrollment_tokens (
    uid          BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project      TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    digest       BLOB    NOT NULL CHECK (length(digest) = 32),
    max_uses     INTEGER NOT NULL CHECK (max_uses >= 1),
    use_count    INTEGER NOT NULL CHECK (use_count <= max_uses),
    labels       TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    expires      INTEGER NOT NULL,
    revoked      INTEGER,
    creator      TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX enrollment_tokens_name ON enrollment_tokens (project, id);
CREATE UNIQUE INDEX enrollment_tokens_digest ON enrollment_tokens (digest);
CREATE INDEX enrollment_tokens_expires ON enrollment_tokens (expires);

-- At most one row, which every change of an agent holds until it is on disk: revisions become visible in order.
CREATE TABLE fleet (
    one       INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    revision  INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
) STRICT;

-- Agents as they are now; those that were removed stay for a while, without their record.
CREATE TABLE agents (
    uid        BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project    TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    public_key BLOB    NOT NULL CHECK (length(public_key) = 32),
    token_uid  BLOB    NOT NULL CHECK (length(token_uid) = 16),
    revision   INTEGER NOT NULL,
    record     BLOB    NOT NULL,
    last_seen  INTEGER,
    created    INTEGER NOT NULL,
    deleted    INTEGER
) STRICT;

CREATE UNIQUE INDEX agents_name ON agents (project, id) WHERE deleted IS NULL;
CREATE UNIQUE INDEX agents_public_key ON agents (public_key) WHERE deleted IS NULL;
CREATE UNIQUE INDEX agents_revision ON agents (revision);
CREATE INDEX agents_deleted ON agents (deleted) WHERE deleted IS NOT NULL;
