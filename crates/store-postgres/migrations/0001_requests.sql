-- Answers to requests that may be repeated. Text sorts by its bytes (COLLATE "C"), as on SQLite.
CREATE TABLE requests (
    scope       TEXT COLLATE "C" NOT NULL,
    request_id  UUID             NOT NULL,
    fingerprint BYTEA            NOT NULL CHECK (octet_length(fingerprint) = 32),
    response    BYTEA            NOT NULL,
    at          TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (scope, request_id)
);

CREATE INDEX requests_at ON requests (at);
