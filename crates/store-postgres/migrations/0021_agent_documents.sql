-- What is kept of an agent beside its record, because it is large and seldom read. It goes with its agent.
CREATE TABLE agent_documents (
    agent_uid UUID             NOT NULL,
    kind      TEXT COLLATE "C" NOT NULL,
    content   BYTEA            NOT NULL,
    PRIMARY KEY (agent_uid, kind)
);
