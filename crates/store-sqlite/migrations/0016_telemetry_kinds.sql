-- Logs and spans are kept as samples are: in the log first, then in segments. 0 samples, 1 logs, 2 spans.
ALTER TABLE telemetry_log ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE telemetry_segments ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
