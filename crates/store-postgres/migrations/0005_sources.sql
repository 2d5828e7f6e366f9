-- Sources of graphs: what a graph's content is brought in from.
CREATE TABLE sources (
    uid       UUID             NOT NULL PRIMARY KEY,
    graph_uid UUID             NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    settings  BYTEA            NOT NULL,
    version   BIGINT           NOT NULL,
    created   TIMESTAMPTZ      NOT NULL,
    updated   TIMESTAMPTZ      NOT NULL
);

CREATE UNIQUE INDEX sources_name ON sources (graph_uid, id);

-- The history of each source, numbered without gaps, and where each refresh is (1 running, 2 succeeded, 3 failed,
-- 4 cancelled, 5 interrupted).
CREATE TABLE refreshes (
    source_uid   UUID        NOT NULL REFERENCES sources (uid) ON DELETE CASCADE,
    number       BIGINT      NOT NULL,
    state        INTEGER     NOT NULL,
    actor        TEXT        NOT NULL,
    started      TIMESTAMPTZ NOT NULL,
    ended        TIMESTAMPTZ,
    lease_until  TIMESTAMPTZ NOT NULL,
    cancel_asked BOOLEAN     NOT NULL,
    report       BYTEA       NOT NULL,
    PRIMARY KEY (source_uid, number)
);

-- At most one runs.
CREATE UNIQUE INDEX refreshes_running ON refreshes (source_uid) WHERE state = 1;
