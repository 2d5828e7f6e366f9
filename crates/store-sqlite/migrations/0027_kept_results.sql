-- What steps gave, for those that would do the same again.
CREATE TABLE kept_results (
    project TEXT    NOT NULL,
    area    TEXT    NOT NULL,
    digest  BLOB    NOT NULL CHECK (length(digest) = 32),
    bytes   BLOB    NOT NULL,
    size    INTEGER NOT NULL,
    maker   TEXT    NOT NULL,
    made    INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (project, area, digest)
) STRICT, WITHOUT ROWID;

-- With the sizes, so that what a project has is counted without its bytes.
CREATE INDEX kept_results_made ON kept_results (project, made, size);
CREATE INDEX kept_results_expires ON kept_results (expires);
