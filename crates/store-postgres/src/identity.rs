//! The rows of API keys, and the identity store as a whole.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    ApiKeyRow, IdentityStore, KeyUse, NewApiKey, NewSigningKey, NewTicket, Redemption, Remember, Result,
    SigningKeyRow, StoreError, Timestamp, Written,
    check::{self, Check},
    codec,
};

use crate::{
    Postgres,
    fault::{OrFault, fault, is_deadlock},
    instant, keys, requests,
};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "API key" };

/// A row as PostgreSQL gives it.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    display_name: String,
    role: i32,
    scopes: String,
    digest: Vec<u8>,
    created: OffsetDateTime,
    expires: Option<OffsetDateTime>,
    revoked: Option<OffsetDateTime>,
    last_used: Option<OffsetDateTime>,
    creator: String,
}

impl TryFrom<Record> for ApiKeyRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        Ok(Self {
            scopes: codec::scopes_from_json(record.uid, &record.scopes)?,
            digest: codec::digest("api_keys", record.uid, &record.digest)?,
            project: record.project,
            id: record.id,
            uid: record.uid,
            display_name: record.display_name,
            role: record.role,
            created: instant::from_sql(record.created),
            expires: record.expires.map(instant::from_sql),
            revoked: record.revoked.map(instant::from_sql),
            last_used: record.last_used.map(instant::from_sql),
            creator: record.creator,
        })
    }
}

async fn create(connection: &mut PgConnection, key: &NewApiKey) -> Result<ApiKeyRow> {
    let scopes = codec::scopes_to_json(&key.scopes);
    let digest = &key.digest[..];
    let (expires, at) = (key.expires.map(instant::to_sql), instant::to_sql(key.at));
    sqlx::query_as!(
        Record,
        "INSERT INTO api_keys (uid, project, id, display_name, role, scopes, digest, created, expires, creator) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING uid, project, id, \
         display_name, role, scopes, digest, created, expires, revoked, last_used, creator",
        key.uid,
        key.project,
        key.id,
        key.display_name,
        key.role,
        scopes,
        digest,
        at,
        expires,
        key.creator,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(StoreError::AlreadyExists { what: "API key" })?
    .try_into()
}

#[async_trait]
impl IdentityStore for Postgres {
    async fn create_api_key(&self, key: NewApiKey, remember: Option<Remember>) -> Result<Written<ApiKeyRow>> {
        key.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), key.at).await? {
            return Ok(replayed);
        }
        let row = create(&mut transaction, &key).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn get_api_key(&self, project: &str, id: &str) -> Result<ApiKeyRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        sqlx::query_as!(
            Record,
            "SELECT uid, project, id, display_name, role, scopes, digest, created, expires, revoked, last_used, \
             creator FROM api_keys WHERE project = $1 AND id = $2",
            project,
            id,
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?
        .try_into()
    }

    async fn api_key_by_digest(&self, digest: &[u8; 32]) -> Result<ApiKeyRow> {
        let digest = &digest[..];
        sqlx::query_as!(
            Record,
            "SELECT uid, project, id, display_name, role, scopes, digest, created, expires, revoked, last_used, \
             creator FROM api_keys WHERE digest = $1",
            digest,
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?
        .try_into()
    }

    async fn list_api_keys(&self, project: &str, after: &str, limit: u32) -> Result<Vec<ApiKeyRow>> {
        check::text("project", project)?;
        check::text("after", after)?;
        sqlx::query_as!(
            Record,
            "SELECT uid, project, id, display_name, role, scopes, digest, created, expires, revoked, last_used, \
             creator FROM api_keys WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3",
            project,
            after,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?
        .into_iter()
        .map(ApiKeyRow::try_from)
        .collect()
    }

    async fn revoke_api_key(&self, project: &str, id: &str, at: Timestamp) -> Result<ApiKeyRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        sqlx::query_as!(
            Record,
            "UPDATE api_keys SET revoked = COALESCE(revoked, $1) WHERE project = $2 AND id = $3 \
             RETURNING uid, project, id, display_name, role, scopes, digest, created, expires, revoked, \
             last_used, creator",
            instant::to_sql(at),
            project,
            id,
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?
        .try_into()
    }

    async fn touch_api_keys(&self, uses: &[KeyUse]) -> Result<()> {
        // Processes that report the same keys in another order may wait for each other: one tries again.
        const TRIES: usize = 5;
        let uids: Vec<_> = uses.iter().map(|used| used.uid).collect();
        let times: Vec<_> = uses.iter().map(|used| instant::to_sql(used.at)).collect();
        let mut tries = 1;
        loop {
            let done = sqlx::query!(
                "UPDATE api_keys k SET last_used = u.at FROM \
                 (SELECT uid, MAX(at) AS at FROM UNNEST($1::UUID[], $2::TIMESTAMPTZ[]) AS used (uid, at) GROUP BY uid) u \
                 WHERE k.uid = u.uid AND (k.last_used IS NULL OR k.last_used < u.at)",
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

    async fn signing_keys(&self) -> Result<Vec<SigningKeyRow>> {
        keys::list(&self.pool).await
    }

    async fn ensure_signing_key(&self, candidate: NewSigningKey) -> Result<SigningKeyRow> {
        candidate.check()?;
        let mut transaction = self.begin().await?;
        let row = keys::ensure(&mut transaction, &candidate).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }

    async fn rotate_signing_key(
        &self,
        key: NewSigningKey,
        remember: Option<Remember>,
    ) -> Result<Written<SigningKeyRow>> {
        key.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), key.at).await? {
            return Ok(replayed);
        }
        let row = keys::rotate(&mut transaction, &key).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn retire_signing_key(&self, kid: &str, at: Timestamp) -> Result<SigningKeyRow> {
        check::text("kid", kid)?;
        keys::retire(&self.pool, kid, at).await
    }

    async fn forget_signing_keys(&self, retired_before: Timestamp) -> Result<u64> {
        keys::forget(&self.pool, retired_before).await
    }

    async fn add_ticket(&self, ticket: NewTicket, remember: Option<Remember>) -> Result<Written<()>> {
        ticket.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), ticket.at).await? {
            return Ok(replayed);
        }
        keys::add_ticket(&mut transaction, &ticket).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(()))
    }

    async fn redeem_ticket(&self, redemption: Redemption) -> Result<Bytes> {
        let mut transaction = self.begin().await?;
        let principal = keys::redeem_ticket(&mut transaction, redemption).await?;
        transaction.commit().await.or_fault()?;
        Ok(principal)
    }

    async fn purge_tickets(&self, expired_before: Timestamp, limit: u32) -> Result<u64> {
        keys::purge_tickets(&self.pool, expired_before, limit).await
    }
}
