//! The rows of command types.

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{
    CommandStore, CommandTypeRow, CommandTypeUpdate, NewCommandType, Remember, Result, StoreError, Timestamp,
    Versioned, Written,
    check::{self, Check},
};

use crate::{Sqlite, fault::OrFault, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "command type" };

/// A row as SQLite gives it.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    settings: Vec<u8>,
    version: i64,
    created: i64,
    updated: i64,
}

impl From<Record> for CommandTypeRow {
    fn from(record: Record) -> Self {
        Self {
            project: record.project,
            id: record.id,
            uid: record.uid,
            settings: record.settings.into(),
            version: record.version,
            created: Timestamp::from_micros(record.created),
            updated: Timestamp::from_micros(record.updated),
        }
    }
}

async fn by_name(executor: impl SqliteExecutor<'_>, project: &str, id: &str) -> Result<CommandTypeRow> {
    let record = sqlx::query_as!(
        Record,
        "SELECT uid, project, id, settings, version, created, updated FROM command_types \
         WHERE project = $1 AND id = $2",
        project,
        id,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?;
    Ok(record.ok_or(NOT_FOUND)?.into())
}

async fn create(connection: &mut SqliteConnection, new: &NewCommandType) -> Result<CommandTypeRow> {
    let settings = &new.settings[..];
    let at = new.at.as_micros();
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO command_types (uid, project, id, settings, version, created, updated) \
         VALUES ($1, $2, $3, $4, 1, $5, $5) ON CONFLICT (project, id) DO NOTHING \
         RETURNING uid, project, id, settings, version, created, updated",
        new.uid,
        new.project,
        new.id,
        settings,
        at,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?;
    Ok(record.ok_or(StoreError::AlreadyExists { what: "command type" })?.into())
}

async fn update(connection: &mut SqliteConnection, update: &CommandTypeUpdate) -> Result<CommandTypeRow> {
    let settings = &update.settings[..];
    let at = update.at.as_micros();
    let record = sqlx::query_as!(
        Record,
        "UPDATE command_types SET settings = $1, version = version + 1, updated = $2 \
         WHERE uid = $3 AND version = $4 \
         RETURNING uid, project, id, settings, version, created, updated",
        settings,
        at,
        update.uid,
        update.expected_version,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?;
    if let Some(record) = record {
        return Ok(record.into());
    }
    let current = sqlx::query!("SELECT version FROM command_types WHERE uid = $1", update.uid)
        .fetch_optional(connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?
        .version;
    Err(StoreError::Stale { of: Versioned::Version, current })
}

async fn delete(
    connection: &mut SqliteConnection,
    project: &str,
    id: &str,
    expected: Option<i64>,
) -> Result<()> {
    let done = sqlx::query!(
        "DELETE FROM command_types WHERE project = $1 AND id = $2 AND version = COALESCE($3, version)",
        project,
        id,
        expected,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    let current = by_name(connection, project, id).await?.version;
    Err(StoreError::Stale { of: Versioned::Version, current })
}

#[async_trait]
impl CommandStore for Sqlite {
    async fn create_command_type(
        &self,
        command_type: NewCommandType,
        remember: Option<Remember>,
    ) -> Result<Written<CommandTypeRow>> {
        command_type.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = create(connection, &command_type).await?;
                requests::keep(connection, remember.as_ref(), command_type.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn get_command_type(&self, project: &str, id: &str) -> Result<CommandTypeRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.readers, project, id).await
    }

    async fn list_command_types(
        &self,
        project: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<CommandTypeRow>> {
        check::text("project", project)?;
        check::text("after", after)?;
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, settings, version, created, updated FROM command_types \
             WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3",
            project,
            after,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?;
        Ok(records.into_iter().map(CommandTypeRow::from).collect())
    }

    async fn update_command_type(&self, change: CommandTypeUpdate) -> Result<CommandTypeRow> {
        change.check()?;
        self.write(move |connection| Box::pin(async move { update(connection, &change).await })).await
    }

    async fn delete_command_type(
        &self,
        project: &str,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<()> {
        check::text("project", project)?;
        check::text("id", id)?;
        let (project, id) = (project.to_owned(), id.to_owned());
        self.write(move |connection| {
            Box::pin(async move { delete(connection, &project, &id, expected_version).await })
        })
        .await
    }
}
