//! The rows of analyses.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    AnalysisRow, AnalysisState, AnalysisStore, NewAnalysis, Remember, Result, StoreError, Timestamp, Written,
    check::{self, Check},
    codec,
};

use crate::{Postgres, fault::OrFault, instant, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "analysis" };

/// A row as PostgreSQL gives it.
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
    lease_until: OffsetDateTime,
    cancel_asked: bool,
    report: Vec<u8>,
    created: OffsetDateTime,
    started: Option<OffsetDateTime>,
    ended: Option<OffsetDateTime>,
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
            lease_until: instant::from_sql(record.lease_until),
            cancel_asked: record.cancel_asked,
            report: record.report.into(),
            created: instant::from_sql(record.created),
            started: record.started.map(instant::from_sql),
            ended: record.ended.map(instant::from_sql),
        })
    }
}

fn rows(records: Vec<Record>) -> Result<Vec<AnalysisRow>> {
    records.into_iter().map(AnalysisRow::try_from).collect()
}

async fn create(connection: &mut PgConnection, analysis: &NewAnalysis) -> Result<AnalysisRow> {
    let settings = &analysis.settings[..];
    let at = instant::to_sql(analysis.at);
    sqlx::query_as!(
        Record,
        "INSERT INTO analyses (uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
         owner, lease_until, cancel_asked, report, created, started, ended) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, '00000000-0000-0000-0000-000000000000', $8, FALSE, ''::BYTEA, $8, NULL, NULL) \
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
    executor: impl PgExecutor<'_>,
    owner: Uuid,
    at: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<AnalysisRow>> {
    let (at, lease_until) = (instant::to_sql(at), instant::to_sql(lease_until));
    sqlx::query_as!(
        Record,
        "UPDATE analyses SET state = 2, attempts = attempts + 1, owner = $1, lease_until = $2, started = $3 \
         WHERE uid = (SELECT uid FROM analyses WHERE state IN (1, 2) AND (state = 1 OR lease_until < $3) \
         ORDER BY created, uid LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING uid, project, graph, graph_uid, id, settings, creator, state, attempts, \
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
    executor: impl PgExecutor<'_>,
    uid: Uuid,
    owner: Uuid,
    lease_until: Timestamp,
    report: &[u8],
) -> Result<AnalysisRow> {
    let lease_until = instant::to_sql(lease_until);
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

async fn release(executor: impl PgExecutor<'_>, uid: Uuid, owner: Uuid) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE analyses SET state = 1, attempts = attempts - 1, owner = '00000000-0000-0000-0000-000000000000', started = NULL, report = ''::BYTEA \
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
    executor: impl PgExecutor<'_>,
    (uid, owner): (Uuid, Uuid),
    state: AnalysisState,
    report: &[u8],
    at: Timestamp,
) -> Result<AnalysisRow> {
    let (state, at) = (codec::analysis_state_to_number(state), instant::to_sql(at));
    sqlx::query_as!(
        Record,
        "UPDATE analyses SET state = $1, ended = $2, report = $3, owner = '00000000-0000-0000-0000-000000000000' \
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

async fn cancel(executor: impl PgExecutor<'_>, uid: Uuid, at: Timestamp) -> Result<AnalysisRow> {
    let at = instant::to_sql(at);
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

async fn delete(executor: impl PgExecutor<'_>, uid: Uuid) -> Result<()> {
    let done = sqlx::query!("DELETE FROM analyses WHERE uid = $1", uid).execute(executor).await.or_fault()?;
    if done.rows_affected() == 0 { Err(NOT_FOUND) } else { Ok(()) }
}

#[async_trait]
impl AnalysisStore for Postgres {
    async fn create_analysis(
        &self,
        analysis: NewAnalysis,
        remember: Option<Remember>,
    ) -> Result<Written<AnalysisRow>> {
        analysis.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), analysis.at).await? {
            return Ok(replayed);
        }
        let row = create(&mut transaction, &analysis).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
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
        .fetch_optional(&self.pool)
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
        let before = instant::to_sql(before);
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
                    i64::from(limit),
                )
                .fetch_all(&self.pool)
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
                    i64::from(limit),
                )
                .fetch_all(&self.pool)
                .await
            }
        };
        rows(records.or_fault()?)
    }

    async fn count_open_analyses(&self, project: &str) -> Result<u64> {
        check::text("project", project)?;
        let count = sqlx::query_scalar!(
            "SELECT COUNT(*) AS \"count!\" FROM analyses WHERE state IN (1, 2) AND project = $1",
            project,
        )
        .fetch_one(&self.pool)
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
        claim(&self.pool, owner, at, lease_until).await
    }

    async fn renew_analysis(
        &self,
        uid: Uuid,
        owner: Uuid,
        lease_until: Timestamp,
        report: Bytes,
    ) -> Result<AnalysisRow> {
        check::bytes("report", &report)?;
        renew(&self.pool, uid, owner, lease_until, &report).await
    }

    async fn release_analysis(&self, uid: Uuid, owner: Uuid) -> Result<()> {
        release(&self.pool, uid, owner).await
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
        end(&self.pool, (uid, owner), state, &report, at).await
    }

    async fn cancel_analysis(&self, uid: Uuid, at: Timestamp) -> Result<AnalysisRow> {
        cancel(&self.pool, uid, at).await
    }

    async fn delete_analysis(&self, uid: Uuid) -> Result<()> {
        delete(&self.pool, uid).await
    }

    async fn analyses_of(&self, graph_uid: Uuid, limit: u32) -> Result<Vec<Uuid>> {
        sqlx::query_scalar!(
            "SELECT uid FROM analyses WHERE graph_uid = $1 LIMIT $2",
            graph_uid,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()
    }

    async fn ended_analyses(&self, before: Timestamp, limit: u32) -> Result<Vec<Uuid>> {
        let before = instant::to_sql(before);
        sqlx::query_scalar!("SELECT uid FROM analyses WHERE ended < $1 LIMIT $2", before, i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .or_fault()
    }
}
