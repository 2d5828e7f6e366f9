-- What steps publish to topics of their projects, numbered in each shard in the order in which it was written: triggers read
-- it as they read ends. `messages` counts them, also those that are forgotten; `bytes` is the service's own.
ALTER TABLE execution_shards ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;

CREATE TABLE execution_messages (
    shard     INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    project   TEXT    NOT NULL,
    topic     TEXT    NOT NULL,
    bytes     BLOB    NOT NULL,
    published INTEGER NOT NULL,
    PRIMARY KEY (shard, number)
) STRICT;
