-- Layouts: what they are and what they should be doing (1 running, 2 stopped).
CREATE TABLE layouts (
    uid           UUID             NOT NULL PRIMARY KEY,
    project       TEXT COLLATE "C" NOT NULL,
    graph         TEXT COLLATE "C" NOT NULL,
    graph_uid     UUID             NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    dimensions    INTEGER          NOT NULL,
    parameters    BYTEA            NOT NULL,
    seed          BIGINT           NOT NULL,
    desired_state INTEGER          NOT NULL,
    pins          BYTEA            NOT NULL,
    version       BIGINT           NOT NULL,
    created       TIMESTAMPTZ      NOT NULL,
    updated       TIMESTAMPTZ      NOT NULL
);

CREATE UNIQUE INDEX layouts_name ON layouts (project, graph, id);
CREATE INDEX layouts_graph_uid ON layouts (graph_uid);
CREATE INDEX layouts_running ON layouts (uid) WHERE desired_state = 1;
