//! The rows of sources.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{
    Begun, NewRefresh, NewSource, RefreshRow, RefreshState, Remember, Result, SourceRow, SourceStore,
    SourceUpdate, StoreError, Timestamp, Versioned, Written,
    check::{self, Check},
};

use crate::{Sqlite, fault::OrFault, refresh, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "source" };

/// A row with its newest refresh, whose columns are all absent where there was none, as SQLite gives it.
struct Record {
    uid: Uuid,
    graph_uid: Uuid,
    id: String,
    settings: Vec<u8>,
    version: i64,
    created: i64,
    updated: i64,
    number: Option<i64>,
    state: Option<i32>,
    actor: Option<String>,
    started: Option<i64>,
    ended: Option<i64>,
    lease_until: Option<i64>,
    cancel_asked: Option<bool>,
    report: Option<Vec<u8>>,
}

impl TryFrom<Record> for SourceRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        let newest = || {
            Some(refresh::Record {
                source_uid: record.uid,
                number: record.number?,
                state: record.state?,
                actor: record.actor?,
                started: record.started?,
                ended: record.ended,
                lease_until: record.lease_until?,
                cancel_asked: record.cancel_asked?,
                report: record.report?,
            })
        };
        Ok(Self {
            last_refresh: newest().map(RefreshRow::try_from).transpose()?,
            graph_uid: record.graph_uid,
            id: record.id,
            uid: record.uid,
            settings: record.settings.into(),
            version: record.version,
            created: Timestamp::from_micros(record.created),
            updated: Timestamp::from_micros(record.updated),
        })
    }
}

async fn by_name(executor: impl SqliteExecutor<'_>, graph_uid: Uuid, id: &str) -> Result<SourceRow> {
    sqlx::query_as!(
        Record,
        r#"SELECT s.uid, s.graph_uid, s.id, s.settings, s.version, s.created, s.updated, r.number AS "number?",
                  r.state AS "state?", r.actor AS "actor?", r.started AS "started?", r.ended AS "ended?",
                  r.lease_until AS "lease_until?", r.cancel_asked AS "cancel_asked?", r.report AS "report?"
           FROM sources s LEFT JOIN refreshes r ON r.source_uid = s.uid
                AND r.number = (SELECT MAX(n.number) FROM refreshes n WHERE n.source_uid = s.uid)
           WHERE s.graph_uid = $1 AND s.id = $2"#,
        graph_uid,
        id,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

async fn create(connection: &mut SqliteConnection, source: &NewSource) -> Result<SourceRow> {
    sqlx::query!("SELECT uid FROM graphs WHERE uid = $1", source.graph_uid)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?
        .ok_or(StoreError::NotFound { what: "graph" })?;
    let (settings, at) = (&source.settings[..], source.at.as_micros());
    let done = sqlx::query!(
        "INSERT INTO sources (uid, graph_uid, id, settings, version, created, updated) \
         VALUES ($1, $2, $3, $4, 1, $5, $5) ON CONFLICT (graph_uid, id) DO NOTHING",
        source.uid,
        source.graph_uid,
        source.id,
        settings,
        at,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if done.rows_affected() == 0 {
        return Err(StoreError::AlreadyExists { what: "source" });
    }
    by_name(connection, source.graph_uid, &source.id).await
}

async fn update(connection: &mut SqliteConnection, update: &SourceUpdate) -> Result<SourceRow> {
    let (settings, at) = (&update.settings[..], update.at.as_micros());
    let changed = sqlx::query!(
        "UPDATE sources SET settings = $1, version = version + 1, updated = $2 \
         WHERE uid = $3 AND version = COALESCE($4, version)",
        settings,
        at,
        update.uid,
        update.expected_version,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    let now = sqlx::query!("SELECT graph_uid, id, version FROM sources WHERE uid = $1", update.uid)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?;
    if changed.rows_affected() == 0 {
        return Err(StoreError::Stale { of: Versioned::Version, current: now.version });
    }
    by_name(connection, now.graph_uid, &now.id).await
}

async fn delete(
    connection: &mut SqliteConnection,
    graph_uid: Uuid,
    id: &str,
    expected_version: Option<i64>,
) -> Result<SourceRow> {
    let row = by_name(&mut *connection, graph_uid, id).await?;
    if expected_version.is_some_and(|expected| expected != row.version) {
        return Err(StoreError::Stale { of: Versioned::Version, current: row.version });
    }
    sqlx::query!("DELETE FROM sources WHERE uid = $1", row.uid).execute(connection).await.or_fault()?;
    Ok(row)
}

/// Deletes all sources of a graph, for the transaction that deletes the graph.
pub(crate) async fn delete_of(connection: &mut SqliteConnection, graph_uid: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM sources WHERE graph_uid = $1", graph_uid)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(())
}

#[async_trait]
impl SourceStore for Sqlite {
    async fn create_source(
        &self,
        source: NewSource,
        remember: Option<Remember>,
    ) -> Result<Written<SourceRow>> {
        source.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = create(connection, &source).await?;
                requests::keep(connection, remember.as_ref(), source.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn get_source(&self, graph_uid: Uuid, id: &str) -> Result<SourceRow> {
        check::text("id", id)?;
        by_name(&self.readers, graph_uid, id).await
    }

    async fn list_sources(&self, graph_uid: Uuid, after: &str, limit: u32) -> Result<Vec<SourceRow>> {
        check::text("after", after)?;
        sqlx::query_as!(
            Record,
            r#"SELECT s.uid, s.graph_uid, s.id, s.settings, s.version, s.created, s.updated,
                      r.number AS "number?", r.state AS "state?", r.actor AS "actor?", r.started AS "started?",
                      r.ended AS "ended?", r.lease_until AS "lease_until?", r.cancel_asked AS "cancel_asked?",
                      r.report AS "report?"
               FROM sources s LEFT JOIN refreshes r ON r.source_uid = s.uid
                    AND r.number = (SELECT MAX(n.number) FROM refreshes n WHERE n.source_uid = s.uid)
               WHERE s.graph_uid = $1 AND s.id > $2 ORDER BY s.id LIMIT $3"#,
            graph_uid,
            after,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?
        .into_iter()
        .map(SourceRow::try_from)
        .collect()
    }

    async fn count_sources(&self, graph_uid: Uuid) -> Result<u64> {
        let row =
            sqlx::query!(r#"SELECT COUNT(*) AS "count!: i64" FROM sources WHERE graph_uid = $1"#, graph_uid)
                .fetch_one(&self.readers)
                .await
                .or_fault()?;
        Ok(row.count as u64)
    }

    async fn update_source(&self, change: SourceUpdate) -> Result<SourceRow> {
        change.check()?;
        self.write(move |connection| Box::pin(async move { update(connection, &change).await })).await
    }

    async fn delete_source(
        &self,
        graph_uid: Uuid,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<SourceRow> {
        check::text("id", id)?;
        let id = id.to_owned();
        self.write(move |connection| {
            Box::pin(async move { delete(connection, graph_uid, &id, expected_version).await })
        })
        .await
    }

    async fn begin_refresh(&self, new: NewRefresh) -> Result<Begun> {
        new.check()?;
        self.write(move |connection| Box::pin(async move { refresh::begin(connection, &new).await })).await
    }

    async fn renew_refresh(
        &self,
        source_uid: Uuid,
        number: i64,
        lease_until: Timestamp,
        report: Bytes,
    ) -> Result<RefreshRow> {
        check::bytes("report", &report)?;
        self.write(move |connection| {
            Box::pin(
                async move { refresh::renew(connection, source_uid, number, lease_until, &report).await },
            )
        })
        .await
    }

    async fn end_refresh(
        &self,
        source_uid: Uuid,
        number: i64,
        state: RefreshState,
        report: Bytes,
        at: Timestamp,
    ) -> Result<RefreshRow> {
        check::end(state)?;
        check::bytes("report", &report)?;
        self.write(move |connection| {
            Box::pin(async move { refresh::end(connection, source_uid, number, state, &report, at).await })
        })
        .await
    }

    async fn cancel_refresh(&self, source_uid: Uuid, number: i64) -> Result<RefreshRow> {
        self.write(move |connection| {
            Box::pin(async move { refresh::cancel(connection, source_uid, number).await })
        })
        .await
    }

    async fn get_refresh(&self, source_uid: Uuid, number: i64) -> Result<RefreshRow> {
        refresh::get(&self.readers, source_uid, number).await
    }

    async fn list_refreshes(&self, source_uid: Uuid, before: i64, limit: u32) -> Result<Vec<RefreshRow>> {
        refresh::list(&self.readers, source_uid, before, limit).await
    }
}
