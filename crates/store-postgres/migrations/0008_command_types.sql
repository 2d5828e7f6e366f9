-- Command types of projects; commands are jobs.
CREATE TABLE command_types (
    uid      UUID             NOT NULL PRIMARY KEY,
    project  TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    settings BYTEA            NOT NULL,
    version  BIGINT           NOT NULL,
    created  TIMESTAMPTZ      NOT NULL,
    updated  TIMESTAMPTZ      NOT NULL
);

CREATE UNIQUE INDEX command_types_name ON command_types (project, id);
