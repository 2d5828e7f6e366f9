-- What is kept of an agent beside its record, because it is large and seldom read. It goes with its agent.
CREATE TABLE agent_documents (
    agent_uid BLOB NOT NULL CHECK (length(agent_uid) = 16),
    kind      TEXT NOT NULL,
    content   BLOB NOT NULL,
    PRIMARY KEY (agent_uid, kind)
) STRICT, WITHOUT ROWID;
