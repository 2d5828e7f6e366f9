-- Samples. The log has one owner at a time; its entries are what came in and is in no segment yet. A segment's samples
-- are in an object, and its row says which.
CREATE TABLE telemetry_owner (
    id          INTEGER          NOT NULL PRIMARY KEY CHECK (id = 0),
    owner       TEXT COLLATE "C" NOT NULL,
    epoch       BIGINT           NOT NULL,
    lease_until TIMESTAMPTZ      NOT NULL,
    last_entry  BIGINT           NOT NULL
);

CREATE TABLE telemetry_log (
    number  BIGINT NOT NULL PRIMARY KEY,
    content BYTEA  NOT NULL
);

CREATE TABLE telemetry_segments (
    uid          UUID             NOT NULL PRIMARY KEY,
    project      TEXT COLLATE "C" NOT NULL,
    resolution   BIGINT           NOT NULL,
    first        TIMESTAMPTZ      NOT NULL,
    last         TIMESTAMPTZ      NOT NULL,
    sample_count BIGINT           NOT NULL,
    object_bytes BIGINT           NOT NULL,
    directory    BYTEA            NOT NULL,
    created      TIMESTAMPTZ      NOT NULL
);

CREATE TABLE telemetry_reporters (
    project     TEXT COLLATE "C" NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    incarnation UUID             NOT NULL,
    sequence    BIGINT           NOT NULL,
    updated     TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (project, source)
);

CREATE INDEX telemetry_reporters_updated ON telemetry_reporters (updated);
-- It is packed already.
ALTER TABLE telemetry_log ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE telemetry_segments ALTER COLUMN directory SET STORAGE EXTERNAL;
