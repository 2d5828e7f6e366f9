-- Answers to requests that may be repeated. Instants are microseconds since 1970, UTC, everywhere.
CREATE TABLE requests (
    scope       TEXT    NOT NULL,
    request_id  BLOB    NOT NULL CHECK (length(request_id) = 16),
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    response    BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (scope, request_id)
) STRICT;

CREATE INDEX requests_at ON requests (at);
