//! The rows of graphs: creating, finding, changing and deleting them.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    Checkpoint, Commit, GraphRow, GraphStore, GraphUpdate, JournalEntry, JournalLimit, NewGraph, Position,
    Remember, Result, Revision, StoreError, Swept, Versioned, Written,
    check::{self, Check},
    codec,
};

use crate::{Postgres, checkpoint, fault::OrFault, instant, journal, requests, source};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "graph" };

/// A row as PostgreSQL gives it.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    display_name: String,
    description: String,
    kind: i32,
    labels: String,
    revision: i64,
    oldest_revision: i64,
    node_count: i64,
    edge_count: i64,
    next_ordinal: i64,
    created: OffsetDateTime,
    updated: OffsetDateTime,
    version: i64,
}

impl TryFrom<Record> for GraphRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        Ok(Self {
            labels: codec::labels_from_json(record.uid, &record.labels)?,
            project: record.project,
            id: record.id,
            uid: record.uid,
            display_name: record.display_name,
            description: record.description,
            kind: record.kind,
            revision: record.revision,
            oldest_revision: record.oldest_revision,
            node_count: record.node_count,
            edge_count: record.edge_count,
            next_ordinal: record.next_ordinal,
            created: instant::from_sql(record.created),
            updated: instant::from_sql(record.updated),
            version: record.version,
        })
    }
}

async fn by_uid(executor: impl PgExecutor<'_>, uid: Uuid) -> Result<GraphRow> {
    sqlx::query_as!(
        Record,
        "SELECT uid, project, id, display_name, description, kind, labels, revision, oldest_revision, node_count, \
         edge_count, next_ordinal, created, updated, version FROM graphs WHERE uid = $1",
        uid,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

async fn by_name(executor: impl PgExecutor<'_>, project: &str, id: &str) -> Result<GraphRow> {
    sqlx::query_as!(
        Record,
        "SELECT g.uid, g.project, g.id, g.display_name, g.description, g.kind, g.labels, g.revision, \
         g.oldest_revision, g.node_count, g.edge_count, g.next_ordinal, g.created, g.updated, g.version \
         FROM graph_names n JOIN graphs g ON g.uid = n.uid WHERE n.project = $1 AND n.id = $2",
        project,
        id,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?
    .ok_or(NOT_FOUND)?
    .try_into()
}

async fn create(connection: &mut PgConnection, graph: &NewGraph) -> Result<GraphRow> {
    let named = sqlx::query!(
        "INSERT INTO graph_names (project, id, uid) VALUES ($1, $2, $3) ON CONFLICT (project, id) DO NOTHING",
        graph.project,
        graph.id,
        graph.uid,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if named.rows_affected() == 0 {
        return Err(StoreError::AlreadyExists { what: "graph" });
    }
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO graphs (uid, project, id, display_name, description, kind, labels, revision, \
         oldest_revision, node_count, edge_count, next_ordinal, created, updated, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 1, 0, 0, 0, $8, $8, 1) RETURNING uid, project, id, display_name, \
         description, kind, labels, revision, oldest_revision, node_count, edge_count, next_ordinal, created, \
         updated, version",
        graph.uid,
        graph.project,
        graph.id,
        graph.display_name,
        graph.description,
        graph.kind,
        codec::labels_to_json(&graph.labels),
        instant::to_sql(graph.at),
    )
    .fetch_one(&mut *connection)
    .await
    .or_fault()?;
    journal::insert(connection, graph.uid, 1, &graph.parts, graph.at, &graph.actor).await?;
    record.try_into()
}

async fn update(connection: &mut PgConnection, update: &GraphUpdate) -> Result<GraphRow> {
    let record = sqlx::query_as!(
        Record,
        "UPDATE graphs SET display_name = $1, description = $2, labels = $3, updated = $4, \
         version = version + 1, revision = revision + 1 \
         WHERE uid = $5 AND revision = $6 AND version = COALESCE($7, version) RETURNING uid, project, id, \
         display_name, description, kind, labels, revision, oldest_revision, node_count, edge_count, \
         next_ordinal, created, updated, version",
        update.display_name,
        update.description,
        codec::labels_to_json(&update.labels),
        instant::to_sql(update.at),
        update.uid,
        update.base_revision,
        update.expected_version,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?;
    let Some(record) = record else {
        let row = by_uid(connection, update.uid).await?;
        return Err(match update.expected_version {
            Some(expected) if expected != row.version => {
                StoreError::Stale { of: Versioned::Version, current: row.version }
            }
            _ => StoreError::Stale { of: Versioned::Revision, current: row.revision },
        });
    };
    journal::insert(connection, update.uid, record.revision, &update.parts, update.at, &update.actor).await?;
    record.try_into()
}

async fn delete(
    connection: &mut PgConnection,
    project: &str,
    id: &str,
    expected_version: Option<i64>,
) -> Result<GraphRow> {
    let uid = by_name(&mut *connection, project, id).await?.uid;
    // Looked at again under a lock: nobody changes it between the check and the deletion.
    sqlx::query!("SELECT uid FROM graphs WHERE uid = $1 FOR UPDATE", uid)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?;
    let row = by_uid(&mut *connection, uid).await?;
    if expected_version.is_some_and(|expected| expected != row.version) {
        return Err(StoreError::Stale { of: Versioned::Version, current: row.version });
    }
    sqlx::query!("DELETE FROM graph_names WHERE project = $1 AND id = $2 AND uid = $3", project, id, uid)
        .execute(&mut *connection)
        .await
        .or_fault()?;
    source::delete_of(&mut *connection, uid).await?;
    sqlx::query!("DELETE FROM graphs WHERE uid = $1", uid).execute(&mut *connection).await.or_fault()?;
    sqlx::query!("INSERT INTO deleted_graphs (uid) VALUES ($1)", uid).execute(connection).await.or_fault()?;
    Ok(row)
}

#[async_trait]
impl GraphStore for Postgres {
    async fn create_graph(&self, graph: NewGraph, remember: Option<Remember>) -> Result<Written<GraphRow>> {
        graph.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), graph.at).await? {
            return Ok(replayed);
        }
        let row = create(&mut transaction, &graph).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn get_graph(&self, project: &str, id: &str) -> Result<GraphRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.pool, project, id).await
    }

    async fn list_graphs(&self, project: &str, after: &str, limit: u32) -> Result<Vec<GraphRow>> {
        check::text("project", project)?;
        check::text("after", after)?;
        sqlx::query_as!(
            Record,
            "SELECT g.uid, g.project, g.id, g.display_name, g.description, g.kind, g.labels, g.revision, \
             g.oldest_revision, g.node_count, g.edge_count, g.next_ordinal, g.created, g.updated, g.version \
             FROM graph_names n JOIN graphs g ON g.uid = n.uid WHERE n.project = $1 AND n.id > $2 \
             ORDER BY n.id LIMIT $3",
            project,
            after,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?
        .into_iter()
        .map(GraphRow::try_from)
        .collect()
    }

    async fn count_graphs(&self, project: &str) -> Result<u64> {
        check::text("project", project)?;
        let row =
            sqlx::query!(r#"SELECT COUNT(*) AS "count!: i64" FROM graph_names WHERE project = $1"#, project)
                .fetch_one(&self.pool)
                .await
                .or_fault()?;
        Ok(row.count as u64)
    }

    async fn update_graph(
        &self,
        change: GraphUpdate,
        remember: Option<Remember>,
    ) -> Result<Written<GraphRow>> {
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

    async fn delete_graph(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<GraphRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        let mut transaction = self.begin().await?;
        let row = delete(&mut transaction, project, id, expected_version).await?;
        transaction.commit().await.or_fault()?;
        Ok(row)
    }

    async fn append(&self, commit: Commit, remember: Option<Remember>) -> Result<Written<i64>> {
        commit.check()?;
        remember.check()?;
        if remember.is_none() && journal::is_small(&commit.parts) {
            return journal::append_small(&self.pool, &commit).await.map(Written::Done);
        }
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), commit.at).await? {
            return Ok(replayed);
        }
        let revision = journal::append(&mut transaction, &commit).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(revision))
    }

    async fn journal(&self, uid: Uuid, after: Position, limit: JournalLimit) -> Result<Vec<JournalEntry>> {
        journal::read(&self.pool, uid, after, limit).await
    }

    async fn revisions(&self, uids: &[Uuid]) -> Result<Vec<Revision>> {
        journal::revisions(&self.pool, uids).await
    }

    async fn save_checkpoint(&self, uid: Uuid, revision: i64, parts: Vec<Bytes>) -> Result<()> {
        checkpoint::save(self, uid, revision, &parts).await
    }

    async fn load_checkpoint(&self, uid: Uuid) -> Result<Option<Checkpoint>> {
        checkpoint::load(&self.pool, uid).await
    }

    async fn checkpoint_part(&self, uid: Uuid, revision: i64, part: i32) -> Result<Bytes> {
        checkpoint::part(&self.pool, uid, revision, part).await
    }

    async fn trim_journal(&self, uid: Uuid, up_to_revision: i64) -> Result<u64> {
        journal::trim(&self.pool, uid, up_to_revision).await
    }

    async fn sweep_deleted(&self, limit: u32) -> Result<Swept> {
        journal::sweep(self, limit).await
    }
}
