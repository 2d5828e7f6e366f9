//! The rows of telemetry: a log with one owner, and segments.

use async_trait::async_trait;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    LogEntry, OwnedLog, ReporterRow, Result, SealedSegments, SegmentRow, StoreError, TelemetryKind,
    TelemetryStore, Timestamp, Versioned,
    check::{self, Check},
};

use crate::{Postgres, fault::OrFault, instant};

/// That the log is still the caller's. Its row is held until the commit: another owner waits for it, and is then the
/// newer one.
pub(crate) async fn owned(connection: &mut PgConnection, epoch: i64) -> Result<()> {
    let row = sqlx::query!("SELECT epoch FROM telemetry_owner WHERE id = 0 FOR UPDATE")
        .fetch_optional(connection)
        .await
        .or_fault()?;
    match row.map_or(0, |row| row.epoch) {
        current if current == epoch => Ok(()),
        current => Err(StoreError::Stale { of: Versioned::Epoch, current }),
    }
}

async fn append(connection: &mut PgConnection, entry: &LogEntry) -> Result<()> {
    let content = &entry.content[..];
    sqlx::query!(
        "INSERT INTO telemetry_log (number, content, kind) VALUES ($1, $2, $3)",
        entry.number,
        content,
        entry.kind.number(),
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    sqlx::query!("UPDATE telemetry_owner SET last_entry = $1 WHERE id = 0", entry.number)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(())
}

async fn insert_segments(connection: &mut PgConnection, segments: &[SegmentRow]) -> Result<()> {
    for segment in segments {
        let directory = &segment.directory[..];
        sqlx::query!(
            "INSERT INTO telemetry_segments \
             (uid, project, resolution, first, last, sample_count, object_bytes, directory, created, kind) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            segment.uid,
            segment.project,
            segment.resolution,
            instant::to_sql(segment.first),
            instant::to_sql(segment.last),
            segment.sample_count,
            segment.object_bytes,
            directory,
            instant::to_sql(segment.created),
            segment.kind.number(),
        )
        .execute(&mut *connection)
        .await
        .or_fault()?;
    }
    Ok(())
}

async fn keep_reporters(connection: &mut PgConnection, reporters: &[ReporterRow]) -> Result<()> {
    if reporters.is_empty() {
        return Ok(());
    }
    let projects: Vec<&str> = reporters.iter().map(|reporter| &reporter.project[..]).collect();
    let sources: Vec<&str> = reporters.iter().map(|reporter| &reporter.source[..]).collect();
    let incarnations: Vec<Uuid> = reporters.iter().map(|reporter| reporter.incarnation).collect();
    let sequences: Vec<i64> = reporters.iter().map(|reporter| reporter.sequence).collect();
    let updated: Vec<OffsetDateTime> =
        reporters.iter().map(|reporter| instant::to_sql(reporter.updated)).collect();
    sqlx::query!(
        "INSERT INTO telemetry_reporters (project, source, incarnation, sequence, updated) \
         SELECT project, source, incarnation, sequence, updated \
         FROM UNNEST($1::TEXT[], $2::TEXT[], $3::UUID[], $4::BIGINT[], $5::TIMESTAMPTZ[]) \
         AS new (project, source, incarnation, sequence, updated) \
         ON CONFLICT (project, source) DO UPDATE SET incarnation = EXCLUDED.incarnation, \
         sequence = EXCLUDED.sequence, updated = EXCLUDED.updated",
        &projects as _,
        &sources as _,
        &incarnations,
        &sequences,
        &updated,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

#[async_trait]
impl TelemetryStore for Postgres {
    async fn own_telemetry_log(&self, owner: &str, at: Timestamp, until: Timestamp) -> Result<OwnedLog> {
        check::text("owner", owner)?;
        let row = sqlx::query!(
            "INSERT INTO telemetry_owner AS o (id, owner, epoch, lease_until, last_entry) \
             VALUES (0, $1, 1, $2, 0) \
             ON CONFLICT (id) DO UPDATE SET owner = $1, epoch = o.epoch + 1, lease_until = $2 \
             WHERE o.lease_until <= $3 OR o.owner = $1 RETURNING epoch, last_entry",
            owner,
            instant::to_sql(until),
            instant::to_sql(at),
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?
        .ok_or(StoreError::AlreadyExists { what: "owner of the log" })?;
        Ok(OwnedLog { epoch: row.epoch, last_entry: row.last_entry })
    }

    async fn keep_telemetry_log(&self, epoch: i64, until: Timestamp) -> Result<()> {
        let mut transaction = self.begin().await?;
        owned(&mut transaction, epoch).await?;
        sqlx::query!("UPDATE telemetry_owner SET lease_until = $1 WHERE id = 0", instant::to_sql(until))
            .execute(&mut *transaction)
            .await
            .or_fault()?;
        transaction.commit().await.or_fault()
    }

    async fn leave_telemetry_log(&self, epoch: i64) -> Result<()> {
        sqlx::query!(
            "UPDATE telemetry_owner SET lease_until = '-infinity' WHERE id = 0 AND epoch = $1",
            epoch
        )
        .execute(&self.pool)
        .await
        .or_fault()?;
        Ok(())
    }

    async fn append_telemetry(&self, epoch: i64, entries: Vec<LogEntry>) -> Result<()> {
        entries.iter().try_for_each(Check::check)?;
        let mut transaction = self.begin().await?;
        owned(&mut transaction, epoch).await?;
        for entry in &entries {
            append(&mut transaction, entry).await?;
        }
        transaction.commit().await.or_fault()
    }

    async fn telemetry_log(&self, after: i64, limit: u32) -> Result<Vec<LogEntry>> {
        let rows = sqlx::query!(
            "SELECT number, content, kind FROM telemetry_log WHERE number > $1 ORDER BY number LIMIT $2",
            after,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?;
        let entries = rows.into_iter().map(|row| {
            let kind = TelemetryKind::from_number("telemetry_log", &row.number, row.kind)?;
            Ok(LogEntry { number: row.number, kind, content: row.content.into() })
        });
        entries.collect()
    }

    async fn seal_telemetry(&self, sealed: SealedSegments) -> Result<()> {
        sealed.check()?;
        let mut transaction = self.begin().await?;
        owned(&mut transaction, sealed.epoch).await?;
        sqlx::query!("DELETE FROM telemetry_segments WHERE uid = ANY($1)", &sealed.removed)
            .execute(&mut *transaction)
            .await
            .or_fault()?;
        insert_segments(&mut transaction, &sealed.added).await?;
        keep_reporters(&mut transaction, &sealed.reporters).await?;
        sqlx::query!(
            "DELETE FROM telemetry_log WHERE number <= $1 AND kind = $2",
            sealed.log_until,
            sealed.kind.number(),
        )
        .execute(&mut *transaction)
        .await
        .or_fault()?;
        transaction.commit().await.or_fault()
    }

    async fn list_telemetry_segments(&self, after: Uuid, limit: u32) -> Result<Vec<SegmentRow>> {
        let rows = sqlx::query!(
            "SELECT uid, project, resolution, first, last, sample_count, object_bytes, directory, created, kind \
             FROM telemetry_segments WHERE uid > $1 ORDER BY uid LIMIT $2",
            after,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?;
        let segments = rows.into_iter().map(|row| {
            Ok(SegmentRow {
                uid: row.uid,
                project: row.project,
                kind: TelemetryKind::from_number("telemetry_segments", &row.uid, row.kind)?,
                resolution: row.resolution,
                first: instant::from_sql(row.first),
                last: instant::from_sql(row.last),
                sample_count: row.sample_count,
                object_bytes: row.object_bytes,
                directory: row.directory.into(),
                created: instant::from_sql(row.created),
            })
        });
        segments.collect()
    }

    async fn list_telemetry_reporters(&self, since: Timestamp) -> Result<Vec<ReporterRow>> {
        let rows = sqlx::query!(
            "SELECT project, source, incarnation, sequence, updated FROM telemetry_reporters \
             WHERE updated >= $1",
            instant::to_sql(since),
        )
        .fetch_all(&self.pool)
        .await
        .or_fault()?;
        let reporters = rows.into_iter().map(|row| ReporterRow {
            project: row.project,
            source: row.source,
            incarnation: row.incarnation,
            sequence: row.sequence,
            updated: instant::from_sql(row.updated),
        });
        Ok(reporters.collect())
    }

    async fn forget_telemetry_reporters(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let done = sqlx::query!(
            "DELETE FROM telemetry_reporters WHERE (project, source) IN \
             (SELECT project, source FROM telemetry_reporters WHERE updated < $1 LIMIT $2)",
            instant::to_sql(before),
            i64::from(limit),
        )
        .execute(&self.pool)
        .await
        .or_fault()?;
        Ok(done.rows_affected())
    }
}
