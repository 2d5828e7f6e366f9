-- Executions are partitioned by their shard, which is the upper part of their number: a process has a shard, and with it a
-- table and its indexes for itself. Journals, which are most of what is kept, are partitioned by shard and block of numbers, so
-- that what is forgotten is dropped in whole blocks. Partitions are made by who takes a shard. Names and requests are taken once in a
-- shard: a project is in one.
ALTER TABLE executions RENAME TO executions_0;
ALTER INDEX executions_pkey RENAME TO executions_0_pkey;
ALTER INDEX executions_name RENAME TO executions_0_name;
ALTER INDEX executions_request RENAME TO executions_0_request;
ALTER INDEX executions_graph RENAME TO executions_0_graph;
ALTER INDEX executions_project RENAME TO executions_0_project;
ALTER INDEX executions_active RENAME TO executions_0_active;
ALTER INDEX executions_wake RENAME TO executions_0_wake;
ALTER INDEX executions_ended RENAME TO executions_0_ended;
ALTER INDEX executions_approvals RENAME TO executions_0_approvals;
ALTER INDEX executions_open RENAME TO executions_0_open;

CREATE TABLE executions (LIKE executions_0 INCLUDING DEFAULTS) PARTITION BY RANGE (id);
ALTER TABLE executions ADD PRIMARY KEY (id);
CREATE INDEX executions_graph ON executions (project, graph, id);
CREATE INDEX executions_project ON executions (project, id);
CREATE INDEX executions_active ON executions (id) WHERE ended IS NULL AND wake IS NULL;
CREATE INDEX executions_wake ON executions (wake, id) WHERE wake IS NOT NULL;
CREATE INDEX executions_ended ON executions (ended, id) WHERE ended IS NOT NULL;
CREATE INDEX executions_approvals ON executions (project, id) WHERE ended IS NULL AND approvals <> 0;
CREATE INDEX executions_open ON executions (project, id) WHERE ended IS NULL;

ALTER TABLE execution_events RENAME TO execution_events_before;
ALTER INDEX execution_events_pkey RENAME TO execution_events_before_pkey;
CREATE TABLE execution_events (LIKE execution_events_before INCLUDING DEFAULTS) PARTITION BY RANGE (execution);
ALTER TABLE execution_events ADD PRIMARY KEY (execution, sequence);

-- A database of a release has one shard: its tables become partitions as they are. What is in others is moved.
DO $$
DECLARE
    span   CONSTANT BIGINT := 1::BIGINT << 40;
    block  CONSTANT BIGINT := 1::BIGINT << 20;
    beyond BIGINT;
    other  BIGINT;
BEGIN
    CREATE TEMPORARY TABLE moved_executions ON COMMIT DROP AS SELECT * FROM executions_0 WHERE id >= span;
    DELETE FROM executions_0 WHERE id >= span;
    CREATE TEMPORARY TABLE moved_events ON COMMIT DROP AS SELECT * FROM execution_events_before WHERE execution >= span;
    DELETE FROM execution_events_before WHERE execution >= span;

    ALTER TABLE executions ATTACH PARTITION executions_0 FOR VALUES FROM (0) TO (1099511627776);
    SELECT (COALESCE(MAX(execution), 0) / block + 1) * block INTO beyond FROM execution_events_before;
    EXECUTE format('ALTER TABLE execution_events_before RENAME TO %I', 'execution_events_0_' || to_hex(beyond));
    EXECUTE format('ALTER TABLE execution_events ATTACH PARTITION %I FOR VALUES FROM (0) TO (%s)',
        'execution_events_0_' || to_hex(beyond), beyond);

    FOR other IN SELECT DISTINCT id / span FROM moved_executions LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF executions FOR VALUES FROM (%s) TO (%s)',
            'executions_' || other, other * span, (other + 1) * span);
        EXECUTE format('CREATE UNIQUE INDEX ON %I (project, name) WHERE name IS NOT NULL', 'executions_' || other);
        EXECUTE format('CREATE UNIQUE INDEX ON %I (request) WHERE request IS NOT NULL', 'executions_' || other);
    END LOOP;
    FOR other IN SELECT DISTINCT execution / block FROM moved_events LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF execution_events FOR VALUES FROM (%s) TO (%s)',
            'execution_events_' || to_hex(other * block) || '_' || to_hex((other + 1) * block), other * block, (other + 1) * block);
    END LOOP;
    INSERT INTO executions SELECT * FROM moved_executions;
    INSERT INTO execution_events SELECT * FROM moved_events;
END $$;
