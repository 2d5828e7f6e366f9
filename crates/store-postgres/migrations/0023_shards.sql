-- Processes of any service that share its work, and shards of executions that have one of them as their owner. What an owner has
-- counts for as long as its lease. A database that has executions already goes on with the one shard that they are in.
DROP TABLE compute_members;

CREATE TABLE members (
    uid         UUID        NOT NULL PRIMARY KEY,
    service     TEXT        NOT NULL,
    address     TEXT        NOT NULL,
    draining    BOOLEAN     NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL
);

CREATE TABLE execution_owners (
    shard    INTEGER NOT NULL PRIMARY KEY,
    owner    UUID,
    epoch    BIGINT  NOT NULL,
    ends     BIGINT  NOT NULL DEFAULT 0,
    messages BIGINT  NOT NULL DEFAULT 0
);

INSERT INTO execution_owners (shard, epoch, ends, messages) SELECT shard, epoch, ends, messages FROM execution_shards;
DROP TABLE execution_shards;
ALTER TABLE execution_owners RENAME TO execution_shards;

CREATE TABLE execution_sharding (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    shards INTEGER NOT NULL CHECK (shards > 0)
);

INSERT INTO execution_sharding (one, shards) SELECT 1, 1 WHERE EXISTS (SELECT 1 FROM execution_shards);
