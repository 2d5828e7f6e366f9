-- Credentials: digests and sealed keys, never a secret.
CREATE TABLE api_keys (
    uid          UUID             NOT NULL PRIMARY KEY,
    project      TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    display_name TEXT             NOT NULL,
    role         INTEGER          NOT NULL,
    scopes       TEXT             NOT NULL,
    digest       BYTEA            NOT NULL,
    created      TIMESTAMPTZ      NOT NULL,
    expires      TIMESTAMPTZ,
    revoked      TIMESTAMPTZ,
    last_used    TIMESTAMPTZ,
    creator      TEXT             NOT NULL
);

CREATE UNIQUE INDEX api_keys_name ON api_keys (project, id);
CREATE UNIQUE INDEX api_keys_digest ON api_keys (digest);

CREATE TABLE signing_keys (
    kid     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    private BYTEA            NOT NULL,
    public  BYTEA            NOT NULL,
    created TIMESTAMPTZ      NOT NULL,
    retired TIMESTAMPTZ
);

CREATE TABLE tickets (
    digest              BYTEA       NOT NULL PRIMARY KEY,
    principal           BYTEA       NOT NULL,
    expires             TIMESTAMPTZ NOT NULL,
    created             TIMESTAMPTZ NOT NULL,
    redeemed            TIMESTAMPTZ,
    redeemed_request_id UUID
);

CREATE INDEX tickets_expires ON tickets (expires);
