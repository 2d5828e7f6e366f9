-- Which process has which layout. A member is a process of the compute service, with a lease; a hold says which member
-- simulates a layout, under which epoch, and which saved positions count. A hold counts for as long as its holder's lease.
CREATE TABLE compute_members (
    uid         UUID        NOT NULL PRIMARY KEY,
    address     TEXT        NOT NULL,
    draining    BOOLEAN     NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL
);

CREATE TABLE layout_holds (
    layout       UUID    NOT NULL PRIMARY KEY REFERENCES layouts (uid) ON DELETE CASCADE,
    holder       UUID,
    epoch        BIGINT  NOT NULL,
    saved_epoch  BIGINT  NOT NULL,
    saved_number BIGINT  NOT NULL,
    awake        BOOLEAN NOT NULL
);

CREATE INDEX layout_holds_awake ON layout_holds (layout) WHERE awake;
