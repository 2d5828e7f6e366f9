-- Analyses: what is to be computed of a graph, who does it, how it ended (1 pending, 2 running, 3 succeeded, 4 failed,
-- 5 cancelled). An owner of zeros is nobody.
CREATE TABLE analyses (
    uid          BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project      TEXT    NOT NULL,
    graph        TEXT    NOT NULL,
    graph_uid    BLOB    NOT NULL CHECK (length(graph_uid) = 16),
    id           TEXT    NOT NULL,
    settings     BLOB    NOT NULL,
    creator      TEXT    NOT NULL,
    state        INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    owner        BLOB    NOT NULL CHECK (length(owner) = 16),
    lease_until  INTEGER NOT NULL,
    cancel_asked INTEGER NOT NULL,
    report       BLOB    NOT NULL,
    created      INTEGER NOT NULL,
    started      INTEGER,
    ended        INTEGER
) STRICT;

CREATE UNIQUE INDEX analyses_name ON analyses (project, graph, id);
CREATE INDEX analyses_newest ON analyses (project, created, uid);
CREATE INDEX analyses_newest_of_graph ON analyses (project, graph, created, uid);
CREATE INDEX analyses_graph_uid ON analyses (graph_uid);
CREATE INDEX analyses_open ON analyses (created, uid) WHERE state IN (1, 2);
CREATE INDEX analyses_ended ON analyses (ended);
