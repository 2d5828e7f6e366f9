-- Triggers, and what came to them. `token` is the digest of what names a webhook to strangers; `next_at` is when the
-- next tick of a schedule is. A delivery with a `wake` is still to be started; `dedup` keeps it from being taken twice.
CREATE TABLE trigger_owners (
    shard       INTEGER NOT NULL PRIMARY KEY,
    owner       TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;

CREATE TABLE triggers (
    uid      BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project  TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    token    BLOB    CHECK (length(token) = 32),
    settings BLOB    NOT NULL,
    next_at  INTEGER,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX triggers_name ON triggers (project, id);
CREATE UNIQUE INDEX triggers_token ON triggers (token) WHERE token IS NOT NULL;
CREATE INDEX triggers_next ON triggers (next_at, uid) WHERE next_at IS NOT NULL;

CREATE TABLE trigger_deliveries (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    trigger_uid BLOB    NOT NULL CHECK (length(trigger_uid) = 16),
    dedup       BLOB    NOT NULL CHECK (length(dedup) = 32),
    state       INTEGER NOT NULL,
    wake        INTEGER,
    started     INTEGER,
    expires     INTEGER NOT NULL,
    head        BLOB    NOT NULL,
    event       BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX trigger_deliveries_dedup ON trigger_deliveries (trigger_uid, dedup);
CREATE INDEX trigger_deliveries_listed ON trigger_deliveries (trigger_uid, id);
CREATE INDEX trigger_deliveries_started ON trigger_deliveries (trigger_uid, started, id) WHERE started IS NOT NULL;
CREATE INDEX trigger_deliveries_wake ON trigger_deliveries (wake, id) WHERE wake IS NOT NULL;
CREATE INDEX trigger_deliveries_expires ON trigger_deliveries (expires) WHERE wake IS NULL;
