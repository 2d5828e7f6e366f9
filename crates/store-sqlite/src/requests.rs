//! The answers to requests that may be repeated.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{SqliteConnection, SqliteExecutor};
use weft_store::{Once, Remember, Requests, Result, StoreError, Timestamp, Written, check::Check};

use crate::{Sqlite, fault::OrFault};

/// The answer to a request, if it was answered.
async fn recall(executor: impl SqliteExecutor<'_>, once: &Once) -> Result<Option<Bytes>> {
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

/// For the beginning of a write: what to answer instead, if it is a repeat.
pub(crate) async fn replay<T>(
    connection: &mut SqliteConnection,
    remember: Option<&Remember>,
) -> Result<Option<Written<T>>> {
    let Some(remember) = remember else { return Ok(None) };
    Ok(recall(connection, &remember.once).await?.map(Written::Replayed))
}

/// For the end of a write: keeps its answer.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    remember: Option<&Remember>,
    at: Timestamp,
) -> Result<()> {
    let Some(Remember { once, response }) = remember else { return Ok(()) };
    let (fingerprint, response, at) = (&once.fingerprint[..], &response[..], at.as_micros());
    sqlx::query!(
        "INSERT INTO requests (scope, request_id, fingerprint, response, at) VALUES ($1, $2, $3, $4, $5)",
        once.scope,
        once.request_id,
        fingerprint,
        response,
        at,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

#[async_trait]
impl Requests for Sqlite {
    async fn recall(&self, once: &Once) -> Result<Option<Bytes>> {
        once.check()?;
        recall(&self.readers, once).await
    }

    async fn remember(&self, remember: Remember, at: Timestamp) -> Result<Written<()>> {
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = replay(connection, Some(&remember)).await? {
                    return Ok(replayed);
                }
                keep(connection, Some(&remember), at).await?;
                Ok(Written::Done(()))
            })
        })
        .await
    }

    async fn forget_requests(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move {
                let before = before.as_micros();
                let done = sqlx::query!(
                    "DELETE FROM requests WHERE rowid IN \
                     (SELECT rowid FROM requests WHERE at < $1 ORDER BY at LIMIT $2)",
                    before,
                    limit,
                )
                .execute(connection)
                .await
                .or_fault()?;
                Ok(done.rows_affected())
            })
        })
        .await
    }
}
