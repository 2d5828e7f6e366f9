//! The rows of projects' objects.

use async_trait::async_trait;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    LooseContent, NewProjectObject, Only, ProjectObjectRow, ProjectObjectStore, PutObject, Result,
    StoreError, Timestamp, Versioned,
    check::{self, Check},
};

use crate::{Postgres, fault::OrFault, instant};

const MISSING: StoreError = StoreError::NotFound { what: "object" };

/// A row as PostgreSQL gives it.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    content: Uuid,
    size: i64,
    settings: Vec<u8>,
    version: i64,
    created: OffsetDateTime,
    updated: OffsetDateTime,
}

impl From<Record> for ProjectObjectRow {
    fn from(record: Record) -> Self {
        Self {
            uid: record.uid,
            project: record.project,
            id: record.id,
            content: record.content,
            size: record.size,
            settings: record.settings.into(),
            version: record.version,
            created: instant::from_sql(record.created),
            updated: instant::from_sql(record.updated),
        }
    }
}

async fn by_name(executor: impl PgExecutor<'_>, project: &str, id: &str) -> Result<ProjectObjectRow> {
    let record = sqlx::query_as!(
        Record,
        "SELECT uid, project, id, content, size, settings, version, created, updated FROM project_objects \
         WHERE project = $1 AND id = $2",
        project,
        id,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?;
    Ok(record.ok_or(MISSING)?.into())
}

/// Writes and deletions of one project one after the other: each counts, and sees, what those before it have left.
async fn lock(connection: &mut PgConnection, project: &str) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 23)) AS lock", project)
        .fetch_one(connection)
        .await
        .or_fault()?;
    Ok(())
}

/// Notes content of a project, or that it is otherwise than it was noted.
async fn note(
    connection: &mut PgConnection,
    project: &str,
    (content, size): (Uuid, i64),
    from: Timestamp,
) -> Result<()> {
    let since = instant::to_sql(from);
    sqlx::query!(
        "INSERT INTO loose_contents (content, project, size, since) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (content) DO UPDATE SET size = excluded.size, since = excluded.since",
        content,
        project,
        size,
        since,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

/// Whether so many bytes of some content fit beside all else that is stored for a project.
async fn fits(
    connection: &mut PgConnection,
    project: &str,
    (content, size): (Uuid, i64),
    most_bytes: i64,
) -> Result<bool> {
    let stored = sqlx::query!(
        "SELECT ((SELECT COALESCE(SUM(size), 0) FROM project_objects WHERE project = $1) + \
         (SELECT COALESCE(SUM(size), 0) FROM loose_contents WHERE project = $1 AND content <> $2))::BIGINT AS \"bytes!\"",
        project,
        content,
    )
    .fetch_one(connection)
    .await
    .or_fault()?;
    Ok(stored.bytes.checked_add(size).is_some_and(|bytes| bytes <= most_bytes))
}

async fn note_if_it_fits(connection: &mut PgConnection, loose: &LooseContent) -> Result<bool> {
    lock(connection, &loose.project).await?;
    let content = (loose.content, loose.size);
    let fits = fits(connection, &loose.project, content, loose.most_bytes).await?;
    if fits {
        note(connection, &loose.project, content, loose.from).await?;
    }
    Ok(fits)
}

async fn reschedule(connection: &mut PgConnection, content: Uuid, from: Timestamp) -> Result<bool> {
    let since = instant::to_sql(from);
    let noted = sqlx::query!("UPDATE loose_contents SET since = $2 WHERE content = $1", content, since)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(noted.rows_affected() > 0)
}

/// Whether what must be there for a write is.
fn holds(only: Only, there: Option<&ProjectObjectRow>) -> Result<()> {
    match (only, there) {
        (Only::Always, _) | (Only::IfAbsent, None) => Ok(()),
        (Only::IfAbsent, Some(_)) => Err(StoreError::AlreadyExists { what: "object" }),
        (Only::IfVersion(_), None) => Err(MISSING),
        (Only::IfVersion(expected), Some(row)) if expected == row.version => Ok(()),
        (Only::IfVersion(_), Some(row)) => {
            Err(StoreError::Stale { of: Versioned::Version, current: row.version })
        }
    }
}

async fn put(connection: &mut PgConnection, new: &NewProjectObject) -> Result<PutObject> {
    lock(connection, &new.project).await?;
    let there = match by_name(&mut *connection, &new.project, &new.id).await {
        Ok(row) => Some(row),
        Err(StoreError::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    holds(new.only, there.as_ref())?;
    let others = sqlx::query!(
        "SELECT COUNT(*) AS \"count!\" FROM project_objects WHERE project = $1 AND id <> $2",
        new.project,
        new.id,
    )
    .fetch_one(&mut *connection)
    .await
    .or_fault()?;
    if others.count >= new.most_objects {
        return Ok(PutObject::TooMany);
    }
    if !fits(connection, &new.project, (new.content, new.size), new.most_bytes).await? {
        return Ok(PutObject::TooLarge);
    }
    let noted = sqlx::query!("DELETE FROM loose_contents WHERE content = $1", new.content)
        .execute(&mut *connection)
        .await
        .or_fault()?;
    if noted.rows_affected() == 0 {
        return Err(StoreError::Conflict { reason: "the content is not noted any more" });
    }
    let settings = &new.settings[..];
    let at = instant::to_sql(new.at);
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO project_objects (uid, project, id, content, size, settings, version, created, updated) \
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7) ON CONFLICT (project, id) DO UPDATE \
         SET content = excluded.content, size = excluded.size, settings = excluded.settings, \
         version = project_objects.version + 1, updated = excluded.updated \
         RETURNING uid, project, id, content, size, settings, version, created, updated",
        new.uid,
        new.project,
        new.id,
        new.content,
        new.size,
        settings,
        at,
    )
    .fetch_one(&mut *connection)
    .await
    .or_fault()?;
    if let Some(before) = there {
        note(connection, &new.project, (before.content, before.size), new.loose_from).await?;
    }
    Ok(PutObject::Done(record.into()))
}

async fn delete(
    connection: &mut PgConnection,
    project: &str,
    id: &str,
    expected: Option<i64>,
    loose_from: Timestamp,
) -> Result<()> {
    lock(connection, project).await?;
    let gone = sqlx::query!(
        "DELETE FROM project_objects WHERE project = $1 AND id = $2 AND version = COALESCE($3, version) \
         RETURNING content, size",
        project,
        id,
        expected,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?;
    if let Some(gone) = gone {
        return note(connection, project, (gone.content, gone.size), loose_from).await;
    }
    let current = by_name(connection, project, id).await?.version;
    Err(StoreError::Stale { of: Versioned::Version, current })
}

async fn forget(connection: &mut PgConnection, content: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM loose_contents WHERE content = $1", content)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(())
}

#[async_trait]
impl ProjectObjectStore for Postgres {
    async fn note_loose_content(&self, content: LooseContent) -> Result<bool> {
        content.check()?;
        let mut transaction = self.begin().await?;
        let fits = note_if_it_fits(&mut transaction, &content).await?;
        transaction.commit().await.or_fault()?;
        Ok(fits)
    }

    async fn reschedule_loose_content(&self, content: Uuid, from: Timestamp) -> Result<bool> {
        let mut connection = self.pool.acquire().await.or_fault()?;
        reschedule(&mut connection, content, from).await
    }

    async fn put_object(&self, object: NewProjectObject) -> Result<PutObject> {
        object.check()?;
        let mut transaction = self.begin().await?;
        let put = put(&mut transaction, &object).await?;
        transaction.commit().await.or_fault()?;
        Ok(put)
    }

    async fn get_object(&self, project: &str, id: &str) -> Result<ProjectObjectRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.pool, project, id).await
    }

    async fn list_objects(
        &self,
        project: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ProjectObjectRow>> {
        check::text("project", project)?;
        check::text("prefix", prefix)?;
        check::text("after", after)?;
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, content, size, settings, version, created, updated FROM project_objects \
             WHERE project = $1 AND id > $2 AND id >= $3 AND starts_with(id, $3) ORDER BY id LIMIT $4",
            project,
            after,
            prefix,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?;
        Ok(records.into_iter().map(ProjectObjectRow::from).collect())
    }

    async fn delete_object(
        &self,
        project: &str,
        id: &str,
        expected_version: Option<i64>,
        loose_from: Timestamp,
    ) -> Result<()> {
        check::text("project", project)?;
        check::text("id", id)?;
        let mut transaction = self.begin().await?;
        delete(&mut transaction, project, id, expected_version, loose_from).await?;
        transaction.commit().await.or_fault()
    }

    async fn loose_contents(&self, at: Timestamp, limit: u32) -> Result<Vec<Uuid>> {
        let at = instant::to_sql(at);
        let rows = sqlx::query!(
            "SELECT content FROM loose_contents l WHERE since <= $1 \
             AND NOT EXISTS (SELECT 1 FROM project_objects o WHERE o.content = l.content) \
             ORDER BY since, content LIMIT $2",
            at,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?;
        Ok(rows.into_iter().map(|row| row.content).collect())
    }

    async fn forget_content(&self, content: Uuid) -> Result<()> {
        let mut connection = self.pool.acquire().await.or_fault()?;
        forget(&mut connection, content).await
    }
}
