-- Alert rules (kind 1) and silences (kind 2), and how far the alerts of each rule are.
CREATE TABLE alert_settings (
    uid      BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    kind     INTEGER NOT NULL,
    project  TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    settings BLOB    NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX alert_settings_name ON alert_settings (project, kind, id);

CREATE TABLE alert_states (
    rule    BLOB NOT NULL PRIMARY KEY CHECK (length(rule) = 16)
            REFERENCES alert_settings (uid) ON DELETE CASCADE,
    content BLOB NOT NULL
) STRICT;
