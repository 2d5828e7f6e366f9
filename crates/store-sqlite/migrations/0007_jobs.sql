-- Durable jobs. A batch is what was accepted at once, under one name; its jobs go to queues. The number of a batch
-- begins with its shard's (from bit 40 on), so that a shard is a range. States: 1 pending, 2 executing, 3 completed,
-- 4 failed, 5 cancelled; a batch is 1 until its last job has ended.
CREATE TABLE job_shards (
    shard       INTEGER NOT NULL PRIMARY KEY,
    owner       TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    flush       INTEGER NOT NULL
) STRICT;

CREATE TABLE job_batches (
    id          INTEGER NOT NULL PRIMARY KEY,
    project     TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    uid         BLOB    NOT NULL CHECK (length(uid) = 16),
    kind        TEXT    NOT NULL,
    state       INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    completed   INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    cancelled   INTEGER NOT NULL,
    terms       BLOB    NOT NULL,
    note        BLOB    NOT NULL,
    payload     BLOB    NOT NULL,
    request     BLOB,
    fingerprint BLOB,
    created     INTEGER NOT NULL,
    ended       INTEGER
) STRICT;

CREATE UNIQUE INDEX job_batches_name ON job_batches (project, name);
CREATE INDEX job_batches_project ON job_batches (project, id);
CREATE UNIQUE INDEX job_batches_request ON job_batches (request) WHERE request IS NOT NULL;
CREATE INDEX job_batches_open ON job_batches (id) WHERE ended IS NULL;
CREATE INDEX job_batches_ended ON job_batches (ended) WHERE ended IS NOT NULL;

-- `changed` is the flush that wrote the row; `hot` is the engine's own; `outcome` is of the last attempt.
CREATE TABLE jobs (
    batch   INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    queue   TEXT    NOT NULL,
    state   INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    hot     BLOB    NOT NULL,
    outcome BLOB,
    PRIMARY KEY (batch, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_outputs (
    batch    INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    fence    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    stream   INTEGER NOT NULL,
    bytes    BLOB    NOT NULL,
    PRIMARY KEY (batch, number, fence, sequence)
) STRICT, WITHOUT ROWID;
