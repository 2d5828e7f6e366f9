-- What came stays with its delivery, to be looked at and sent again. `project` is that of its trigger; `kind` says what it is
-- bounded with: 0 taken, 1 dead (no run could be started of it, and nobody has looked after it), 2 refused. `kept` counts
-- the bytes of an event that nothing waits for any more.
ALTER TABLE trigger_deliveries ADD COLUMN project TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE trigger_deliveries ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trigger_deliveries ADD COLUMN kept BIGINT NOT NULL DEFAULT 0;

UPDATE trigger_deliveries SET project = COALESCE((SELECT t.project FROM triggers t WHERE t.uid = trigger_uid), ''),
    kind = CASE state WHEN 4 THEN 1 WHEN 5 THEN 2 ELSE 0 END;

CREATE INDEX trigger_deliveries_project ON trigger_deliveries (project, id);
CREATE INDEX trigger_deliveries_dead ON trigger_deliveries (project, id) WHERE kind = 1;
CREATE INDEX trigger_deliveries_refused ON trigger_deliveries (trigger_uid, id) WHERE kind = 2;
CREATE INDEX trigger_deliveries_kept ON trigger_deliveries (project, kind, id, kept) WHERE kept > 0;
