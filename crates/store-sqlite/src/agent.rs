//! The rows of agents, and the agents' store as a whole.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::SqliteConnection;
use uuid::Uuid;
use weft_store::{
    AgentRow, AgentStore, AgentUpdate, EnrollmentTokenRow, Fleet, NewAgent, NewEnrollmentToken, Remember,
    Result, Seen, StoreError, Timestamp, Versioned, Written,
    check::{self, Check},
    codec,
};

use crate::{Sqlite, enrollment, fault::OrFault, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "agent" };

/// A row as SQLite gives it.
struct Stored {
    uid: Uuid,
    project: String,
    id: String,
    public_key: Vec<u8>,
    token_uid: Uuid,
    revision: i64,
    record: Vec<u8>,
    last_seen: Option<i64>,
    created: i64,
    deleted: Option<i64>,
}

impl TryFrom<Stored> for AgentRow {
    type Error = StoreError;

    fn try_from(record: Stored) -> Result<Self> {
        Ok(Self {
            public_key: codec::digest("agents", record.uid, &record.public_key)?,
            project: record.project,
            id: record.id,
            uid: record.uid,
            token_uid: record.token_uid,
            revision: record.revision,
            record: record.record.into(),
            last_seen: record.last_seen.map(Timestamp::from_micros),
            created: Timestamp::from_micros(record.created),
            deleted: record.deleted.map(Timestamp::from_micros),
        })
    }
}

/// The next revision. Whoever has it holds the fleet's row until the transaction ends.
async fn next_revision(connection: &mut SqliteConnection) -> Result<i64> {
    let row = sqlx::query!(
        "INSERT INTO fleet (one, revision, forgotten) VALUES (1, 1, 0) \
         ON CONFLICT (one) DO UPDATE SET revision = fleet.revision + 1 RETURNING revision",
    )
    .fetch_one(connection)
    .await
    .or_fault()?;
    Ok(row.revision)
}

/// The agent that has joined with this token and this key before.
async fn joined(connection: &mut SqliteConnection, agent: &NewAgent) -> Result<Option<AgentRow>> {
    let (public_key, digest) = (&agent.public_key[..], &agent.token_digest[..]);
    let record = sqlx::query_as!(
        Stored,
        "SELECT uid, project, id, public_key, token_uid, revision, record, last_seen, created, deleted FROM agents \
         WHERE public_key = $1 AND deleted IS NULL \
         AND token_uid = (SELECT uid FROM enrollment_tokens WHERE digest = $2)",
        public_key,
        digest,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?;
    record.map(AgentRow::try_from).transpose()
}

async fn enroll(connection: &mut SqliteConnection, agent: &NewAgent) -> Result<AgentRow> {
    if let Some(row) = joined(&mut *connection, agent).await? {
        return Ok(row);
    }
    let counted =
        enrollment::count_use(&mut *connection, &agent.project, &agent.token_digest, agent.at).await?;
    let Some(token_uid) = counted else {
        let token = enrollment::by_digest(&mut *connection, &agent.token_digest).await?;
        check::enroll(&token, agent.at)?;
        // Good, but another project's.
        return Err(StoreError::NotFound { what: "enrollment token" });
    };
    let public_key = &agent.public_key[..];
    let taken = sqlx::query!("SELECT uid FROM agents WHERE public_key = $1 AND deleted IS NULL", public_key)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?;
    if taken.is_some() {
        return Err(StoreError::AlreadyExists { what: "agent key" });
    }
    let revision = next_revision(&mut *connection).await?;
    let (record, at) = (&agent.record[..], agent.at.as_micros());
    sqlx::query_as!(
        Stored,
        "INSERT INTO agents (uid, project, id, public_key, token_uid, revision, record, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING uid, project, id, public_key, \
         token_uid, revision, record, last_seen, created, deleted",
        agent.uid,
        agent.project,
        agent.id,
        public_key,
        token_uid,
        revision,
        record,
        at,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(StoreError::AlreadyExists { what: "agent" })?
    .try_into()
}

/// Why an agent could not be changed.
async fn refusal(connection: &mut SqliteConnection, uid: Uuid) -> Result<StoreError> {
    let current = sqlx::query!("SELECT revision FROM agents WHERE uid = $1 AND deleted IS NULL", uid)
        .fetch_optional(connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?
        .revision;
    Ok(StoreError::Stale { of: Versioned::Revision, current })
}

async fn update(connection: &mut SqliteConnection, update: &AgentUpdate) -> Result<AgentRow> {
    let revision = next_revision(&mut *connection).await?;
    let (record, last_seen) = (&update.record[..], update.last_seen.map(Timestamp::as_micros));
    let updated = sqlx::query_as!(
        Stored,
        "UPDATE agents SET revision = $1, record = $2, last_seen = CASE WHEN last_seen IS NULL OR last_seen < $4 THEN COALESCE($4, last_seen) ELSE last_seen END \
         WHERE uid = $3 AND revision = $5 AND deleted IS NULL RETURNING uid, project, id, public_key, token_uid, \
         revision, record, last_seen, created, deleted",
        revision,
        record,
        update.uid,
        last_seen,
        update.expected_revision,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?;
    let Some(updated) = updated else {
        return Err(refusal(connection, update.uid).await?);
    };
    if let Some(document) = &update.document {
        let content = &document.content[..];
        sqlx::query!(
            "INSERT INTO agent_documents (agent_uid, kind, content) VALUES ($1, $2, $3) \
             ON CONFLICT (agent_uid, kind) DO UPDATE SET content = excluded.content",
            update.uid,
            document.kind,
            content,
        )
        .execute(connection)
        .await
        .or_fault()?;
    }
    updated.try_into()
}

async fn delete(
    connection: &mut SqliteConnection,
    uid: Uuid,
    expected_revision: i64,
    at: Timestamp,
) -> Result<AgentRow> {
    let revision = next_revision(&mut *connection).await?;
    let at = at.as_micros();
    let deleted = sqlx::query_as!(
        Stored,
        "UPDATE agents SET revision = $1, record = x'', deleted = $2 \
         WHERE uid = $3 AND revision = $4 AND deleted IS NULL RETURNING uid, project, id, public_key, token_uid, \
         revision, record, last_seen, created, deleted",
        revision,
        at,
        uid,
        expected_revision,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?;
    let Some(deleted) = deleted else {
        return Err(refusal(connection, uid).await?);
    };
    sqlx::query!("DELETE FROM agent_documents WHERE agent_uid = $1", uid)
        .execute(connection)
        .await
        .or_fault()?;
    deleted.try_into()
}

async fn purge(connection: &mut SqliteConnection, deleted_before: Timestamp, limit: u32) -> Result<u64> {
    let before = deleted_before.as_micros();
    // The fleet's row first, as everybody who changes agents does.
    sqlx::query!(
        "UPDATE fleet SET forgotten = COALESCE((SELECT MAX(revision) FROM (SELECT revision FROM agents \
         WHERE deleted < $1 ORDER BY deleted, revision LIMIT $2) AS old), forgotten) WHERE one = 1 \
         AND forgotten < COALESCE((SELECT MAX(revision) FROM (SELECT revision FROM agents \
         WHERE deleted < $1 ORDER BY deleted, revision LIMIT $2) AS old), forgotten)",
        before,
        limit,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    let done = sqlx::query!(
        "DELETE FROM agents WHERE uid IN \
         (SELECT uid FROM agents WHERE deleted < $1 ORDER BY deleted, revision LIMIT $2)",
        before,
        limit,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(done.rows_affected())
}

#[async_trait]
impl AgentStore for Sqlite {
    async fn create_enrollment_token(
        &self,
        token: NewEnrollmentToken,
        remember: Option<Remember>,
    ) -> Result<Written<EnrollmentTokenRow>> {
        token.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = enrollment::create(connection, &token).await?;
                requests::keep(connection, remember.as_ref(), token.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn enrollment_token_by_digest(&self, digest: &[u8; 32]) -> Result<EnrollmentTokenRow> {
        enrollment::by_digest(&self.readers, digest).await
    }

    async fn list_enrollment_tokens(
        &self,
        project: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<EnrollmentTokenRow>> {
        check::text("project", project)?;
        check::text("after", after)?;
        enrollment::list(&self.readers, project, after, limit).await
    }

    async fn revoke_enrollment_token(
        &self,
        project: &str,
        id: &str,
        at: Timestamp,
    ) -> Result<EnrollmentTokenRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        let (project, id) = (project.to_owned(), id.to_owned());
        self.write(move |connection| {
            Box::pin(async move { enrollment::revoke(connection, &project, &id, at).await })
        })
        .await
    }

    async fn purge_enrollment_tokens(&self, expired_before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move { enrollment::purge(connection, expired_before, limit).await })
        })
        .await
    }

    async fn enroll_agent(&self, agent: NewAgent) -> Result<AgentRow> {
        agent.check()?;
        self.write(move |connection| Box::pin(async move { enroll(connection, &agent).await })).await
    }

    async fn agents_after(&self, revision: i64, limit: u32) -> Result<Vec<AgentRow>> {
        sqlx::query_as!(
            Stored,
            "SELECT uid, project, id, public_key, token_uid, revision, record, last_seen, created, deleted \
             FROM agents WHERE revision > $1 ORDER BY revision LIMIT $2",
            revision,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?
        .into_iter()
        .map(AgentRow::try_from)
        .collect()
    }

    async fn fleet(&self) -> Result<Fleet> {
        let row = sqlx::query!("SELECT revision, forgotten FROM fleet WHERE one = 1")
            .fetch_optional(&self.readers)
            .await
            .or_fault()?;
        Ok(row.map_or_else(Fleet::default, |row| Fleet { revision: row.revision, forgotten: row.forgotten }))
    }

    async fn update_agent(&self, change: AgentUpdate) -> Result<AgentRow> {
        change.check()?;
        self.write(move |connection| Box::pin(async move { update(connection, &change).await })).await
    }

    async fn agent_document(&self, uid: Uuid, kind: &str) -> Result<Option<Bytes>> {
        check::text("kind", kind)?;
        let row = sqlx::query!(
            "SELECT content FROM agent_documents WHERE agent_uid = $1 AND kind = $2",
            uid,
            kind,
        )
        .fetch_optional(&self.readers)
        .await
        .or_fault()?;
        Ok(row.map(|row| row.content.into()))
    }

    async fn delete_agent(&self, uid: Uuid, expected_revision: i64, at: Timestamp) -> Result<AgentRow> {
        self.write(move |connection| {
            Box::pin(async move { delete(connection, uid, expected_revision, at).await })
        })
        .await
    }

    async fn touch_agents(&self, seen: &[Seen]) -> Result<()> {
        let seen = seen.to_vec();
        self.write(move |connection| {
            Box::pin(async move {
                for Seen { uid, at } in seen {
                    let at = at.as_micros();
                    sqlx::query!(
                        "UPDATE agents SET last_seen = $1 WHERE uid = $2 AND deleted IS NULL \
                         AND (last_seen IS NULL OR last_seen < $1)",
                        at,
                        uid,
                    )
                    .execute(&mut *connection)
                    .await
                    .or_fault()?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn purge_agents(&self, deleted_before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| Box::pin(async move { purge(connection, deleted_before, limit).await }))
            .await
    }
}
