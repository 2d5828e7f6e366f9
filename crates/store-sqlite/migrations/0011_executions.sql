-- Executions of workflows. The number of an execution begins with its shard's (from bit 40 on), so that a shard is a
-- range. `wake` is when it goes on by itself, where nothing of it is at work; `head` is the service's own. A journal has
-- one row for each flush in which something happened to its execution.
CREATE TABLE execution_shards (
    shard       INTEGER NOT NULL PRIMARY KEY,
    owner       TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;

CREATE TABLE execution_definitions (
    number INTEGER NOT NULL PRIMARY KEY,
    digest BLOB    NOT NULL CHECK (length(digest) = 32),
    bytes  BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX execution_definitions_digest ON execution_definitions (digest);

CREATE TABLE executions (
    id          INTEGER NOT NULL PRIMARY KEY,
    project     TEXT    NOT NULL,
    name        TEXT,
    uid         BLOB    NOT NULL CHECK (length(uid) = 16),
    graph       TEXT    NOT NULL,
    revision    INTEGER NOT NULL,
    definition  INTEGER NOT NULL,
    head        BLOB    NOT NULL,
    request     BLOB,
    fingerprint BLOB,
    created     INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    wake        INTEGER,
    reason      TEXT    NOT NULL,
    steps       INTEGER NOT NULL,
    retries     INTEGER NOT NULL,
    ended       INTEGER
) STRICT;

CREATE UNIQUE INDEX executions_name ON executions (project, name) WHERE name IS NOT NULL;
CREATE INDEX executions_graph ON executions (project, graph, id);
CREATE INDEX executions_project ON executions (project, id);
CREATE UNIQUE INDEX executions_request ON executions (request) WHERE request IS NOT NULL;
CREATE INDEX executions_active ON executions (id) WHERE ended IS NULL AND wake IS NULL;
CREATE INDEX executions_wake ON executions (wake, id) WHERE wake IS NOT NULL;
CREATE INDEX executions_ended ON executions (ended, id) WHERE ended IS NOT NULL;

CREATE TABLE execution_events (
    execution INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,
    bytes     BLOB    NOT NULL,
    PRIMARY KEY (execution, sequence)
) STRICT, WITHOUT ROWID;
