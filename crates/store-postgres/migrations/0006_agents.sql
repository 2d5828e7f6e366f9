-- What agents join with.
CREATE TABLE enrollment_tokens (
    uid          UUID             NOT NULL PRIMARY KEY,
    project      TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    display_name TEXT COLLATE "C" NOT NULL,
    digest       BYTEA            NOT NULL,
    max_uses     INTEGER          NOT NULL CHECK (max_uses >= 1),
    use_count    INTEGER          NOT NULL CHECK (use_count <= max_uses),
    labels       TEXT COLLATE "C" NOT NULL,
    created      TIMESTAMPTZ      NOT NULL,
    expires      TIMESTAMPTZ      NOT NULL,
    revoked      TIMESTAMPTZ,
    creator      TEXT COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX enrollment_tokens_name ON enrollment_tokens (project, id);
CREATE UNIQUE INDEX enrollment_tokens_digest ON enrollment_tokens (digest);
CREATE INDEX enrollment_tokens_expires ON enrollment_tokens (expires);

-- At most one row, which every change of an agent holds until it is on disk: revisions become visible in order.
CREATE TABLE fleet (
    one       INTEGER          NOT NULL PRIMARY KEY CHECK (one = 1),
    revision  BIGINT           NOT NULL,
    forgotten BIGINT           NOT NULL
);

-- Agents as they are now; those that were removed stay for a while, without their record.
CREATE TABLE agents (
    uid        UUID             NOT NULL PRIMARY KEY,
    project    TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    public_key BYTEA            NOT NULL,
    token_uid  UUID             NOT NULL,
    revision   BIGINT           NOT NULL,
    record     BYTEA            NOT NULL,
    last_seen  TIMESTAMPTZ,
    created    TIMESTAMPTZ      NOT NULL,
    deleted    TIMESTAMPTZ
);

CREATE UNIQUE INDEX agents_name ON agents (project, id) WHERE deleted IS NULL;
CREATE UNIQUE INDEX agents_public_key ON agents (public_key) WHERE deleted IS NULL;
CREATE UNIQUE INDEX agents_revision ON agents (revision);
CREATE INDEX agents_deleted ON agents (deleted) WHERE deleted IS NOT NULL;
