-- Command types of projects; commands are jobs.
CREATE TABLE command_types (
    uid      BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project  TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    settings BLOB    NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX command_types_name ON command_types (project, id);
