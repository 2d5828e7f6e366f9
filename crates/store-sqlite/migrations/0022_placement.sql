-- Which process has which layout. A member is a process of the compute service, with a lease; a hold says which member
-- simulates a layout, under which epoch, and which saved positions count. A hold counts for as long as its holder's lease.
CREATE TABLE compute_members (
    uid         BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    address     TEXT    NOT NULL,
    draining    INTEGER NOT NULL CHECK (draining IN (0, 1)),
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE layout_holds (
    layout       BLOB    NOT NULL PRIMARY KEY REFERENCES layouts (uid) ON DELETE CASCADE,
    holder       BLOB    CHECK (length(holder) = 16),
    epoch        INTEGER NOT NULL,
    saved_epoch  INTEGER NOT NULL,
    saved_number INTEGER NOT NULL,
    awake        INTEGER NOT NULL CHECK (awake IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX layout_holds_awake ON layout_holds (layout) WHERE awake;
