//! The rows of graphs: creating, finding, changing and deleting them.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{
    Checkpoint, Commit, GraphRow, GraphStore, GraphUpdate, JournalEntry, JournalLimit, NewGraph, Position,
    Remember, Result, Revision, StoreError, Swept, Timestamp, Versioned, Written,
    check::{self, Check},
    codec,
};

use crate::{Sqlite, checkpoint, fault::OrFault, journal, requests, source};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "graph" };

/// A row as SQLite gives it.
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
    created: i64,
    updated: i64,
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
            created: Timestamp::from_micros(record.created),
            updated: Timestamp::from_micros(record.updated),
            version: record.version,
        })
    }
}

async fn by_uid(executor: impl SqliteExecutor<'_>, uid: Uuid) -> Result<GraphRow> {
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

async fn by_name(executor: impl SqliteExecutor<'_>, project: &str, id: &str) -> Result<GraphRow> {
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

async fn create(connection: &mut SqliteConnection, graph: &NewGraph) -> Result<GraphRow> {
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
    let (labels, at) = (codec::labels_to_json(&graph.labels), graph.at.as_micros());
    sqlx::query!(
        "INSERT INTO graphs (uid, project, id, display_name, description, kind, labels, revision, \
         oldest_revision, node_count, edge_count, next_ordinal, created, updated, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 1, 0, 0, 0, $8, $8, 1)",
        graph.uid,
        graph.project,
        graph.id,
        graph.display_name,
        graph.description,
        graph.kind,
        labels,
        at,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    journal::insert(connection, graph.uid, 1, &graph.parts, graph.at, &graph.actor).await?;
    by_uid(connection, graph.uid).await
}

async fn update(connection: &mut SqliteConnection, update: &GraphUpdate) -> Result<GraphRow> {
    let (labels, at) = (codec::labels_to_json(&update.labels), update.at.as_micros());
    let changed = sqlx::query!(
        "UPDATE graphs SET display_name = $1, description = $2, labels = $3, updated = $4, \
         version = version + 1, revision = revision + 1 \
         WHERE uid = $5 AND revision = $6 AND version = COALESCE($7, version)",
        update.display_name,
        update.description,
        labels,
        at,
        update.uid,
        update.base_revision,
        update.expected_version,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    let row = by_uid(&mut *connection, update.uid).await?;
    if changed.rows_affected() == 0 {
        return Err(match update.expected_version {
            Some(expected) if expected != row.version => {
                StoreError::Stale { of: Versioned::Version, current: row.version }
            }
            _ => StoreError::Stale { of: Versioned::Revision, current: row.revision },
        });
    }
    journal::insert(connection, update.uid, row.revision, &update.parts, update.at, &update.actor).await?;
    Ok(row)
}

async fn delete(
    connection: &mut SqliteConnection,
    project: &str,
    id: &str,
    expected_version: Option<i64>,
) -> Result<GraphRow> {
    let row = by_name(&mut *connection, project, id).await?;
    if expected_version.is_some_and(|expected| expected != row.version) {
        return Err(StoreError::Stale { of: Versioned::Version, current: row.version });
    }
    sqlx::query!("DELETE FROM graph_names WHERE project = $1 AND id = $2", project, id)
        .execute(&mut *connection)
        .await
        .or_fault()?;
    source::delete_of(&mut *connection, row.uid).await?;
    sqlx::query!("DELETE FROM graphs WHERE uid = $1", row.uid).execute(&mut *connection).await.or_fault()?;
    sqlx::query!("INSERT INTO deleted_graphs (uid) VALUES ($1)", row.uid)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(row)
}

#[async_trait]
impl GraphStore for Sqlite {
    async fn create_graph(&self, graph: NewGraph, remember: Option<Remember>) -> Result<Written<GraphRow>> {
        graph.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = create(connection, &graph).await?;
                requests::keep(connection, remember.as_ref(), graph.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn get_graph(&self, project: &str, id: &str) -> Result<GraphRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.readers, project, id).await
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
            limit,
        )
        .fetch_all(&self.readers)
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
                .fetch_one(&self.readers)
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
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = update(connection, &change).await?;
                requests::keep(connection, remember.as_ref(), change.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn delete_graph(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<GraphRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        let (project, id) = (project.to_owned(), id.to_owned());
        self.write(move |connection| {
            Box::pin(async move { delete(connection, &project, &id, expected_version).await })
        })
        .await
    }

    async fn append(&self, commit: Commit, remember: Option<Remember>) -> Result<Written<i64>> {
        commit.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let revision = journal::append(connection, &commit).await?;
                requests::keep(connection, remember.as_ref(), commit.at).await?;
                Ok(Written::Done(revision))
            })
        })
        .await
    }

    async fn journal(&self, uid: Uuid, after: Position, limit: JournalLimit) -> Result<Vec<JournalEntry>> {
        journal::read(&self.readers, uid, after, limit).await
    }

    async fn revisions(&self, uids: &[Uuid]) -> Result<Vec<Revision>> {
        journal::revisions(&self.readers, uids).await
    }

    async fn save_checkpoint(&self, uid: Uuid, revision: i64, parts: Vec<Bytes>) -> Result<()> {
        checkpoint::save(self, uid, revision, parts).await
    }

    async fn load_checkpoint(&self, uid: Uuid) -> Result<Option<Checkpoint>> {
        checkpoint::load(&self.readers, uid).await
    }

    async fn checkpoint_part(&self, uid: Uuid, revision: i64, part: i32) -> Result<Bytes> {
        checkpoint::part(&self.readers, uid, revision, part).await
    }

    async fn trim_journal(&self, uid: Uuid, up_to_revision: i64) -> Result<u64> {
        journal::trim(self, uid, up_to_revision).await
    }

    async fn sweep_deleted(&self, limit: u32) -> Result<Swept> {
        journal::sweep(self, limit).await
    }
}
