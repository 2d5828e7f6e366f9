//! The rows of alert rules and silences, and of how far the alerts of rules are.

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{
    AlertSettingKind, AlertSettingRow, AlertSettingUpdate, AlertStateRow, AlertStore, NewAlertSetting,
    Remember, Result, StoreError, Timestamp, Versioned, Written,
    check::{self, Check},
};

use crate::{Sqlite, fault::OrFault, requests, telemetry};

/// A row as SQLite gives it.
struct Record {
    uid: Uuid,
    kind: i32,
    project: String,
    id: String,
    settings: Vec<u8>,
    version: i64,
    created: i64,
    updated: i64,
}

impl From<Record> for AlertSettingRow {
    fn from(record: Record) -> Self {
        Self {
            kind: AlertSettingKind::from_number(record.kind),
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

async fn by_name(
    executor: impl SqliteExecutor<'_>,
    kind: AlertSettingKind,
    project: &str,
    id: &str,
) -> Result<AlertSettingRow> {
    let number = kind.number();
    let record = sqlx::query_as!(
        Record,
        "SELECT uid, kind, project, id, settings, version, created, updated FROM alert_settings \
         WHERE project = $1 AND kind = $2 AND id = $3",
        project,
        number,
        id,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?;
    Ok(record.ok_or(StoreError::NotFound { what: kind.what() })?.into())
}

async fn create(connection: &mut SqliteConnection, new: &NewAlertSetting) -> Result<AlertSettingRow> {
    let kind = new.kind.number();
    let settings = &new.settings[..];
    let at = new.at.as_micros();
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO alert_settings (uid, kind, project, id, settings, version, created, updated) \
         VALUES ($1, $2, $3, $4, $5, 1, $6, $6) ON CONFLICT (project, kind, id) DO NOTHING \
         RETURNING uid, kind, project, id, settings, version, created, updated",
        new.uid,
        kind,
        new.project,
        new.id,
        settings,
        at,
    )
    .fetch_optional(connection)
    .await
    .or_fault()?;
    Ok(record.ok_or(StoreError::AlreadyExists { what: new.kind.what() })?.into())
}

async fn update(connection: &mut SqliteConnection, update: &AlertSettingUpdate) -> Result<AlertSettingRow> {
    let settings = &update.settings[..];
    let at = update.at.as_micros();
    let record = sqlx::query_as!(
        Record,
        "UPDATE alert_settings SET settings = $1, version = version + 1, updated = $2 \
         WHERE uid = $3 AND version = $4 \
         RETURNING uid, kind, project, id, settings, version, created, updated",
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
    let current = sqlx::query!("SELECT version FROM alert_settings WHERE uid = $1", update.uid)
        .fetch_optional(connection)
        .await
        .or_fault()?
        .ok_or(StoreError::NotFound { what: "alert setting" })?
        .version;
    Err(StoreError::Stale { of: Versioned::Version, current })
}

async fn delete(
    connection: &mut SqliteConnection,
    kind: AlertSettingKind,
    project: &str,
    id: &str,
    expected: Option<i64>,
) -> Result<()> {
    let number = kind.number();
    let done = sqlx::query!(
        "DELETE FROM alert_settings WHERE project = $1 AND kind = $2 AND id = $3 \
         AND version = COALESCE($4, version)",
        project,
        number,
        id,
        expected,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    let current = by_name(connection, kind, project, id).await?.version;
    Err(StoreError::Stale { of: Versioned::Version, current })
}

#[async_trait]
impl AlertStore for Sqlite {
    async fn create_alert_setting(
        &self,
        setting: NewAlertSetting,
        remember: Option<Remember>,
    ) -> Result<Written<AlertSettingRow>> {
        setting.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = create(connection, &setting).await?;
                requests::keep(connection, remember.as_ref(), setting.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn get_alert_setting(
        &self,
        kind: AlertSettingKind,
        project: &str,
        id: &str,
    ) -> Result<AlertSettingRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.readers, kind, project, id).await
    }

    async fn list_alert_settings(
        &self,
        kind: AlertSettingKind,
        project: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<AlertSettingRow>> {
        check::text("project", project)?;
        check::text("after", after)?;
        let number = kind.number();
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, kind, project, id, settings, version, created, updated FROM alert_settings \
             WHERE project = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4",
            project,
            number,
            after,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?;
        Ok(records.into_iter().map(AlertSettingRow::from).collect())
    }

    async fn update_alert_setting(&self, change: AlertSettingUpdate) -> Result<AlertSettingRow> {
        change.check()?;
        self.write(move |connection| Box::pin(async move { update(connection, &change).await })).await
    }

    async fn delete_alert_setting(
        &self,
        kind: AlertSettingKind,
        project: &str,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<()> {
        check::text("project", project)?;
        check::text("id", id)?;
        let (project, id) = (project.to_owned(), id.to_owned());
        self.write(move |connection| {
            Box::pin(async move { delete(connection, kind, &project, &id, expected_version).await })
        })
        .await
    }

    async fn every_alert_setting(&self, after: Uuid, limit: u32) -> Result<Vec<AlertSettingRow>> {
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, kind, project, id, settings, version, created, updated FROM alert_settings \
             WHERE uid > $1 ORDER BY uid LIMIT $2",
            after,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?;
        Ok(records.into_iter().map(AlertSettingRow::from).collect())
    }

    async fn keep_alert_state(&self, epoch: i64, state: AlertStateRow) -> Result<()> {
        check::bytes("content", &state.content)?;
        self.write(move |connection| {
            Box::pin(async move {
                telemetry::owned(connection, epoch).await?;
                let content = &state.content[..];
                let done = sqlx::query!(
                    "INSERT INTO alert_states (rule, content) SELECT uid, $2 FROM alert_settings WHERE uid = $1 \
                     ON CONFLICT (rule) DO UPDATE SET content = excluded.content",
                    state.rule,
                    content,
                )
                .execute(connection)
                .await
                .or_fault()?;
                if done.rows_affected() == 0 {
                    return Err(StoreError::NotFound { what: "alert rule" });
                }
                Ok(())
            })
        })
        .await
    }

    async fn alert_states(&self, after: Uuid, limit: u32) -> Result<Vec<AlertStateRow>> {
        let rows = sqlx::query!(
            "SELECT rule, content FROM alert_states WHERE rule > $1 ORDER BY rule LIMIT $2",
            after,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?;
        Ok(rows
            .into_iter()
            .map(|row| AlertStateRow { rule: row.rule, content: row.content.into() })
            .collect())
    }
}
