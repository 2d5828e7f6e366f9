//! What steps gave, kept for those that would do the same again.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use weft_store::{
    Areas, KeptResult, KeptResultStore, MostKept, Result, Timestamp,
    check::{self, Check},
};

use crate::{Sqlite, fault::OrFault};

async fn put(connection: &mut SqliteConnection, result: &KeptResult, most: MostKept) -> Result<()> {
    let (digest, bytes, size) = (&result.digest[..], &result.bytes[..], result.bytes.len() as i64);
    if size > most.bytes {
        return Ok(());
    }
    let (made, expires) = (result.made.as_micros(), result.expires.as_micros());
    sqlx::query!(
        "INSERT INTO kept_results (project, area, digest, bytes, size, maker, made, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (project, area, digest) DO UPDATE \
         SET bytes = excluded.bytes, size = excluded.size, maker = excluded.maker, made = excluded.made, \
         expires = excluded.expires",
        result.project,
        result.area,
        digest,
        bytes,
        size,
        result.maker,
        made,
        expires,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    // The newest first: what is beyond the bounds is older than what is within.
    sqlx::query!(
        "DELETE FROM kept_results WHERE project = $1 AND (area, digest) IN (SELECT area, digest FROM \
         (SELECT area, digest, ROW_NUMBER() OVER newest AS place, SUM(size) OVER newest AS so_far FROM kept_results \
         WHERE project = $1 WINDOW newest AS (ORDER BY made DESC, area, digest ROWS UNBOUNDED PRECEDING)) \
         WHERE place > $2 OR so_far > $3)",
        result.project,
        most.count,
        most.bytes,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn purge(
    connection: &mut SqliteConnection,
    project: &str,
    (one, below): (Option<&str>, Option<&str>),
) -> Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM kept_results WHERE project = $1 AND area = COALESCE($2, area) \
         AND substr(area, 1, length(COALESCE($3, ''))) = COALESCE($3, '')",
        project,
        one,
        below,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(gone.rows_affected())
}

async fn forget(connection: &mut SqliteConnection, now: Timestamp, limit: u32) -> Result<u64> {
    let now = now.as_micros();
    let gone = sqlx::query!(
        "DELETE FROM kept_results WHERE (project, area, digest) IN \
         (SELECT project, area, digest FROM kept_results WHERE expires <= $1 ORDER BY expires LIMIT $2)",
        now,
        limit,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(gone.rows_affected())
}

#[async_trait]
impl KeptResultStore for Sqlite {
    async fn get_result(
        &self,
        project: &str,
        area: &str,
        digest: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<KeptResult>> {
        check::text("project", project)?;
        check::text("area", area)?;
        let (key, at) = (&digest[..], now.as_micros());
        let found = sqlx::query!(
            "SELECT bytes, maker, made, expires FROM kept_results \
             WHERE project = $1 AND area = $2 AND digest = $3 AND expires > $4",
            project,
            area,
            key,
            at,
        )
        .fetch_optional(&self.readers)
        .await
        .or_fault()?;
        Ok(found.map(|row| KeptResult {
            project: project.to_owned(),
            area: area.to_owned(),
            digest,
            bytes: row.bytes.into(),
            maker: row.maker,
            made: Timestamp::from_micros(row.made),
            expires: Timestamp::from_micros(row.expires),
        }))
    }

    async fn put_result(&self, result: KeptResult, most: MostKept) -> Result<()> {
        result.check()?;
        self.write(move |connection| Box::pin(async move { put(connection, &result, most).await })).await
    }

    async fn forget_results(&self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| Box::pin(async move { forget(connection, now, limit).await })).await
    }

    async fn purge_results(&self, project: &str, areas: Areas<'_>) -> Result<u64> {
        check::text("project", project)?;
        let (one, below) = areas.parts();
        let (project, one, below) = (project.to_owned(), one.map(str::to_owned), below.map(str::to_owned));
        self.write(move |connection| {
            Box::pin(async move { purge(connection, &project, (one.as_deref(), below.as_deref())).await })
        })
        .await
    }
}
