//! The rows of agents, and the agents' store as a whole.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    AgentRow, AgentStore, AgentUpdate, EnrollmentTokenRow, Fleet, NewAgent, NewEnrollmentToken, Remember,
    Result, Seen, StoreError, Timestamp, Versioned, Written,
    check::{self, Check},
    codec,
};

use crate::{
    Postgres, enrollment,
    fault::{OrFault, fault, is_deadlock},
    instant, requests,
};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "agent" };

/// A row as PostgreSQL gives it.
struct Stored {
    uid: Uuid,
    project: String,
    id: String,
    public_key: Vec<u8>,
    token_uid: Uuid,
    revision: i64,
    record: Vec<u8>,
    last_seen: Option<OffsetDateTime>,
    created: OffsetDateTime,
    deleted: Option<OffsetDateTime>,
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
            last_seen: record.last_seen.map(instant::from_sql),
            created: instant::from_sql(record.created),
            deleted: record.deleted.map(instant::from_sql),
        })
    }
}

/// The next revision. Whoever has it holds the fleet's row until the transaction ends.
async fn next_revision(connection: &mut PgConnection) -> Result<i64> {
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
async fn joined(connection: &mut PgConnection, agent: &NewAgent) -> Result<Option<AgentRow>> {
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

async fn enroll(connection: &mut PgConnection, agent: &NewAgent) -> Result<AgentRow> {
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
    let (record, at) = (&agent.record[..], instant::to_sql(agent.at));
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
async fn refusal(connection: &mut PgConnection, uid: Uuid) -> Result<StoreError> {
    let current = sqlx::query!("SELECT revision FROM agents WHERE uid = $1 AND deleted IS NULL", uid)
        .fetch_optional(connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?
        .revision;
    Ok(StoreError::Stale { of: Versioned::Revision, current })
}

async fn update(connection: &mut PgConnection, update: &AgentUpdate) -> Result<AgentRow> {
    let revision = next_revision(&mut *connection).await?;
    let (record, last_seen) = (&update.record[..], update.last_seen.map(instant::to_sql));
    let updated = sqlx::query_as!(
        Stored,
        "UPDATE agents SET revision = $1, record = $2, last_seen = GREATEST(last_seen, $4) \
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
    connection: &mut PgConnection,
    uid: Uuid,
    expected_revision: i64,
    at: Timestamp,
) -> Result<AgentRow> {
    let revision = next_revision(&mut *connection).await?;
    let at = instant::to_sql(at);
    let deleted = sqlx::query_as!(
        Stored,
        "UPDATE agents SET revision = $1, record = ''::BYTEA, deleted = $2 \
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

async fn purge(connection: &mut PgConnection, deleted_before: Timestamp, limit: u32) -> Result<u64> {
    let before = instant::to_sql(deleted_before);
    // The fleet's row first, as everybody who changes agents does.
    sqlx::query!(
        "UPDATE fleet SET forgotten = COALESCE((SELECT MAX(revision) FROM (SELECT revision FROM agents \
         WHERE deleted < $1 ORDER BY deleted, revision LIMIT $2) AS old), forgotten) WHERE one = 1 \
         AND forgotten < COALESCE((SELECT MAX(revision) FROM (SELECT revision FROM agents \
         WHERE deleted < $1 ORDER BY deleted, revision LIMIT $2) AS old), forgotten)",
        before,
        i64::from(limit),
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    let done = sqlx::query!(
        "DELETE FROM agents WHERE uid IN \
         (SELECT uid FROM agents WHERE deleted < $1 ORDER BY deleted, revision LIMIT $2)",
        before,
        i64::from(limit),
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(done.rows_affected())
}

#[async_trait]
impl AgentStore for Postgres {
    async fn create_enrollment_token(
        &self,
        token: NewEnrollmentToken,
        remember: Option<Remember>,
    ) -> Result<Written<EnrollmentTokenRow>> {
        token.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), token.at).await? {
            return Ok(replayed);
        }
        let row = enrollment::create(&mut transaction, &token).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn enrollment_token_by_digest(&self, digest: &[u8; 32]) -> Result<EnrollmentTokenRow> {
        enrollment::by_digest(&self.pool, digest).await
    }

    async fn list_enrollment_tokens(
        &self,
        project: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<EnrollmentTokenRow>> {
        check::text("project", project)?;
        check::text("after", after)?;
        enrollment::list(&self.pool, project, after, limit).await
    }

    async fn revoke_enrollment_token(
        &self,
        project: &str,
        id: &str,
        at: Timestamp,
    ) -> Result<EnrollmentTokenRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        let mut transaction = self.begin().await?;
        let row = enrollment::revoke(&mut transaction, project, id, at).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }

    async fn purge_enrollment_tokens(&self, expired_before: Timestamp, limit: u32) -> Result<u64> {
        let mut transaction = self.begin().await?;
        let row = enrollment::purge(&mut transaction, expired_before, limit).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }

    async fn enroll_agent(&self, agent: NewAgent) -> Result<AgentRow> {
        agent.check()?;
        let mut transaction = self.begin().await?;
        match enroll(&mut transaction, &agent).await {
            Ok(row) => {
                transaction.commit().await.or_fault()?;
                Ok(row)
            }
            Err(refused) => {
                drop(transaction);
                // The first of two that came at once may have won meanwhile.
                let mut connection = self.pool.acquire().await.or_fault()?;
                joined(&mut connection, &agent).await?.ok_or(refused)
            }
        }
    }

    async fn agents_after(&self, revision: i64, limit: u32) -> Result<Vec<AgentRow>> {
        sqlx::query_as!(
            Stored,
            "SELECT uid, project, id, public_key, token_uid, revision, record, last_seen, created, deleted \
             FROM agents WHERE revision > $1 ORDER BY revision LIMIT $2",
            revision,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?
        .into_iter()
        .map(AgentRow::try_from)
        .collect()
    }

    async fn fleet(&self) -> Result<Fleet> {
        let row = sqlx::query!("SELECT revision, forgotten FROM fleet WHERE one = 1")
            .fetch_optional(&self.pool)
            .await
            .or_fault()?;
        Ok(row.map_or_else(Fleet::default, |row| Fleet { revision: row.revision, forgotten: row.forgotten }))
    }

    async fn update_agent(&self, change: AgentUpdate) -> Result<AgentRow> {
        change.check()?;
        let mut transaction = self.begin().await?;
        let row = update(&mut transaction, &change).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }

    async fn agent_document(&self, uid: Uuid, kind: &str) -> Result<Option<Bytes>> {
        check::text("kind", kind)?;
        let row = sqlx::query!(
            "SELECT content FROM agent_documents WHERE agent_uid = $1 AND kind = $2",
            uid,
            kind,
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?;
        Ok(row.map(|row| row.content.into()))
    }

    async fn delete_agent(&self, uid: Uuid, expected_revision: i64, at: Timestamp) -> Result<AgentRow> {
        let mut transaction = self.begin().await?;
        let row = delete(&mut transaction, uid, expected_revision, at).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }

    async fn touch_agents(&self, seen: &[Seen]) -> Result<()> {
        // Processes that report the same agents in another order may wait for each other: one tries again.
        const TRIES: usize = 5;
        let uids: Vec<_> = seen.iter().map(|seen| seen.uid).collect();
        let times: Vec<_> = seen.iter().map(|seen| instant::to_sql(seen.at)).collect();
        let mut tries = 1;
        loop {
            let done = sqlx::query!(
                "UPDATE agents a SET last_seen = u.at FROM \
                 (SELECT uid, MAX(at) AS at FROM UNNEST($1::UUID[], $2::TIMESTAMPTZ[]) AS seen (uid, at) GROUP BY uid) u \
                 WHERE a.uid = u.uid AND a.deleted IS NULL AND (a.last_seen IS NULL OR a.last_seen < u.at)",
                &uids,
                &times,
            )
            .execute(&self.pool)
            .await;
            match done {
                Err(error) if is_deadlock(&error) && tries < TRIES => tries += 1,
                Err(error) => return Err(fault(error)),
                Ok(_) => return Ok(()),
            }
        }
    }

    async fn purge_agents(&self, deleted_before: Timestamp, limit: u32) -> Result<u64> {
        let mut transaction = self.begin().await?;
        let row = purge(&mut transaction, deleted_before, limit).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }
}
