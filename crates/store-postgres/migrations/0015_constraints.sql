-- What layouts have to keep to beside their forces.
ALTER TABLE layouts ADD COLUMN constraints BYTEA NOT NULL DEFAULT ''::BYTEA;
ALTER TABLE layouts ADD COLUMN constraints_version BIGINT NOT NULL DEFAULT 0;
