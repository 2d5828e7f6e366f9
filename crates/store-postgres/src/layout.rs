//! The rows of layouts.

use async_trait::async_trait;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    LayoutRow, LayoutStore, LayoutUpdate, NewLayout, Remember, Result, StoreError, Versioned, Written,
    check::{self, Check},
    codec,
};

use crate::{Postgres, fault::OrFault, instant, placement, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "layout" };

/// A row as PostgreSQL gives it.
struct Record {
    uid: Uuid,
    project: String,
    graph: String,
    graph_uid: Uuid,
    id: String,
    dimensions: i32,
    parameters: Vec<u8>,
    seed: i64,
    desired_state: i32,
    pins: Vec<u8>,
    version: i64,
    constraints: Vec<u8>,
    constraints_version: i64,
    created: OffsetDateTime,
    updated: OffsetDateTime,
}

impl TryFrom<Record> for LayoutRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        Ok(Self {
            desired_state: codec::desired_from_number(record.uid, record.desired_state)?,
            project: record.project,
            graph: record.graph,
            graph_uid: record.graph_uid,
            id: record.id,
            uid: record.uid,
            dimensions: record.dimensions,
            parameters: record.parameters.into(),
            seed: record.seed.cast_unsigned(),
            pins: record.pins.into(),
            version: record.version,
            constraints: record.constraints.into(),
            constraints_version: record.constraints_version,
            created: instant::from_sql(record.created),
            updated: instant::from_sql(record.updated),
        })
    }
}

fn rows(records: Vec<Record>) -> Result<Vec<LayoutRow>> {
    records.into_iter().map(LayoutRow::try_from).collect()
}

async fn by_name(executor: impl PgExecutor<'_>, project: &str, graph: &str, id: &str) -> Result<LayoutRow> {
    sqlx::query_as!(
        Record,
        "SELECT uid, project, graph, graph_uid, id, dimensions, parameters, seed, desired_state, pins, version, \
         constraints, constraints_version, created, updated \
         FROM layouts WHERE project = $1 AND graph = $2 AND id = $3",
        project,
        graph,
        id,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

async fn create(connection: &mut PgConnection, layout: &NewLayout) -> Result<LayoutRow> {
    let parameters = &layout.parameters[..];
    let seed = layout.seed.cast_signed();
    let desired_state = codec::desired_to_number(layout.desired_state);
    let at = instant::to_sql(layout.at);
    sqlx::query_as!(
        Record,
        "INSERT INTO layouts (uid, project, graph, graph_uid, id, dimensions, parameters, seed, desired_state, pins, \
         version, created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ''::BYTEA, 1, $10, $10) \
         ON CONFLICT (project, graph, id) DO NOTHING RETURNING uid, project, graph, graph_uid, id, dimensions, \
         parameters, seed, desired_state, pins, version, constraints, \
         constraints_version, created, updated",
        layout.uid,
        layout.project,
        layout.graph,
        layout.graph_uid,
        layout.id,
        layout.dimensions,
        parameters,
        seed,
        desired_state,
        at,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?
    .ok_or(StoreError::AlreadyExists { what: "layout" })?
    .try_into()
}

async fn update(connection: &mut PgConnection, update: &LayoutUpdate) -> Result<LayoutRow> {
    if let Some(epoch) = update.held {
        placement::held(&mut *connection, update.uid, epoch).await?;
    }
    let parameters = update.parameters.as_deref();
    let pins = update.pins.as_deref();
    let constraints = update.constraints.as_deref();
    let desired_state = update.desired_state.map(codec::desired_to_number);
    let at = instant::to_sql(update.at);
    let record = sqlx::query_as!(
        Record,
        "UPDATE layouts SET parameters = COALESCE($1, parameters), pins = COALESCE($2, pins), \
         desired_state = COALESCE($3, desired_state), \
         version = CASE WHEN $1::BYTEA IS NULL THEN version ELSE version + 1 END, \
         updated = CASE WHEN $1::BYTEA IS NULL THEN updated ELSE $4 END, \
         constraints = COALESCE($7, constraints), \
         constraints_version = constraints_version + CASE WHEN $7::BYTEA IS NULL THEN 0 ELSE 1 END \
         WHERE uid = $5 AND version = COALESCE($6, version) \
         AND constraints_version = COALESCE($8, constraints_version) RETURNING uid, project, graph, graph_uid, id, \
         dimensions, parameters, seed, desired_state, pins, version, constraints, \
         constraints_version, created, updated",
        parameters,
        pins,
        desired_state,
        at,
        update.uid,
        update.expected_version,
        constraints,
        update.expected_constraints_version,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?;
    if let Some(record) = record {
        return record.try_into();
    }
    let found = sqlx::query!("SELECT version, constraints_version FROM layouts WHERE uid = $1", update.uid)
        .fetch_optional(connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?;
    let parameters_differ = update.expected_version.is_some_and(|expected| expected != found.version);
    let current = if parameters_differ { found.version } else { found.constraints_version };
    Err(StoreError::Stale { of: Versioned::Version, current })
}

#[async_trait]
impl LayoutStore for Postgres {
    async fn create_layout(
        &self,
        layout: NewLayout,
        remember: Option<Remember>,
    ) -> Result<Written<LayoutRow>> {
        layout.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), layout.at).await? {
            return Ok(replayed);
        }
        let row = create(&mut transaction, &layout).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn get_layout(&self, project: &str, graph: &str, id: &str) -> Result<LayoutRow> {
        check::text("project", project)?;
        check::text("graph", graph)?;
        check::text("id", id)?;
        by_name(&self.pool, project, graph, id).await
    }

    async fn list_layouts(
        &self,
        project: &str,
        graph: Option<&str>,
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<LayoutRow>> {
        check::text("project", project)?;
        check::text("graph", graph.unwrap_or_default())?;
        check::text("after", after.0)?;
        check::text("after", after.1)?;
        let records = match graph {
            Some(graph) => {
                // Within one graph, the place after a pair depends on where its graph sorts.
                let after_id = match after.0.cmp(graph) {
                    std::cmp::Ordering::Less => "",
                    std::cmp::Ordering::Equal => after.1,
                    std::cmp::Ordering::Greater => return Ok(Vec::new()),
                };
                sqlx::query_as!(
                    Record,
                    "SELECT uid, project, graph, graph_uid, id, dimensions, parameters, seed, desired_state, pins, \
                     version, constraints, constraints_version, created, updated \
                     FROM layouts WHERE project = $1 AND graph = $2 AND id > $3 \
                     ORDER BY id LIMIT $4",
                    project,
                    graph,
                    after_id,
                    i64::from(limit),
                )
                .fetch_all(&self.pool)
                .await
            }
            None => {
                sqlx::query_as!(
                    Record,
                    "SELECT uid, project, graph, graph_uid, id, dimensions, parameters, seed, desired_state, pins, \
                     version, constraints, constraints_version, created, updated \
                     FROM layouts WHERE project = $1 AND (graph, id) > ($2, $3) \
                     ORDER BY graph, id LIMIT $4",
                    project,
                    after.0,
                    after.1,
                    i64::from(limit),
                )
                .fetch_all(&self.pool)
                .await
            }
        };
        rows(records.or_fault()?)
    }

    async fn running_layouts(&self, after: Uuid, limit: u32) -> Result<Vec<LayoutRow>> {
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, graph, graph_uid, id, dimensions, parameters, seed, desired_state, pins, version, \
             constraints, constraints_version, created, updated \
             FROM layouts WHERE desired_state = 1 AND uid > $1 ORDER BY uid LIMIT $2",
            after,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?;
        rows(records)
    }

    async fn update_layout(
        &self,
        change: LayoutUpdate,
        remember: Option<Remember>,
    ) -> Result<Written<LayoutRow>> {
        change.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), change.at).await? {
            return Ok(replayed);
        }
        let row = update(&mut transaction, &change).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn delete_layout(
        &self,
        project: &str,
        graph: &str,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<LayoutRow> {
        check::text("project", project)?;
        check::text("graph", graph)?;
        check::text("id", id)?;
        let record = sqlx::query_as!(
            Record,
            "DELETE FROM layouts WHERE project = $1 AND graph = $2 AND id = $3 AND version = COALESCE($4, version) \
             RETURNING uid, project, graph, graph_uid, id, dimensions, parameters, seed, desired_state, pins, \
             version, constraints, constraints_version, created, updated",
            project,
            graph,
            id,
            expected_version,
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?;
        if let Some(record) = record {
            return record.try_into();
        }
        let current = by_name(&self.pool, project, graph, id).await?.version;
        Err(StoreError::Stale { of: Versioned::Version, current })
    }

    async fn delete_layouts_of(&self, graph_uid: Uuid) -> Result<u64> {
        let done = sqlx::query!("DELETE FROM layouts WHERE graph_uid = $1", graph_uid)
            .execute(&self.pool)
            .await
            .or_fault()?;
        Ok(done.rows_affected())
    }
}
