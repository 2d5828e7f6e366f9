//! The rows of secrets.

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{
    NewSecret, Remember, Result, SealedSecret, SecretRow, SecretStore, SecretUpdate, StoreError, Timestamp,
    Versioned, Written,
    check::{self, Check},
};

use crate::{Sqlite, fault::OrFault, requests};

const MISSING: StoreError = StoreError::NotFound { what: "secret" };

/// A row as SQLite gives it, without the value.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    settings: Vec<u8>,
    version: i64,
    created: i64,
    updated: i64,
}

impl From<Record> for SecretRow {
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

async fn by_name(executor: impl SqliteExecutor<'_>, project: &str, id: &str) -> Result<SecretRow> {
    let record = sqlx::query_as!(
        Record,
        "SELECT uid, project, id, settings, version, created, updated FROM secrets \
         WHERE project = $1 AND id = $2",
        project,
        id,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?;
    Ok(record.ok_or(MISSING)?.into())
}

async fn create(connection: &mut SqliteConnection, new: &NewSecret) -> Result<SecretRow> {
    let (settings, sealed) = (&new.settings[..], &new.sealed[..]);
    let at = new.at.as_micros();
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO secrets (uid, project, id, settings, sealed, version, created, updated) \
         VALUES ($1, $2, $3, $4, $5, 1, $6, $6) ON CONFLICT (project, id) DO NOTHING \
         RETURNING uid, project, id, settings, version, created, updated",
        new.uid,
        new.project,
        new.id,
        settings,
        sealed,
        at,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?;
    Ok(record.ok_or(StoreError::AlreadyExists { what: "secret" })?.into())
}

async fn update(connection: &mut SqliteConnection, update: &SecretUpdate) -> Result<SecretRow> {
    let (settings, sealed) = (&update.settings[..], update.sealed.as_deref());
    let at = update.at.as_micros();
    let record = sqlx::query_as!(
        Record,
        "UPDATE secrets SET settings = $1, sealed = COALESCE($2, sealed), version = version + 1, updated = $3 \
         WHERE uid = $4 AND version = $5 RETURNING uid, project, id, settings, version, created, updated",
        settings,
        sealed,
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
    let current = sqlx::query!("SELECT version FROM secrets WHERE uid = $1", update.uid)
        .fetch_optional(connection)
        .await
        .or_fault()?
        .ok_or(MISSING)?
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
        "DELETE FROM secrets WHERE project = $1 AND id = $2 AND version = COALESCE($3, version)",
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
impl SecretStore for Sqlite {
    async fn create_secret(
        &self,
        secret: NewSecret,
        remember: Option<Remember>,
    ) -> Result<Written<SecretRow>> {
        secret.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = create(connection, &secret).await?;
                requests::keep(connection, remember.as_ref(), secret.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn get_secret(&self, project: &str, id: &str) -> Result<SecretRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.readers, project, id).await
    }

    async fn list_secrets(&self, project: &str, after: &str, limit: u32) -> Result<Vec<SecretRow>> {
        check::text("project", project)?;
        check::text("after", after)?;
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, settings, version, created, updated FROM secrets \
             WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3",
            project,
            after,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?;
        Ok(records.into_iter().map(SecretRow::from).collect())
    }

    async fn sealed_secret(&self, project: &str, id: &str) -> Result<SealedSecret> {
        check::text("project", project)?;
        check::text("id", id)?;
        let row = sqlx::query!(
            "SELECT uid, settings, sealed FROM secrets WHERE project = $1 AND id = $2",
            project,
            id,
        )
        .fetch_optional(&self.readers)
        .await
        .or_fault()?
        .ok_or(MISSING)?;
        Ok(SealedSecret { uid: row.uid, settings: row.settings.into(), sealed: row.sealed.into() })
    }

    async fn update_secret(&self, change: SecretUpdate) -> Result<SecretRow> {
        change.check()?;
        self.write(move |connection| Box::pin(async move { update(connection, &change).await })).await
    }

    async fn delete_secret(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<()> {
        check::text("project", project)?;
        check::text("id", id)?;
        let (project, id) = (project.to_owned(), id.to_owned());
        self.write(move |connection| {
            Box::pin(async move { delete(connection, &project, &id, expected_version).await })
        })
        .await
    }
}
