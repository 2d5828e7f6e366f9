//! The rows of signing keys and of tickets.

use bytes::Bytes;
use sqlx::{SqliteConnection, SqliteExecutor};
use weft_store::{NewSigningKey, NewTicket, Redemption, Result, SigningKeyRow, StoreError, Timestamp, check};

use crate::fault::OrFault;

/// A signing key as SQLite gives it.
struct Record {
    kid: String,
    private: Vec<u8>,
    public: Vec<u8>,
    created: i64,
    retired: Option<i64>,
}

impl From<Record> for SigningKeyRow {
    fn from(record: Record) -> Self {
        Self {
            kid: record.kid,
            private: record.private.into(),
            public: record.public.into(),
            created: Timestamp::from_micros(record.created),
            retired: record.retired.map(Timestamp::from_micros),
        }
    }
}

/// All signing keys, newest first.
pub(crate) async fn list(executor: impl SqliteExecutor<'_>) -> Result<Vec<SigningKeyRow>> {
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
    connection: &mut SqliteConnection,
    candidate: &NewSigningKey,
) -> Result<SigningKeyRow> {
    let newest = list(&mut *connection).await?.into_iter().find(|key| key.retired.is_none());
    match newest {
        Some(key) => Ok(key),
        None => insert(connection, candidate).await,
    }
}

async fn insert(connection: &mut SqliteConnection, key: &NewSigningKey) -> Result<SigningKeyRow> {
    let (private, public, at) = (&key.private[..], &key.public[..], key.at.as_micros());
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
pub(crate) async fn rotate(connection: &mut SqliteConnection, key: &NewSigningKey) -> Result<SigningKeyRow> {
    let row = insert(&mut *connection, key).await?;
    let at = key.at.as_micros();
    sqlx::query!("UPDATE signing_keys SET retired = $1 WHERE retired IS NULL AND kid <> $2", at, key.kid)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(row)
}

/// Retires a key.
pub(crate) async fn retire(
    connection: &mut SqliteConnection,
    kid: &str,
    at: Timestamp,
) -> Result<SigningKeyRow> {
    let at = at.as_micros();
    let record = sqlx::query_as!(
        Record,
        "UPDATE signing_keys SET retired = COALESCE(retired, $1) WHERE kid = $2 \
         RETURNING kid, private, public, created, retired",
        at,
        kid,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(StoreError::NotFound { what: "signing key" })?;
    Ok(record.into())
}

/// Removes keys that were retired before an instant.
pub(crate) async fn forget(connection: &mut SqliteConnection, retired_before: Timestamp) -> Result<u64> {
    let before = retired_before.as_micros();
    let done = sqlx::query!("DELETE FROM signing_keys WHERE retired < $1", before)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(done.rows_affected())
}

/// Keeps a ticket.
pub(crate) async fn add_ticket(connection: &mut SqliteConnection, ticket: &NewTicket) -> Result<()> {
    let (digest, principal) = (&ticket.digest[..], &ticket.principal[..]);
    let (expires, at) = (ticket.expires.as_micros(), ticket.at.as_micros());
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
pub(crate) async fn redeem_ticket(
    connection: &mut SqliteConnection,
    redemption: Redemption,
) -> Result<Bytes> {
    let digest = &redemption.digest[..];
    let row = sqlx::query!(
        "SELECT principal, expires, redeemed, redeemed_request_id FROM tickets WHERE digest = $1",
        digest,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?
    .ok_or(StoreError::NotFound { what: "ticket" })?;
    let use_before = row.redeemed.map(|at| (Timestamp::from_micros(at), row.redeemed_request_id));
    if check::redeem(redemption, Timestamp::from_micros(row.expires), use_before)? {
        let at = redemption.at.as_micros();
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
    connection: &mut SqliteConnection,
    expired_before: Timestamp,
    limit: u32,
) -> Result<u64> {
    let before = expired_before.as_micros();
    let done = sqlx::query!(
        "DELETE FROM tickets WHERE rowid IN \
         (SELECT rowid FROM tickets WHERE expires < $1 ORDER BY expires LIMIT $2)",
        before,
        limit,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(done.rows_affected())
}
