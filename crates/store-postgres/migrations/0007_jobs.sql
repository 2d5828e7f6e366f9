-- Durable jobs. A batch is what was accepted at once, under one name; its jobs go to queues. The number of a batch
-- begins with its shard's (from bit 40 on), so that a shard is a range. States: 1 pending, 2 executing, 3 completed,
-- 4 failed, 5 cancelled; a batch is 1 until its last job has ended.
CREATE TABLE job_shards (
    shard       INTEGER     NOT NULL PRIMARY KEY,
    owner       TEXT        NOT NULL,
    epoch       BIGINT      NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL,
    flush       BIGINT      NOT NULL
);

CREATE TABLE job_batches (
    id          BIGINT           NOT NULL PRIMARY KEY,
    project     TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    uid         UUID             NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    state       INTEGER          NOT NULL,
    total       INTEGER          NOT NULL,
    completed   INTEGER          NOT NULL,
    failed      INTEGER          NOT NULL,
    cancelled   INTEGER          NOT NULL,
    terms       BYTEA            NOT NULL,
    note        BYTEA            NOT NULL,
    payload     BYTEA            NOT NULL,
    request     BYTEA,
    fingerprint BYTEA,
    created     TIMESTAMPTZ      NOT NULL,
    ended       TIMESTAMPTZ
);

CREATE UNIQUE INDEX job_batches_name ON job_batches (project, name);
CREATE INDEX job_batches_project ON job_batches (project, id);
CREATE UNIQUE INDEX job_batches_request ON job_batches (request) WHERE request IS NOT NULL;
CREATE INDEX job_batches_open ON job_batches (id) WHERE ended IS NULL;
CREATE INDEX job_batches_ended ON job_batches (ended) WHERE ended IS NOT NULL;

-- `changed` is the flush that wrote the row; `hot` is the engine's own; `outcome` is of the last attempt.
CREATE TABLE jobs (
    batch   BIGINT           NOT NULL,
    number  INTEGER          NOT NULL,
    queue   TEXT COLLATE "C" NOT NULL,
    state   INTEGER          NOT NULL,
    changed BIGINT           NOT NULL,
    hot     BYTEA            NOT NULL,
    outcome BYTEA,
    PRIMARY KEY (batch, number)
) WITH (fillfactor = 70);

CREATE TABLE job_outputs (
    batch    BIGINT      NOT NULL,
    number   INTEGER     NOT NULL,
    fence    BIGINT      NOT NULL,
    sequence BIGINT      NOT NULL,
    at       TIMESTAMPTZ NOT NULL,
    stream   INTEGER     NOT NULL,
    bytes    BYTEA       NOT NULL,
    PRIMARY KEY (batch, number, fence, sequence)
);
