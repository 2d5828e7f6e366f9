//! The rows of signing keys and of tickets.

use bytes::Bytes;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use weft_store::{NewSigningKey, NewTicket, Redemption, Result, SigningKeyRow, StoreError, Timestamp, check};

use crate::{fault::OrFault, instant};

/// A signing key as PostgreSQL gives it.
struct Record {
    kid: String,
    private: Vec<u8>,
    public: Vec<u8>,
    created: OffsetDateTime,
    retired: Option<OffsetDateTime>,
}

impl From<Record> for SigningKeyRow {
    fn from(record: Record) -> Self {
        Self {
            kid: record.kid,
            private: record.private.into(),
            public: record.public.into(),
            created: instant::from_sql(record.created),
            retired: record.retired.map(instant::from_sql),
        }
    }
}

/// All signing keys, newest first.
pub(crate) async fn list(executor: impl PgExecutor<'_>) -> Result<Vec<SigningKeyRow>> {
    let records = sqlx::query_as!(
        Record,
        "SELECT kid, private, public, created, retired FROM signing_keys ORDER BY created DESC, kid DESC"
    )
    .fetch_all(executor)
    .await
    .or_fault()?;
    Ok(records.into_iter().map(SigningKeyRow::from).collect())
}

/// The key that signs now, or the candidate.
pub(crate) async fn ensure(
    connection: &mut PgConnection,
    candidate: &NewSigningKey,
) -> Result<SigningKeyRow> {
    lock(&mut *connection).await?;
    let newest = list(&mut *connection).await?.into_iter().find(|key| key.retired.is_none());
    match newest {
        Some(key) => Ok(key),
        None => insert(connection, candidate).await,
    }
}

/// Keeps other writers of signing keys out until the end of the transaction: which key signs is a matter of all
/// rows. Readers go on.
async fn lock(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
        .execute(connection)
        .await
        .or_fault()?;
    Ok(())
}

async fn insert(connection: &mut PgConnection, key: &NewSigningKey) -> Result<SigningKeyRow> {
    let (private, public, at) = (&key.private[..], &key.public[..], instant::to_sql(key.at));
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO signing_keys (kid, private, public, created) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (kid) DO NOTHING RETURNING kid, private, public, created, retired",
        key.kid,
        private,
        public,
        at,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(StoreError::AlreadyExists { what: "signing key" })?;
    Ok(record.into())
}

/// Adds a key, and retires all others.
pub(crate) async fn rotate(connection: &mut PgConnection, key: &NewSigningKey) -> Result<SigningKeyRow> {
    lock(&mut *connection).await?;
    let row = insert(&mut *connection, key).await?;
    let at = instant::to_sql(key.at);
    sqlx::query!("UPDATE signing_keys SET retired = $1 WHERE retired IS NULL AND kid <> $2", at, key.kid)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(row)
}

/// Retires a key.
pub(crate) async fn retire(executor: impl PgExecutor<'_>, kid: &str, at: Timestamp) -> Result<SigningKeyRow> {
    let at = instant::to_sql(at);
    let record = sqlx::query_as!(
        Record,
        "UPDATE signing_keys SET retired = COALESCE(retired, $1) WHERE kid = $2 \
         RETURNING kid, private, public, created, retired",
        at,
        kid,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(StoreError::NotFound { what: "signing key" })?;
    Ok(record.into())
}

/// Removes keys that were retired before an instant.
pub(crate) async fn forget(executor: impl PgExecutor<'_>, retired_before: Timestamp) -> Result<u64> {
    let before = instant::to_sql(retired_before);
    let done = sqlx::query!("DELETE FROM signing_keys WHERE retired < $1", before)
        .execute(executor)
        .await
        .or_fault()?;
    Ok(done.rows_affected())
}

/// Keeps a ticket.
pub(crate) async fn add_ticket(connection: &mut PgConnection, ticket: &NewTicket) -> Result<()> {
    let (digest, principal) = (&ticket.digest[..], &ticket.principal[..]);
    let (expires, at) = (instant::to_sql(ticket.expires), instant::to_sql(ticket.at));
    let done = sqlx::query!(
        "INSERT INTO tickets (digest, principal, expires, created) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (digest) DO NOTHING",
        digest,
        principal,
        expires,
        at,
    )
    .execute(connection)
    .await
    .or_fault()?;
    if done.rows_affected() == 0 { Err(StoreError::AlreadyExists { what: "ticket" }) } else { Ok(()) }
}

/// Uses a ticket up. What was used, by whom and when is decided by `check::redeem`, as on every database.
pub(crate) async fn redeem_ticket(connection: &mut PgConnection, redemption: Redemption) -> Result<Bytes> {
    let digest = &redemption.digest[..];
    let row = sqlx::query!(
        "SELECT principal, expires, redeemed, redeemed_request_id FROM tickets WHERE digest = $1 FOR UPDATE",
        digest,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?
    .ok_or(StoreError::NotFound { what: "ticket" })?;
    let use_before = row.redeemed.map(|at| (instant::from_sql(at), row.redeemed_request_id));
    if check::redeem(redemption, instant::from_sql(row.expires), use_before)? {
        let at = instant::to_sql(redemption.at);
        sqlx::query!(
            "UPDATE tickets SET redeemed = $1, redeemed_request_id = $2 WHERE digest = $3",
            at,
            redemption.request_id,
            digest,
        )
        .execute(connection)
        .await
        .or_fault()?;
    }
    Ok(row.principal.into())
}

/// Removes tickets that expired before an instant.
pub(crate) async fn purge_tickets(
    executor: impl PgExecutor<'_>,
    expired_before: Timestamp,
    limit: u32,
) -> Result<u64> {
    let before = instant::to_sql(expired_before);
    let done = sqlx::query!(
        "DELETE FROM tickets t USING \
         (SELECT digest FROM tickets WHERE expires < $1 ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED) old \
         WHERE t.digest = old.digest",
        before,
        i64::from(limit),
    )
    .execute(executor)
    .await
    .or_fault()?;
    Ok(done.rows_affected())
}
