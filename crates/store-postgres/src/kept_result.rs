//! What steps gave, kept for those that would do the same again.

use async_trait::async_trait;
use sqlx::PgConnection;
use weft_store::{
    Areas, KeptResult, KeptResultStore, MostKept, Result, Timestamp,
    check::{self, Check},
};

use crate::{Postgres, fault::OrFault, instant};

async fn put(connection: &mut PgConnection, result: &KeptResult, most: MostKept) -> Result<()> {
    let (digest, bytes, size) = (&result.digest[..], &result.bytes[..], result.bytes.len() as i64);
    if size > most.bytes {
        return Ok(());
    }
    let (made, expires) = (instant::to_sql(result.made), instant::to_sql(result.expires));
    // Writes of one project one after the other: each counts what those before it have left.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 27)) AS lock", result.project)
        .fetch_one(&mut *connection)
        .await
        .or_fault()?;
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
         WHERE project = $1 WINDOW newest AS (ORDER BY made DESC, area, digest ROWS UNBOUNDED PRECEDING)) AS counted \
         WHERE place > $2::BIGINT OR so_far > $3::BIGINT)",
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
    connection: &mut PgConnection,
    project: &str,
    (one, below): (Option<&str>, Option<&str>),
) -> Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM kept_results WHERE project = $1 AND area = COALESCE($2::TEXT, area) \
         AND starts_with(area, COALESCE($3::TEXT, ''))",
        project,
        one,
        below,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(gone.rows_affected())
}

async fn forget(connection: &mut PgConnection, now: Timestamp, limit: u32) -> Result<u64> {
    let now = instant::to_sql(now);
    let gone = sqlx::query!(
        "DELETE FROM kept_results WHERE (project, area, digest) IN \
         (SELECT project, area, digest FROM kept_results WHERE expires <= $1 ORDER BY expires LIMIT $2)",
        now,
        i64::from(limit),
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(gone.rows_affected())
}

#[async_trait]
impl KeptResultStore for Postgres {
    async fn get_result(
        &self,
        project: &str,
        area: &str,
        digest: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<KeptResult>> {
        check::text("project", project)?;
        check::text("area", area)?;
        let (key, at) = (&digest[..], instant::to_sql(now));
        let found = sqlx::query!(
            "SELECT bytes, maker, made, expires FROM kept_results \
             WHERE project = $1 AND area = $2 AND digest = $3 AND expires > $4",
            project,
            area,
            key,
            at,
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?;
        Ok(found.map(|row| KeptResult {
            project: project.to_owned(),
            area: area.to_owned(),
            digest,
            bytes: row.bytes.into(),
            maker: row.maker,
            made: instant::from_sql(row.made),
            expires: instant::from_sql(row.expires),
        }))
    }

    async fn put_result(&self, result: KeptResult, most: MostKept) -> Result<()> {
        result.check()?;
        let mut transaction = self.begin().await?;
        put(&mut transaction, &result, most).await?;
        transaction.commit().await.or_fault()
    }

    async fn forget_results(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let mut transaction = self.begin().await?;
        let gone = forget(&mut transaction, now, limit).await?;
        transaction.commit().await.or_fault()?;
        Ok(gone)
    }

    async fn purge_results(&self, project: &str, areas: Areas<'_>) -> Result<u64> {
        check::text("project", project)?;
        let mut transaction = self.begin().await?;
        let gone = purge(&mut transaction, project, areas.parts()).await?;
        transaction.commit().await.or_fault()?;
        Ok(gone)
    }
}
