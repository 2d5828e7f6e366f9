-- Executions of workflows. The number of an execution begins with its shard's (from bit 40 on), so that a shard is a
-- range. `wake` is when it goes on by itself, where nothing of it is at work; `head` is the service's own. A journal has
-- one row for each flush in which something happened to its execution.
CREATE TABLE execution_shards (
    shard       INTEGER          NOT NULL PRIMARY KEY,
    owner       TEXT             NOT NULL,
    epoch       BIGINT           NOT NULL,
    lease_until TIMESTAMPTZ      NOT NULL
);

CREATE TABLE execution_definitions (
    number      BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL PRIMARY KEY,
    digest      BYTEA            NOT NULL,
    bytes       BYTEA            NOT NULL
);

CREATE UNIQUE INDEX execution_definitions_digest ON execution_definitions (digest);

CREATE TABLE executions (
    id          BIGINT           NOT NULL PRIMARY KEY,
    project     TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C",
    uid         UUID             NOT NULL,
    graph       TEXT COLLATE "C" NOT NULL,
    revision    BIGINT           NOT NULL,
    definition  BIGINT           NOT NULL,
    head        BYTEA            NOT NULL,
    request     BYTEA,
    fingerprint BYTEA,
    created     TIMESTAMPTZ      NOT NULL,
    state       INTEGER          NOT NULL,
    wake        TIMESTAMPTZ,
    reason      TEXT COLLATE "C" NOT NULL,
    steps       INTEGER          NOT NULL,
    retries     INTEGER          NOT NULL,
    ended       TIMESTAMPTZ
);

CREATE UNIQUE INDEX executions_name ON executions (project, name) WHERE name IS NOT NULL;
CREATE INDEX executions_graph ON executions (project, graph, id);
CREATE INDEX executions_project ON executions (project, id);
CREATE UNIQUE INDEX executions_request ON executions (request) WHERE request IS NOT NULL;
CREATE INDEX executions_active ON executions (id) WHERE ended IS NULL AND wake IS NULL;
CREATE INDEX executions_wake ON executions (wake, id) WHERE wake IS NOT NULL;
CREATE INDEX executions_ended ON executions (ended, id) WHERE ended IS NOT NULL;

CREATE TABLE execution_events (
    execution   BIGINT           NOT NULL,
    sequence    BIGINT           NOT NULL,
    bytes       BYTEA            NOT NULL,
    PRIMARY KEY (execution, sequence)
);
