-- Which objects projects have, and where their bytes are.
CREATE TABLE project_objects (
    uid      UUID             NOT NULL PRIMARY KEY,
    project  TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    content  UUID             NOT NULL,
    size     BIGINT           NOT NULL,
    settings BYTEA            NOT NULL,
    version  BIGINT           NOT NULL,
    created  TIMESTAMPTZ      NOT NULL,
    updated  TIMESTAMPTZ      NOT NULL
);

CREATE UNIQUE INDEX project_objects_name ON project_objects (project, id);
CREATE UNIQUE INDEX project_objects_content ON project_objects (content);

-- Content that no object has, whose project it counts to, and from when on it may be removed.
CREATE TABLE loose_contents (
    content UUID             NOT NULL PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL,
    size    BIGINT           NOT NULL,
    since   TIMESTAMPTZ      NOT NULL
);

CREATE INDEX loose_contents_project ON loose_contents (project);
CREATE INDEX loose_contents_since ON loose_contents (since);
