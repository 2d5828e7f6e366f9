-- What triggers by event read: the ends of executions, numbered in each shard in the order in which they were written, and
-- for each such trigger the place up to which it has looked. `ends` counts them, also those that are forgotten.
ALTER TABLE execution_shards ADD COLUMN ends BIGINT NOT NULL DEFAULT 0;

CREATE TABLE execution_ends (
    shard     INTEGER          NOT NULL,
    number    BIGINT           NOT NULL,
    execution BIGINT           NOT NULL,
    project   TEXT COLLATE "C" NOT NULL,
    graph     TEXT COLLATE "C" NOT NULL,
    state     INTEGER          NOT NULL,
    ended     TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (shard, number)
);

ALTER TABLE triggers ADD COLUMN place BYTEA;

CREATE INDEX triggers_place ON triggers (uid) WHERE place IS NOT NULL;
