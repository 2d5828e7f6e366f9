-- Layouts: what they are and what they should be doing (1 running, 2 stopped).
CREATE TABLE layouts (
    uid           BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project       TEXT    NOT NULL,
    graph         TEXT    NOT NULL,
    graph_uid     BLOB    NOT NULL CHECK (length(graph_uid) = 16),
    id            TEXT    NOT NULL,
    dimensions    INTEGER NOT NULL,
    parameters    BLOB    NOT NULL,
    seed          INTEGER NOT NULL,
    desired_state INTEGER NOT NULL,
    pins          BLOB    NOT NULL,
    version       INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    updated       INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX layouts_name ON layouts (project, graph, id);
CREATE INDEX layouts_graph_uid ON layouts (graph_uid);
CREATE INDEX layouts_running ON layouts (uid) WHERE desired_state = 1;
