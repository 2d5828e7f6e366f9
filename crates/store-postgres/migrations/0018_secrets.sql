-- Values that workflows use and nobody is shown: sealed before they come here.
CREATE TABLE secrets (
    uid      UUID             NOT NULL PRIMARY KEY,
    project  TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    settings BYTEA            NOT NULL,
    sealed   BYTEA            NOT NULL,
    version  BIGINT           NOT NULL,
    created  TIMESTAMPTZ      NOT NULL,
    updated  TIMESTAMPTZ      NOT NULL
);

CREATE UNIQUE INDEX secrets_name ON secrets (project, id);
