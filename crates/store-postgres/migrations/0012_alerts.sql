-- Alert rules (kind 1) and silences (kind 2), and how far the alerts of each rule are.
CREATE TABLE alert_settings (
    uid      UUID             NOT NULL PRIMARY KEY,
    kind     INTEGER          NOT NULL,
    project  TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    settings BYTEA            NOT NULL,
    version  BIGINT           NOT NULL,
    created  TIMESTAMPTZ      NOT NULL,
    updated  TIMESTAMPTZ      NOT NULL
);

CREATE UNIQUE INDEX alert_settings_name ON alert_settings (project, kind, id);

CREATE TABLE alert_states (
    rule    UUID  NOT NULL PRIMARY KEY REFERENCES alert_settings (uid) ON DELETE CASCADE,
    content BYTEA NOT NULL
);
