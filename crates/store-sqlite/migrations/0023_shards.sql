-- Processes of any service that share its work, and shards of executions that have one of them as their owner. What an owner has
-- counts for as long as its lease. A database that has executions already goes on with the one shard that they are in.
DROP TABLE compute_members;

CREATE TABLE members (
    uid         BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    service     TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    draining    INTEGER NOT NULL CHECK (draining IN (0, 1)),
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE execution_owners (
    shard    INTEGER NOT NULL PRIMARY KEY,
    owner    BLOB CHECK (length(owner) = 16),
    epoch    INTEGER NOT NULL,
    ends     INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO execution_owners (shard, epoch, ends, messages) SELECT shard, epoch, ends, messages FROM execution_shards;
DROP TABLE execution_shards;
ALTER TABLE execution_owners RENAME TO execution_shards;

CREATE TABLE execution_sharding (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    shards INTEGER NOT NULL CHECK (shards > 0)
) STRICT;

INSERT INTO execution_sharding (one, shards) SELECT 1, 1 WHERE EXISTS (SELECT 1 FROM execution_shards);
