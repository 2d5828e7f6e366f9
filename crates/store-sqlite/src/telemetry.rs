//! The rows of telemetry: a log with one owner, and segments.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use uuid::Uuid;
use weft_store::{
    LogEntry, OwnedLog, ReporterRow, Result, SealedSegments, SegmentRow, StoreError, TelemetryKind,
    TelemetryStore, Timestamp, Versioned,
    check::{self, Check},
};

use crate::{Sqlite, fault::OrFault};

/// That the log is still the caller's.
pub(crate) async fn owned(connection: &mut SqliteConnection, epoch: i64) -> Result<()> {
    let row = sqlx::query!("SELECT epoch FROM telemetry_owner WHERE id = 0")
        .fetch_optional(connection)
        .await
        .or_fault()?;
    match row.map_or(0, |row| row.epoch) {
        current if current == epoch => Ok(()),
        current => Err(StoreError::Stale { of: Versioned::Epoch, current }),
    }
}

async fn insert_segment(connection: &mut SqliteConnection, segment: &SegmentRow) -> Result<()> {
    let (first, last) = (segment.first.as_micros(), segment.last.as_micros());
    let created = segment.created.as_micros();
    let kind = segment.kind.number();
    let directory = &segment.directory[..];
    sqlx::query!(
        "INSERT INTO telemetry_segments \
         (uid, project, resolution, first, last, sample_count, object_bytes, directory, created, kind) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        segment.uid,
        segment.project,
        segment.resolution,
        first,
        last,
        segment.sample_count,
        segment.object_bytes,
        directory,
        created,
        kind,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn append(connection: &mut SqliteConnection, entry: &LogEntry) -> Result<()> {
    let (content, kind) = (&entry.content[..], entry.kind.number());
    sqlx::query!(
        "INSERT INTO telemetry_log (number, content, kind) VALUES ($1, $2, $3)",
        entry.number,
        content,
        kind,
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

async fn keep_reporter(connection: &mut SqliteConnection, reporter: &ReporterRow) -> Result<()> {
    let updated = reporter.updated.as_micros();
    sqlx::query!(
        "INSERT INTO telemetry_reporters (project, source, incarnation, sequence, updated) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project, source) \
         DO UPDATE SET incarnation = $3, sequence = $4, updated = $5",
        reporter.project,
        reporter.source,
        reporter.incarnation,
        reporter.sequence,
        updated,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn seal(connection: &mut SqliteConnection, sealed: &SealedSegments) -> Result<()> {
    owned(connection, sealed.epoch).await?;
    for uid in &sealed.removed {
        sqlx::query!("DELETE FROM telemetry_segments WHERE uid = $1", uid)
            .execute(&mut *connection)
            .await
            .or_fault()?;
    }
    for segment in &sealed.added {
        insert_segment(connection, segment).await?;
    }
    for reporter in &sealed.reporters {
        keep_reporter(connection, reporter).await?;
    }
    let kind = sealed.kind.number();
    sqlx::query!("DELETE FROM telemetry_log WHERE number <= $1 AND kind = $2", sealed.log_until, kind)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(())
}

#[async_trait]
impl TelemetryStore for Sqlite {
    async fn own_telemetry_log(&self, owner: &str, at: Timestamp, until: Timestamp) -> Result<OwnedLog> {
        check::text("owner", owner)?;
        let owner = owner.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let (at, until) = (at.as_micros(), until.as_micros());
                let row = sqlx::query!(
                    "INSERT INTO telemetry_owner (id, owner, epoch, lease_until, last_entry) \
                     VALUES (0, $1, 1, $2, 0) \
                     ON CONFLICT (id) DO UPDATE SET owner = $1, epoch = epoch + 1, lease_until = $2 \
                     WHERE lease_until <= $3 OR owner = $1 RETURNING epoch, last_entry",
                    owner,
                    until,
                    at,
                )
                .fetch_optional(connection)
                .await
                .or_fault()?
                .ok_or(StoreError::AlreadyExists { what: "owner of the log" })?;
                Ok(OwnedLog { epoch: row.epoch, last_entry: row.last_entry })
            })
        })
        .await
    }

    async fn keep_telemetry_log(&self, epoch: i64, until: Timestamp) -> Result<()> {
        self.write(move |connection| {
            Box::pin(async move {
                owned(connection, epoch).await?;
                let until = until.as_micros();
                sqlx::query!("UPDATE telemetry_owner SET lease_until = $1 WHERE id = 0", until)
                    .execute(connection)
                    .await
                    .or_fault()?;
                Ok(())
            })
        })
        .await
    }

    async fn leave_telemetry_log(&self, epoch: i64) -> Result<()> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query!("UPDATE telemetry_owner SET lease_until = 0 WHERE id = 0 AND epoch = $1", epoch)
                    .execute(connection)
                    .await
                    .or_fault()?;
                Ok(())
            })
        })
        .await
    }

    async fn append_telemetry(&self, epoch: i64, entries: Vec<LogEntry>) -> Result<()> {
        entries.iter().try_for_each(Check::check)?;
        self.write(move |connection| {
            Box::pin(async move {
                owned(connection, epoch).await?;
                for entry in &entries {
                    append(connection, entry).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn telemetry_log(&self, after: i64, limit: u32) -> Result<Vec<LogEntry>> {
        let rows = sqlx::query!(
            "SELECT number, content, kind FROM telemetry_log WHERE number > $1 ORDER BY number LIMIT $2",
            after,
            limit,
        )
        .fetch_all(&self.readers)
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
        self.write(move |connection| Box::pin(async move { seal(connection, &sealed).await })).await
    }

    async fn list_telemetry_segments(&self, after: Uuid, limit: u32) -> Result<Vec<SegmentRow>> {
        let rows = sqlx::query!(
            "SELECT uid, project, resolution, first, last, sample_count, object_bytes, directory, created, kind \
             FROM telemetry_segments WHERE uid > $1 ORDER BY uid LIMIT $2",
            after,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?;
        let segments = rows.into_iter().map(|row| {
            Ok(SegmentRow {
                uid: row.uid,
                project: row.project,
                kind: TelemetryKind::from_number("telemetry_segments", &row.uid, row.kind)?,
                resolution: row.resolution,
                first: Timestamp::from_micros(row.first),
                last: Timestamp::from_micros(row.last),
                sample_count: row.sample_count,
                object_bytes: row.object_bytes,
                directory: row.directory.into(),
                created: Timestamp::from_micros(row.created),
            })
        });
        segments.collect()
    }

    async fn list_telemetry_reporters(&self, since: Timestamp) -> Result<Vec<ReporterRow>> {
        let since = since.as_micros();
        let rows = sqlx::query!(
            "SELECT project, source, incarnation, sequence, updated FROM telemetry_reporters \
             WHERE updated >= $1",
            since,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()?;
        let reporters = rows.into_iter().map(|row| ReporterRow {
            project: row.project,
            source: row.source,
            incarnation: row.incarnation,
            sequence: row.sequence,
            updated: Timestamp::from_micros(row.updated),
        });
        Ok(reporters.collect())
    }

    async fn forget_telemetry_reporters(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move {
                let before = before.as_micros();
                let done = sqlx::query!(
                    "DELETE FROM telemetry_reporters WHERE (project, source) IN \
                     (SELECT project, source FROM telemetry_reporters WHERE updated < $1 LIMIT $2)",
                    before,
                    limit,
                )
                .execute(connection)
                .await
                .or_fault()?;
                Ok(done.rows_affected())
            })
        })
        .await
    }
}
