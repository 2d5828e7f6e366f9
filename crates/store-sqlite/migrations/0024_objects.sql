-- Which objects projects have, and where their bytes are.
CREATE TABLE project_objects (
    uid      BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project  TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    content  BLOB    NOT NULL CHECK (length(content) = 16),
    size     INTEGER NOT NULL,
    settings BLOB    NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX project_objects_name ON project_objects (project, id);
CREATE UNIQUE INDEX project_objects_content ON project_objects (content);

-- Content that no object has, whose project it counts to, and from when on it may be removed.
CREATE TABLE loose_contents (
    content BLOB    NOT NULL PRIMARY KEY CHECK (length(content) = 16),
    project TEXT    NOT NULL,
    size    INTEGER NOT NULL,
    since   INTEGER NOT NULL
) STRICT;

CREATE INDEX loose_contents_project ON loose_contents (project);
CREATE INDEX loose_contents_since ON loose_contents (since);
