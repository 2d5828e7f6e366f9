//! The answers to requests that may be repeated.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{PgConnection, PgExecutor};
use weft_store::{Once, Remember, Requests, Result, StoreError, Timestamp, Written, check::Check};

use crate::{Postgres, fault::OrFault, instant};

/// The answer to a request, if it was answered.
async fn recall(executor: impl PgExecutor<'_>, once: &Once) -> Result<Option<Bytes>> {
    let row = sqlx::query!(
        "SELECT fingerprint, response FROM requests WHERE scope = $1 AND request_id = $2",
        once.scope,
        once.request_id,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?;
    match row {
        None => Ok(None),
        Some(row) if row.fingerprint == once.fingerprint => Ok(Some(row.response.into())),
        Some(_) => Err(StoreError::Conflict { reason: "request id was used for another request" }),
    }
}

/// For the beginning of a write: keeps its answer, or gives what to answer instead if it is a repeat. A repeat
/// that comes while the first is under way waits here for its outcome; if the write is refused later, its
/// transaction is rolled back, and the answer with it.
pub(crate) async fn claim<T>(
    connection: &mut PgConnection,
    remember: Option<&Remember>,
    at: Timestamp,
) -> Result<Option<Written<T>>> {
    let Some(Remember { once, response }) = remember else { return Ok(None) };
    let claimed = sqlx::query!(
        "INSERT INTO requests (scope, request_id, fingerprint, response, at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (scope, request_id) DO NOTHING",
        once.scope,
        once.request_id,
        &once.fingerprint[..],
        &response[..],
        instant::to_sql(at),
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if claimed.rows_affected() == 1 {
        return Ok(None);
    }
    match recall(connection, once).await? {
        Some(answer) => Ok(Some(Written::Replayed(answer))),
        // Forgotten between the two statements, as old as it was.
        None => Err(StoreError::unavailable("the first answer was just forgotten")),
    }
}

#[async_trait]
impl Requests for Postgres {
    async fn recall(&self, once: &Once) -> Result<Option<Bytes>> {
        once.check()?;
        recall(&self.pool, once).await
    }

    async fn remember(&self, remember: Remember, at: Timestamp) -> Result<Written<()>> {
        remember.check()?;
        let mut connection = self.pool.acquire().await.or_fault()?;
        let replayed = claim(&mut connection, Some(&remember), at).await?;
        Ok(replayed.unwrap_or(Written::Done(())))
    }

    async fn forget_requests(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let done = sqlx::query!(
            "DELETE FROM requests r USING \
             (SELECT scope, request_id FROM requests WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) old \
             WHERE r.scope = old.scope AND r.request_id = old.request_id",
            instant::to_sql(before),
            i64::from(limit),
        )
        .execute(&self.pool)
        .await
        .or_fault()?;
        Ok(done.rows_affected())
    }
}
