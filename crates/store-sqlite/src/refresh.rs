//! The rows of refreshes: which one of a source runs, and what became of those before it.

use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{Begun, NewRefresh, RefreshRow, RefreshState, Result, StoreError, Timestamp, codec};

use crate::fault::OrFault;

const NOT_FOUND: StoreError = StoreError::NotFound { what: "refresh" };

/// A row as SQLite gives it.
pub(crate) struct Record {
    pub(crate) source_uid: Uuid,
    pub(crate) number: i64,
    pub(crate) state: i32,
    pub(crate) actor: String,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) lease_until: i64,
    pub(crate) cancel_asked: bool,
    pub(crate) report: Vec<u8>,
}

impl TryFrom<Record> for RefreshRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        Ok(Self {
            state: codec::refresh_state_from_number(record.source_uid, record.number, record.state)?,
            source_uid: record.source_uid,
            number: record.number,
            actor: record.actor,
            started: Timestamp::from_micros(record.started),
            ended: record.ended.map(Timestamp::from_micros),
            lease_until: Timestamp::from_micros(record.lease_until),
            cancel_asked: record.cancel_asked,
            report: record.report.into(),
        })
    }
}

/// Begins a refresh, unless one runs whose lease holds.
pub(crate) async fn begin(connection: &mut SqliteConnection, refresh: &NewRefresh) -> Result<Begun> {
    sqlx::query!("SELECT uid FROM sources WHERE uid = $1", refresh.source_uid)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?
        .ok_or(StoreError::NotFound { what: "source" })?;
    let at = refresh.at.as_micros();
    sqlx::query!(
        "UPDATE refreshes SET state = 5, ended = lease_until \
         WHERE source_uid = $1 AND state = 1 AND lease_until < $2",
        refresh.source_uid,
        at,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    let newest = list(&mut *connection, refresh.source_uid, 0, 1).await?.pop();
    let number = match newest {
        Some(newest) if newest.state == RefreshState::Running => return Ok(Begun::Busy(newest)),
        Some(newest) => newest.number + 1,
        None => 1,
    };
    let lease_until = refresh.lease_until.as_micros();
    sqlx::query!(
        "INSERT INTO refreshes (source_uid, number, state, actor, started, lease_until, cancel_asked, report) \
         VALUES ($1, $2, 1, $3, $4, $5, 0, x'')",
        refresh.source_uid,
        number,
        refresh.actor,
        at,
        lease_until,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    // Numbers have no gaps, and all before this one have ended.
    let oldest = number - i64::from(refresh.keep);
    sqlx::query!("DELETE FROM refreshes WHERE source_uid = $1 AND number < $2", refresh.source_uid, oldest)
        .execute(&mut *connection)
        .await
        .or_fault()?;
    Ok(Begun::New(get(connection, refresh.source_uid, number).await?))
}

/// Moves the lease of one that runs.
pub(crate) async fn renew(
    connection: &mut SqliteConnection,
    source_uid: Uuid,
    number: i64,
    lease_until: Timestamp,
    report: &[u8],
) -> Result<RefreshRow> {
    let lease_until = lease_until.as_micros();
    sqlx::query_as!(
        Record,
        "UPDATE refreshes SET lease_until = $1, report = $2 WHERE source_uid = $3 AND number = $4 AND state = 1 \
         RETURNING source_uid, number, state, actor, started, ended, lease_until, cancel_asked, report",
        lease_until,
        report,
        source_uid,
        number,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

/// Ends one that runs.
pub(crate) async fn end(
    connection: &mut SqliteConnection,
    source_uid: Uuid,
    number: i64,
    state: RefreshState,
    report: &[u8],
    at: Timestamp,
) -> Result<RefreshRow> {
    let (state, at) = (codec::refresh_state_to_number(state), at.as_micros());
    sqlx::query_as!(
        Record,
        "UPDATE refreshes SET state = $1, ended = $2, report = $3 \
         WHERE source_uid = $4 AND number = $5 AND state = 1 \
         RETURNING source_uid, number, state, actor, started, ended, lease_until, cancel_asked, report",
        state,
        at,
        report,
        source_uid,
        number,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

/// Marks one that runs for its end.
pub(crate) async fn cancel(
    connection: &mut SqliteConnection,
    source_uid: Uuid,
    number: i64,
) -> Result<RefreshRow> {
    sqlx::query_as!(
        Record,
        "UPDATE refreshes SET cancel_asked = cancel_asked OR state = 1 WHERE source_uid = $1 AND number = $2 \
         RETURNING source_uid, number, state, actor, started, ended, lease_until, cancel_asked, report",
        source_uid,
        number,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

/// The one of that number.
pub(crate) async fn get(
    executor: impl SqliteExecutor<'_>,
    source_uid: Uuid,
    number: i64,
) -> Result<RefreshRow> {
    sqlx::query_as!(
        Record,
        "SELECT source_uid, number, state, actor, started, ended, lease_until, cancel_asked, report \
         FROM refreshes WHERE source_uid = $1 AND number = $2",
        source_uid,
        number,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

/// Those of a source before a number (all when 0), newest first.
pub(crate) async fn list(
    executor: impl SqliteExecutor<'_>,
    source_uid: Uuid,
    before: i64,
    limit: u32,
) -> Result<Vec<RefreshRow>> {
    let before = if before == 0 { i64::MAX } else { before };
    sqlx::query_as!(
        Record,
        "SELECT source_uid, number, state, actor, started, ended, lease_until, cancel_asked, report \
         FROM refreshes WHERE source_uid = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
        source_uid,
        before,
        limit,
    )
    .fetch_all(executor)
    .await
    .or_fault()?
    .into_iter()
    .map(RefreshRow::try_from)
    .collect()
}
