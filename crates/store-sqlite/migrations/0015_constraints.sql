-- What layouts have to keep to beside their forces.
ALTER TABLE layouts ADD COLUMN constraints BLOB NOT NULL DEFAULT x'';
ALTER TABLE layouts ADD COLUMN constraints_version INTEGER NOT NULL DEFAULT 0;
