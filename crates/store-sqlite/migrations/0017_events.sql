-- What triggers by event read: the ends of executions, numbered in each shard in the order in which they were written, and
-- for each such trigger the place up to which it has looked. `ends` counts them, also those that are forgotten.
ALTER TABLE execution_shards ADD COLUMN ends INTEGER NOT NULL DEFAULT 0;

CREATE TABLE execution_ends (
    shard     INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    execution INTEGER NOT NULL,
    project   TEXT    NOT NULL,
    graph     TEXT    NOT NULL,
    state     INTEGER NOT NULL,
    ended     INTEGER NOT NULL,
    PRIMARY KEY (shard, number)
) STRICT, WITHOUT ROWID;

ALTER TABLE triggers ADD COLUMN place BLOB;

CREATE INDEX triggers_place ON triggers (uid) WHERE place IS NOT NULL;
