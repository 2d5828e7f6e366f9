-- Credentials: digests and sealed keys, never a secret.
CREATE TABLE api_keys (
    uid          BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project      TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    role         INTEGER NOT NULL,
    scopes       TEXT    NOT NULL,
    digest       BLOB    NOT NULL,
    created      INTEGER NOT NULL,
    expires      INTEGER,
    revoked      INTEGER,
    last_used    INTEGER,
    creator      TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX api_keys_name ON api_keys (project, id);
CREATE UNIQUE INDEX api_keys_digest ON api_keys (digest);

CREATE TABLE signing_keys (
    kid     TEXT    NOT NULL PRIMARY KEY,
    private BLOB    NOT NULL,
    public  BLOB    NOT NULL,
    created INTEGER NOT NULL,
    retired INTEGER
) STRICT;

CREATE TABLE tickets (
    digest              BLOB    NOT NULL PRIMARY KEY,
    principal           BLOB    NOT NULL,
    expires             INTEGER NOT NULL,
    created             INTEGER NOT NULL,
    redeemed            INTEGER,
    redeemed_request_id BLOB
) STRICT;

CREATE INDEX tickets_expires ON tickets (expires);
