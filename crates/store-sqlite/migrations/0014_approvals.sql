-- How many steps of an execution wait for a person, so that those who are asked find them without reading journals.
-- -1: it was written before anybody counted, and its journal says it.
ALTER TABLE executions ADD COLUMN approvals INTEGER NOT NULL DEFAULT -1;
CREATE INDEX executions_approvals ON executions (project, id) WHERE ended IS NULL AND approvals <> 0;
