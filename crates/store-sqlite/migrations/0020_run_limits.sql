-- Limits of how many executions run or start. `settings` is the service's own; a turn is what an execution that has not
-- ended counts against, the service's own too; a rate is what starts have come to for one limit and key, and matters until
-- an instant. All are written in the flush of the executions that they are about.
CREATE TABLE run_limits (
    uid      BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    project  TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    settings BLOB    NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX run_limits_name ON run_limits (project, id);

CREATE TABLE execution_turns (
    execution INTEGER NOT NULL PRIMARY KEY,
    turn      BLOB    NOT NULL
) STRICT;

CREATE TABLE run_rates (
    run_limit BLOB    NOT NULL CHECK (length(run_limit) = 16),
    key       TEXT    NOT NULL,
    until     INTEGER NOT NULL,
    PRIMARY KEY (run_limit, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_rates_until ON run_rates (until);
CREATE INDEX executions_open ON executions (project, id) WHERE ended IS NULL;
