-- What steps publish to topics of their projects, numbered in each shard in the order in which it was written: triggers read
-- it as they read ends. `messages` counts them, also those that are forgotten; `bytes` is the service's own.
ALTER TABLE execution_shards ADD COLUMN messages BIGINT NOT NULL DEFAULT 0;

CREATE TABLE execution_messages (
    shard     INTEGER          NOT NULL,
    number    BIGINT           NOT NULL,
    project   TEXT COLLATE "C" NOT NULL,
    topic     TEXT COLLATE "C" NOT NULL,
    bytes     BYTEA            NOT NULL,
    published TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (shard, number)
);
