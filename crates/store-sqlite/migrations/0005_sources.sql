-- Sources of graphs: what a graph's content is brought in from.
CREATE TABLE sources (
    uid       BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    graph_uid BLOB    NOT NULL CHECK (length(graph_uid) = 16),
    id        TEXT    NOT NULL,
    settings  BLOB    NOT NULL,
    version   INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX sources_name ON sources (graph_uid, id);

-- The history of each source, numbered without gaps, and where each refresh is (1 running, 2 succeeded, 3 failed,
-- 4 cancelled, 5 interrupted).
CREATE TABLE refreshes (
    source_uid   BLOB    NOT NULL REFERENCES sources (uid) ON DELETE CASCADE,
    number       INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    started      INTEGER NOT NULL,
    ended        INTEGER,
    lease_until  INTEGER NOT NULL,
    cancel_asked INTEGER NOT NULL CHECK (cancel_asked IN (0, 1)),
    report       BLOB    NOT NULL,
    PRIMARY KEY (source_uid, number)
) STRICT;

-- At most one runs.
CREATE UNIQUE INDEX refreshes_running ON refreshes (source_uid) WHERE state = 1;
