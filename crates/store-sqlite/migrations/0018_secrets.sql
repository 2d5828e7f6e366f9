-- Values that workflows use and nobody is shown: sealed before they come here.
CREATE TABLE secrets (
    uid      BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project  TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    settings BLOB    NOT NULL,
    sealed   BLOB    NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX secrets_name ON secrets (project, id);
