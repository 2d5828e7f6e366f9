-- Analyses: what is to be computed of a graph, who does it, how it ended (1 pending, 2 running, 3 succeeded, 4 failed,
-- 5 cancelled). An owner of zeros is nobody.
CREATE TABLE analyses (
    uid          UUID             NOT NULL PRIMARY KEY,
    project      TEXT COLLATE "C" NOT NULL,
    graph        TEXT COLLATE "C" NOT NULL,
    graph_uid    UUID             NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    settings     BYTEA            NOT NULL,
    creator      TEXT COLLATE "C" NOT NULL,
    state        INTEGER          NOT NULL,
    attempts     INTEGER          NOT NULL,
    owner        UUID             NOT NULL,
    lease_until  TIMESTAMPTZ      NOT NULL,
    cancel_asked BOOLEAN          NOT NULL,
    report       BYTEA            NOT NULL,
    created      TIMESTAMPTZ      NOT NULL,
    started      TIMESTAMPTZ,
    ended        TIMESTAMPTZ
);

CREATE UNIQUE INDEX analyses_name ON analyses (project, graph, id);
CREATE INDEX analyses_newest ON analyses (project, created, uid);
CREATE INDEX analyses_newest_of_graph ON analyses (project, graph, created, uid);
CREATE INDEX analyses_graph_uid ON analyses (graph_uid);
CREATE INDEX analyses_open ON analyses (created, uid) WHERE state IN (1, 2);
CREATE INDEX analyses_ended ON analyses (ended);
