//! The rows of secrets.

use async_trait::async_trait;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    NewSecret, Remember, Result, SealedSecret, SecretRow, SecretStore, SecretUpdate, StoreError, Versioned,
    Written,
    check::{self, Check},
};

use crate::{Postgres, fault::OrFault, instant, requests};

const MISSING: StoreError = StoreError::NotFound { what: "secret" };

/// A row as PostgreSQL gives it, without the value.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    settings: Vec<u8>,
    version: i64,
    created: OffsetDateTime,
    updated: OffsetDateTime,
}

impl From<Record> for SecretRow {
    fn from(record: Record) -> Self {
        Self {
            project: record.project,
            id: record.id,
            uid: record.uid,
            settings: record.settings.into(),
            version: record.version,
            created: instant::from_sql(record.created),
            updated: instant::from_sql(record.updated),
        }
    }
}

async fn by_name(executor: impl PgExecutor<'_>, project: &str, id: &str) -> Result<SecretRow> {
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

async fn create(connection: &mut PgConnection, new: &NewSecret) -> Result<SecretRow> {
    let (settings, sealed) = (&new.settings[..], &new.sealed[..]);
    let at = instant::to_sql(new.at);
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

async fn update(connection: &mut PgConnection, update: &SecretUpdate) -> Result<SecretRow> {
    let (settings, sealed) = (&update.settings[..], update.sealed.as_deref());
    let at = instant::to_sql(update.at);
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

async fn delete(connection: &mut PgConnection, project: &str, id: &str, expected: Option<i64>) -> Result<()> {
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
impl SecretStore for Postgres {
    async fn create_secret(
        &self,
        secret: NewSecret,
        remember: Option<Remember>,
    ) -> Result<Written<SecretRow>> {
        secret.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), secret.at).await? {
            return Ok(replayed);
        }
        let row = create(&mut transaction, &secret).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn get_secret(&self, project: &str, id: &str) -> Result<SecretRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.pool, project, id).await
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
            i64::from(limit),
        )
        .fetch_all(&self.pool)
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
        .fetch_optional(&self.pool)
        .await
        .or_fault()?
        .ok_or(MISSING)?;
        Ok(SealedSecret { uid: row.uid, settings: row.settings.into(), sealed: row.sealed.into() })
    }

    async fn update_secret(&self, change: SecretUpdate) -> Result<SecretRow> {
        change.check()?;
        let mut connection = self.pool.acquire().await.or_fault()?;
        update(&mut connection, &change).await
    }

    async fn delete_secret(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<()> {
        check::text("project", project)?;
        check::text("id", id)?;
        let mut connection = self.pool.acquire().await.or_fault()?;
        delete(&mut connection, project, id, expected_version).await
    }
}
