//! The rows of API keys, and the identity store as a whole.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::SqliteConnection;
use uuid::Uuid;
use weft_store::{
    ApiKeyRow, IdentityStore, KeyUse, NewApiKey, NewSigningKey, NewTicket, Redemption, Remember, Result,
    SigningKeyRow, StoreError, Timestamp, Written,
    check::{self, Check},
    codec,
};

use crate::{Sqlite, fault::OrFault, keys, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "API key" };

/// A row as SQLite gives it.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    display_name: String,
    role: i32,
    scopes: String,
    digest: Vec<u8>,
    created: i64,
    expires: Option<i64>,
    revoked: Option<i64>,
    last_used: Option<i64>,
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
            created: Timestamp::from_micros(record.created),
            expires: record.expires.map(Timestamp::from_micros),
            revoked: record.revoked.map(Timestamp::from_micros),
            last_used: record.last_used.map(Timestamp::from_micros),
            creator: record.creator,
        })
    }
}

async fn create(connection: &mut SqliteConnection, key: &NewApiKey) -> Result<ApiKeyRow> {
    let scopes = codec::scopes_to_json(&key.scopes);
    let digest = &key.digest[..];
    let (expires, at) = (key.expires.map(Timestamp::as_micros), key.at.as_micros());
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
impl IdentityStore for Sqlite {
    async fn create_api_key(&self, key: NewApiKey, remember: Option<Remember>) -> Result<Written<ApiKeyRow>> {
        key.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = create(connection, &key).await?;
                requests::keep(connection, remember.as_ref(), key.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
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
        .fetch_optional(&self.readers)
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
        .fetch_optional(&self.readers)
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
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?
        .into_iter()
        .map(ApiKeyRow::try_from)
        .collect()
    }

    async fn revoke_api_key(&self, project: &str, id: &str, at: Timestamp) -> Result<ApiKeyRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        let (project, id) = (project.to_owned(), id.to_owned());
        self.write(move |connection| {
            Box::pin(async move {
                let at = at.as_micros();
                sqlx::query_as!(
                    Record,
                    "UPDATE api_keys SET revoked = COALESCE(revoked, $1) WHERE project = $2 AND id = $3 \
                     RETURNING uid, project, id, display_name, role, scopes, digest, created, expires, revoked, \
                     last_used, creator",
                    at,
                    project,
                    id,
                )
                .fetch_optional(connection)
                .await
                .or_fault()?
                .ok_or(NOT_FOUND)?
                .try_into()
            })
        })
        .await
    }

    async fn touch_api_keys(&self, uses: &[KeyUse]) -> Result<()> {
        let uses = uses.to_vec();
        self.write(move |connection| {
            Box::pin(async move {
                for KeyUse { uid, at } in uses {
                    let at = at.as_micros();
                    sqlx::query!(
                        "UPDATE api_keys SET last_used = $1 \
                         WHERE uid = $2 AND (last_used IS NULL OR last_used < $1)",
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

    async fn signing_keys(&self) -> Result<Vec<SigningKeyRow>> {
        keys::list(&self.readers).await
    }

    async fn ensure_signing_key(&self, candidate: NewSigningKey) -> Result<SigningKeyRow> {
        candidate.check()?;
        self.write(move |connection| Box::pin(async move { keys::ensure(connection, &candidate).await }))
            .await
    }

    async fn rotate_signing_key(
        &self,
        key: NewSigningKey,
        remember: Option<Remember>,
    ) -> Result<Written<SigningKeyRow>> {
        key.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = keys::rotate(connection, &key).await?;
                requests::keep(connection, remember.as_ref(), key.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn retire_signing_key(&self, kid: &str, at: Timestamp) -> Result<SigningKeyRow> {
        check::text("kid", kid)?;
        let kid = kid.to_owned();
        self.write(move |connection| Box::pin(async move { keys::retire(connection, &kid, at).await })).await
    }

    async fn forget_signing_keys(&self, retired_before: Timestamp) -> Result<u64> {
        self.write(move |connection| Box::pin(keys::forget(connection, retired_before))).await
    }

    async fn add_ticket(&self, ticket: NewTicket, remember: Option<Remember>) -> Result<Written<()>> {
        ticket.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                keys::add_ticket(connection, &ticket).await?;
                requests::keep(connection, remember.as_ref(), ticket.at).await?;
                Ok(Written::Done(()))
            })
        })
        .await
    }

    async fn redeem_ticket(&self, redemption: Redemption) -> Result<Bytes> {
        self.write(move |connection| Box::pin(keys::redeem_ticket(connection, redemption))).await
    }

    async fn purge_tickets(&self, expired_before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| Box::pin(keys::purge_tickets(connection, expired_before, limit))).await
    }
}
