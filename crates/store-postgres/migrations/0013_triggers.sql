-- Triggers, and what came to them. `token` is the digest of what names a webhook to strangers; `next_at` is when the
-- next tick of a schedule is. A delivery with a `wake` is still to be started; `dedup` keeps it from being taken twice.
CREATE TABLE trigger_owners (
    shard       INTEGER     NOT NULL PRIMARY KEY,
    owner       TEXT        NOT NULL,
    epoch       BIGINT      NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL
);

CREATE TABLE triggers (
    uid      UUID             NOT NULL PRIMARY KEY,
    project  TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    token    BYTEA            CHECK (length(token) = 32),
    settings BYTEA            NOT NULL,
    next_at  TIMESTAMPTZ,
    version  BIGINT           NOT NULL,
    created  TIMESTAMPTZ      NOT NULL,
    updated  TIMESTAMPTZ      NOT NULL
);

CREATE UNIQUE INDEX triggers_name ON triggers (project, id);
CREATE UNIQUE INDEX triggers_token ON triggers (token) WHERE token IS NOT NULL;
CREATE INDEX triggers_next ON triggers (next_at, uid) WHERE next_at IS NOT NULL;

CREATE TABLE trigger_deliveries (
    id          UUID        NOT NULL PRIMARY KEY,
    trigger_uid UUID        NOT NULL,
    dedup       BYTEA       NOT NULL CHECK (length(dedup) = 32),
    state       INTEGER     NOT NULL,
    wake        TIMESTAMPTZ,
    started     TIMESTAMPTZ,
    expires     TIMESTAMPTZ NOT NULL,
    head        BYTEA       NOT NULL,
    event       BYTEA       NOT NULL
);

CREATE UNIQUE INDEX trigger_deliveries_dedup ON trigger_deliveries (trigger_uid, dedup);
CREATE INDEX trigger_deliveries_listed ON trigger_deliveries (trigger_uid, id);
CREATE INDEX trigger_deliveries_started ON trigger_deliveries (trigger_uid, started, id) WHERE started IS NOT NULL;
CREATE INDEX trigger_deliveries_wake ON trigger_deliveries (wake, id) WHERE wake IS NOT NULL;
CREATE INDEX trigger_deliveries_expires ON trigger_deliveries (expires) WHERE wake IS NULL;
