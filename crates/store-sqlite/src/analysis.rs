//! The rows of analyses.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{
    AnalysisRow, AnalysisState, AnalysisStore, NewAnalysis, Remember, Result, StoreError, Timestamp, Written,
    check::{self, Check},
    codec,
};

use crate::{Sqlite, fault::OrFault, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "analysis" };

/// A row as SQLite gives it.
struct Record {
    uid: Uuid,
    project: String,
    graph: String,
    graph_uid: Uuid,
    id: String,
    settings: Vec<u8>,
    creator: String,
    state: i32,
    attempts: i32,
    owner: Uuid,
    lease_until: i64,
    cancel_asked: bool,
    report: Vec<u8>,
    created: i64,
    started: Option<i64>,
    ended: Option<i64>,
}

impl TryFrom<Record> for AnalysisRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        Ok(Self {
            state: codec::analysis_state_from_number(record.uid, record.state)?,
            project: record.project,
            graph: record.graph,
            graph_uid: record.graph_uid,
            id: record.id,
            uid: record.uid,
            settings: record.settings.into(),
            creator: record.creator,
            attempts: record.attempts,
            owner: record.owner,
            lease_until: Timestamp::from_micros(record.lease_until),
            cancel_asked: record.cancel_asked,
            report: record.report.into(),
            created: Timestamp::from_micros(record.created),
            started: record.started.map(Timestamp::from_micros),
            ended: record.ended.map(Timestamp::from_micros),
        })
    }
}

fn rows(records: Vec<Record>) -> Result<Vec<AnalysisRow>> {
    records.into_iter().map(AnalysisRow::try_from).collect()
}

async fn create(connection: &mut SqliteConnection, analysis: &NewAnalysis) -> Result<AnalysisRow> {
    let settings = &analysis.settings[..];
    let at = analysis.at.as_micros();
    sqlx::query_as!(
        Record,
        "INSERT INTO analyses (uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
         owner, lease_until, cancel_asked, report, created, started, ended) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, zeroblob(16), $8, 0, x'', $8, NULL, NULL) \
         ON CONFLICT (project, graph, id) DO NOTHING RETURNING uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
         owner, lease_until, cancel_asked, report, created, started, ended",
        analysis.uid,
        analysis.project,
        analysis.graph,
        analysis.graph_uid,
        analysis.id,
        settings,
        analysis.creator,
        at,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(StoreError::AlreadyExists { what: "analysis" })?
    .try_into()
}

async fn claim(
    executor: impl SqliteExecutor<'_>,
    owner: Uuid,
    at: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<AnalysisRow>> {
    let (at, lease_until) = (at.as_micros(), lease_until.as_micros());
    sqlx::query_as!(
        Record,
        "UPDATE analyses SET state = 2, attempts = attempts + 1, owner = $1, lease_until = $2, started = $3 \
         WHERE uid = (SELECT uid FROM analyses WHERE state IN (1, 2) AND (state = 1 OR lease_until < $3) \
         ORDER BY created, uid LIMIT 1) RETURNING uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
         owner, lease_until, cancel_asked, report, created, started, ended",
        owner,
        lease_until,
        at,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .map(AnalysisRow::try_from)
    .transpose()
}

async fn renew(
    executor: impl SqliteExecutor<'_>,
    uid: Uuid,
    owner: Uuid,
    lease_until: Timestamp,
    report: &[u8],
) -> Result<AnalysisRow> {
    let lease_until = lease_until.as_micros();
    sqlx::query_as!(
        Record,
        "UPDATE analyses SET lease_until = $1, report = $2 WHERE uid = $3 AND owner = $4 AND state = 2 \
         RETURNING uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
         owner, lease_until, cancel_asked, report, created, started, ended",
        lease_until,
        report,
        uid,
        owner,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

async fn release(executor: impl SqliteExecutor<'_>, uid: Uuid, owner: Uuid) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE analyses SET state = 1, attempts = attempts - 1, owner = zeroblob(16), started = NULL, report = x'' \
         WHERE uid = $1 AND owner = $2 AND state = 2",
        uid,
        owner,
    )
    .execute(executor)
    .await
    .or_fault()?;
    if done.rows_affected() == 0 { Err(NOT_FOUND) } else { Ok(()) }
}

async fn end(
    executor: impl SqliteExecutor<'_>,
    (uid, owner): (Uuid, Uuid),
    state: AnalysisState,
    report: &[u8],
    at: Timestamp,
) -> Result<AnalysisRow> {
    let (state, at) = (codec::analysis_state_to_number(state), at.as_micros());
    sqlx::query_as!(
        Record,
        "UPDATE analyses SET state = $1, ended = $2, report = $3, owner = zeroblob(16) \
         WHERE uid = $4 AND owner = $5 AND state = 2 RETURNING uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
         owner, lease_until, cancel_asked, report, created, started, ended",
        state,
        at,
        report,
        uid,
        owner,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

async fn cancel(executor: impl SqliteExecutor<'_>, uid: Uuid, at: Timestamp) -> Result<AnalysisRow> {
    let at = at.as_micros();
    sqlx::query_as!(
        Record,
        "UPDATE analyses SET cancel_asked = cancel_asked OR state IN (1, 2), \
         ended = CASE WHEN state = 1 THEN $1 ELSE ended END, \
         state = CASE WHEN state = 1 THEN 5 ELSE state END WHERE uid = $2 RETURNING uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
         owner, lease_until, cancel_asked, report, created, started, ended",
        at,
        uid,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

async fn delete(executor: impl SqliteExecutor<'_>, uid: Uuid) -> Result<()> {
    let done = sqlx::query!("DELETE FROM analyses WHERE uid = $1", uid).execute(executor).await.or_fault()?;
    if done.rows_affected() == 0 { Err(NOT_FOUND) } else { Ok(()) }
}

#[async_trait]
impl AnalysisStore for Sqlite {
    async fn create_analysis(
        &self,
        analysis: NewAnalysis,
        remember: Option<Remember>,
    ) -> Result<Written<AnalysisRow>> {
        analysis.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = create(connection, &analysis).await?;
                requests::keep(connection, remember.as_ref(), analysis.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn get_analysis(&self, project: &str, graph: &str, id: &str) -> Result<AnalysisRow> {
        check::text("project", project)?;
        check::text("graph", graph)?;
        check::text("id", id)?;
        sqlx::query_as!(
            Record,
            "SELECT uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
             owner, lease_until, cancel_asked, report, created, started, ended FROM analyses \
             WHERE project = $1 AND graph = $2 AND id = $3",
            project,
            graph,
            id,
        )
        .fetch_optional(&self.readers)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?
        .try_into()
    }

    async fn list_analyses(
        &self,
        project: &str,
        graph: Option<&str>,
        before: Option<(Timestamp, Uuid)>,
        limit: u32,
    ) -> Result<Vec<AnalysisRow>> {
        check::text("project", project)?;
        check::text("graph", graph.unwrap_or_default())?;
        let (before, uid) = before.unwrap_or((Timestamp::MAX, Uuid::max()));
        let before = before.as_micros();
        let records = match graph {
            Some(graph) => {
                sqlx::query_as!(
                    Record,
                    "SELECT uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
                     owner, lease_until, cancel_asked, report, created, started, ended FROM analyses \
                     WHERE project = $1 AND graph = $2 AND (created, uid) < ($3, $4) ORDER BY created DESC, uid DESC LIMIT $5",
                    project,
                    graph,
                    before,
                    uid,
                    limit,
                )
                .fetch_all(&self.readers)
                .await
            }
            None => {
                sqlx::query_as!(
                    Record,
                    "SELECT uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
                     owner, lease_until, cancel_asked, report, created, started, ended FROM analyses \
                     WHERE project = $1 AND (created, uid) < ($2, $3) ORDER BY created DESC, uid DESC LIMIT $4",
                    project,
                    before,
                    uid,
                    limit,
                )
                .fetch_all(&self.readers)
                .await
            }
        };
        rows(records.or_fault()?)
    }

    async fn count_open_analyses(&self, project: &str) -> Result<u64> {
        check::text("project", project)?;
        let count = sqlx::query_scalar!(
            "SELECT COUNT(*) AS \"count!: i64\" FROM analyses WHERE state IN (1, 2) AND project = $1",
            project,
        )
        .fetch_one(&self.readers)
        .await
        .or_fault()?;
        Ok(count.cast_unsigned())
    }

    async fn claim_analysis(
        &self,
        owner: Uuid,
        at: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<AnalysisRow>> {
        self.write(move |connection| Box::pin(async move { claim(connection, owner, at, lease_until).await }))
            .await
    }

    async fn renew_analysis(
        &self,
        uid: Uuid,
        owner: Uuid,
        lease_until: Timestamp,
        report: Bytes,
    ) -> Result<AnalysisRow> {
        check::bytes("report", &report)?;
        self.write(move |connection| {
            Box::pin(async move { renew(connection, uid, owner, lease_until, &report).await })
        })
        .await
    }

    async fn release_analysis(&self, uid: Uuid, owner: Uuid) -> Result<()> {
        self.write(move |connection| Box::pin(async move { release(connection, uid, owner).await })).await
    }

    async fn end_analysis(
        &self,
        uid: Uuid,
        owner: Uuid,
        state: AnalysisState,
        report: Bytes,
        at: Timestamp,
    ) -> Result<AnalysisRow> {
        check::bytes("report", &report)?;
        if matches!(state, AnalysisState::Pending | AnalysisState::Running) {
            return Err(StoreError::Invalid { field: "state", reason: "is no end" });
        }
        self.write(move |connection| {
            Box::pin(async move { end(connection, (uid, owner), state, &report, at).await })
        })
        .await
    }

    async fn cancel_analysis(&self, uid: Uuid, at: Timestamp) -> Result<AnalysisRow> {
        self.write(move |connection| Box::pin(async move { cancel(connection, uid, at).await })).await
    }

    async fn delete_analysis(&self, uid: Uuid) -> Result<()> {
        self.write(move |connection| Box::pin(async move { delete(connection, uid).await })).await
    }

    async fn analyses_of(&self, graph_uid: Uuid, limit: u32) -> Result<Vec<Uuid>> {
        sqlx::query_scalar!("SELECT uid FROM analyses WHERE graph_uid = $1 LIMIT $2", graph_uid, limit)
            .fetch_all(&self.readers)
            .await
            .or_fault()
    }

    async fn ended_analyses(&self, before: Timestamp, limit: u32) -> Result<Vec<Uuid>> {
        let before = before.as_micros();
        sqlx::query_scalar!("SELECT uid FROM analyses WHERE ended < $1 LIMIT $2", before, limit)
            .fetch_all(&self.readers)
            .await
            .or_fault()
    }
}
