-- Names apart from rows: names are partitioned by project, so that a project's list is in one place; rows,
-- journal and checkpoints by graph, so that writes to many graphs spread, and a graph's parts are together.
CREATE TABLE graph_names (
    project TEXT COLLATE "C" NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    uid     UUID             NOT NULL,
    PRIMARY KEY (project, id)
) PARTITION BY HASH (project);

CREATE TABLE graphs (
    uid             UUID             NOT NULL PRIMARY KEY,
    project         TEXT COLLATE "C" NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    display_name    TEXT             NOT NULL,
    description     TEXT             NOT NULL,
    kind            INTEGER          NOT NULL,
    labels          TEXT             NOT NULL,
    revision        BIGINT           NOT NULL CHECK (revision >= 1),
    oldest_revision BIGINT           NOT NULL,
    node_count      BIGINT           NOT NULL,
    edge_count      BIGINT           NOT NULL,
    next_ordinal    BIGINT           NOT NULL,
    created         TIMESTAMPTZ      NOT NULL,
    updated         TIMESTAMPTZ      NOT NULL,
    version         BIGINT           NOT NULL
) PARTITION BY HASH (uid);

-- Graphs that are gone for every reader, and whose rows below wait to be removed in small batches.
CREATE TABLE deleted_graphs (
    uid UUID NOT NULL PRIMARY KEY
);

-- The truth about the content of every graph. A revision is its parts from 0 up to the one with last_part.
CREATE TABLE journal (
    graph_uid UUID        NOT NULL,
    revision  BIGINT      NOT NULL,
    part      INTEGER     NOT NULL,
    last_part BOOLEAN     NOT NULL,
    at        TIMESTAMPTZ NOT NULL,
    actor     TEXT        NOT NULL,
    bytes     BYTEA       NOT NULL,
    PRIMARY KEY (graph_uid, revision, part)
) PARTITION BY HASH (graph_uid);

-- The checkpoint that counts. Its parts are replaced in the same transaction.
CREATE TABLE checkpoints (
    graph_uid  UUID    NOT NULL PRIMARY KEY,
    revision   BIGINT  NOT NULL,
    part_count INTEGER NOT NULL,
    bytes      BIGINT  NOT NULL
);

CREATE TABLE checkpoint_parts (
    graph_uid UUID    NOT NULL,
    revision  BIGINT  NOT NULL,
    part      INTEGER NOT NULL,
    bytes     BYTEA   NOT NULL,
    PRIMARY KEY (graph_uid, revision, part)
) PARTITION BY HASH (graph_uid);

-- Sizes are then read without the bytes, and large parts are not run through a slow compressor.
ALTER TABLE journal ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE checkpoint_parts ALTER COLUMN bytes SET STORAGE EXTERNAL;

DO $$
DECLARE
    parent TEXT;
BEGIN
    FOREACH parent IN ARRAY ARRAY['graph_names', 'graphs', 'journal', 'checkpoint_parts'] LOOP
        FOR n IN 0..7 LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
                parent || '_' || n, parent, n
            );
        END LOOP;
    END LOOP;
    -- Every append rewrites its graph's row: room in the page keeps that from touching the index.
    FOR n IN 0..7 LOOP
        EXECUTE format('ALTER TABLE %I SET (fillfactor = 70)', 'graphs_' || n);
    END LOOP;
END
$$;
