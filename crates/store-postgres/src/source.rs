//! The rows of sources.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    Begun, NewRefresh, NewSource, RefreshRow, RefreshState, Remember, Result, SourceRow, SourceStore,
    SourceUpdate, StoreError, Timestamp, Versioned, Written,
    check::{self, Check},
};

use crate::{Postgres, fault::OrFault, instant, refresh, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "source" };

/// A row with its newest refresh, whose columns are all absent where there was none, as PostgreSQL gives it.
struct Record {
    uid: Uuid,
    graph_uid: Uuid,
    id: String,
    settings: Vec<u8>,
    version: i64,
    created: OffsetDateTime,
    updated: OffsetDateTime,
    number: Option<i64>,
    state: Option<i32>,
    actor: Option<String>,
    started: Option<OffsetDateTime>,
    ended: Option<OffsetDateTime>,
    lease_until: Option<OffsetDateTime>,
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
            created: instant::from_sql(record.created),
            updated: instant::from_sql(record.updated),
        })
    }
}

async fn by_name(executor: impl PgExecutor<'_>, graph_uid: Uuid, id: &str) -> Result<SourceRow> {
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

async fn create(connection: &mut PgConnection, source: &NewSource) -> Result<SourceRow> {
    // Keeps the graph from being deleted meanwhile; does not keep anybody from appending to it.
    sqlx::query!("SELECT uid FROM graphs WHERE uid = $1 FOR KEY SHARE", source.graph_uid)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?
        .ok_or(StoreError::NotFound { what: "graph" })?;
    let done = sqlx::query!(
        "INSERT INTO sources (uid, graph_uid, id, settings, version, created, updated) \
         VALUES ($1, $2, $3, $4, 1, $5, $5) ON CONFLICT (graph_uid, id) DO NOTHING",
        source.uid,
        source.graph_uid,
        source.id,
        &source.settings[..],
        instant::to_sql(source.at),
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if done.rows_affected() == 0 {
        return Err(StoreError::AlreadyExists { what: "source" });
    }
    by_name(connection, source.graph_uid, &source.id).await
}

async fn update(connection: &mut PgConnection, update: &SourceUpdate) -> Result<SourceRow> {
    let changed = sqlx::query!(
        "UPDATE sources SET settings = $1, version = version + 1, updated = $2 \
         WHERE uid = $3 AND version = COALESCE($4, version) RETURNING graph_uid, id",
        &update.settings[..],
        instant::to_sql(update.at),
        update.uid,
        update.expected_version,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?;
    if let Some(changed) = changed {
        return by_name(connection, changed.graph_uid, &changed.id).await;
    }
    let current = sqlx::query!("SELECT version FROM sources WHERE uid = $1", update.uid)
        .fetch_optional(connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?
        .version;
    Err(StoreError::Stale { of: Versioned::Version, current })
}

async fn delete(
    connection: &mut PgConnection,
    graph_uid: Uuid,
    id: &str,
    expected_version: Option<i64>,
) -> Result<SourceRow> {
    // Read under a lock: nobody changes it, or begins a refresh, between the check and the deletion.
    sqlx::query!("SELECT uid FROM sources WHERE graph_uid = $1 AND id = $2 FOR UPDATE", graph_uid, id)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?;
    let row = by_name(&mut *connection, graph_uid, id).await?;
    if expected_version.is_some_and(|expected| expected != row.version) {
        return Err(StoreError::Stale { of: Versioned::Version, current: row.version });
    }
    sqlx::query!("DELETE FROM sources WHERE uid = $1", row.uid).execute(connection).await.or_fault()?;
    Ok(row)
}

/// Deletes all sources of a graph, for the transaction that deletes the graph.
pub(crate) async fn delete_of(connection: &mut PgConnection, graph_uid: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM sources WHERE graph_uid = $1", graph_uid)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(())
}

#[async_trait]
impl SourceStore for Postgres {
    async fn create_source(
        &self,
        source: NewSource,
        remember: Option<Remember>,
    ) -> Result<Written<SourceRow>> {
        source.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), source.at).await? {
            return Ok(replayed);
        }
        let row = create(&mut transaction, &source).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn get_source(&self, graph_uid: Uuid, id: &str) -> Result<SourceRow> {
        check::text("id", id)?;
        by_name(&self.pool, graph_uid, id).await
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
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?
        .into_iter()
        .map(SourceRow::try_from)
        .collect()
    }

    async fn count_sources(&self, graph_uid: Uuid) -> Result<u64> {
        let row =
            sqlx::query!(r#"SELECT COUNT(*) AS "count!: i64" FROM sources WHERE graph_uid = $1"#, graph_uid)
                .fetch_one(&self.pool)
                .await
                .or_fault()?;
        Ok(row.count as u64)
    }

    async fn update_source(&self, change: SourceUpdate) -> Result<SourceRow> {
        change.check()?;
        let mut transaction = self.begin().await?;
        let row = update(&mut transaction, &change).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }

    async fn delete_source(
        &self,
        graph_uid: Uuid,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<SourceRow> {
        check::text("id", id)?;
        let mut transaction = self.begin().await?;
        let row = delete(&mut transaction, graph_uid, id, expected_version).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }

    async fn begin_refresh(&self, new: NewRefresh) -> Result<Begun> {
        new.check()?;
        let mut transaction = self.begin().await?;
        let begun = refresh::begin(&mut transaction, &new).await?;
        transaction.commit().await.or_fault()?;
        Ok(begun)
    }

    async fn renew_refresh(
        &self,
        source_uid: Uuid,
        number: i64,
        lease_until: Timestamp,
        report: Bytes,
    ) -> Result<RefreshRow> {
        check::bytes("report", &report)?;
        refresh::renew(&self.pool, source_uid, number, lease_until, &report).await
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
        refresh::end(&self.pool, source_uid, number, state, &report, at).await
    }

    async fn cancel_refresh(&self, source_uid: Uuid, number: i64) -> Result<RefreshRow> {
        refresh::cancel(&self.pool, source_uid, number).await
    }

    async fn get_refresh(&self, source_uid: Uuid, number: i64) -> Result<RefreshRow> {
        refresh::get(&self.pool, source_uid, number).await
    }

    async fn list_refreshes(&self, source_uid: Uuid, before: i64, limit: u32) -> Result<Vec<RefreshRow>> {
        refresh::list(&self.pool, source_uid, before, limit).await
    }
}
