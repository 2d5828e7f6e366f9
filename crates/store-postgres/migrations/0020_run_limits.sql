-- Limits of how many executions run or start. `settings` is the service's own; a turn is what an execution that has not
-- ended counts against, the service's own too; a rate is what starts have come to for one limit and key, and matters until
-- an instant. All are written in the flush of the executions that they are about.
CREATE TABLE run_limits (
    uid      UUID             NOT NULL PRIMARY KEY,
    project  TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    settings BYTEA            NOT NULL,
    version  BIGINT           NOT NULL,
    created  TIMESTAMPTZ      NOT NULL,
    updated  TIMESTAMPTZ      NOT NULL
);

CREATE UNIQUE INDEX run_limits_name ON run_limits (project, id);

CREATE TABLE execution_turns (
    execution BIGINT NOT NULL PRIMARY KEY,
    turn      BYTEA  NOT NULL
);

CREATE TABLE run_rates (
    run_limit UUID             NOT NULL,
    key       TEXT COLLATE "C" NOT NULL,
    until     TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (run_limit, key)
);

CREATE INDEX run_rates_until ON run_rates (until);
CREATE INDEX executions_open ON executions (project, id) WHERE ended IS NULL;
