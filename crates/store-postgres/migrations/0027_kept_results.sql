-- What steps gave, for those that would do the same again.
CREATE TABLE kept_results (
    project TEXT COLLATE "C" NOT NULL,
    area    TEXT COLLATE "C" NOT NULL,
    digest  BYTEA            NOT NULL,
    bytes   BYTEA            NOT NULL,
    size    BIGINT           NOT NULL,
    maker   TEXT             NOT NULL,
    made    TIMESTAMPTZ      NOT NULL,
    expires TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (project, area, digest)
);

-- With the sizes, so that what a project has is counted without its bytes.
CREATE INDEX kept_results_made ON kept_results (project, made, size);
CREATE INDEX kept_results_expires ON kept_results (expires);
