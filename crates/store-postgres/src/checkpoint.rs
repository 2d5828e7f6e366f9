//! Checkpoints: the whole of a graph in parts, replaced in one transaction.

use bytes::Bytes;
use sqlx::PgPool;
use uuid::Uuid;
use weft_store::{Checkpoint, Result, StoreError, Versioned, check, codec};

use crate::{Postgres, fault::OrFault};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "graph" };

/// Saves a checkpoint. Of several savers of one graph, the row in `checkpoints` lets one through at a time.
pub(crate) async fn save(store: &Postgres, uid: Uuid, revision: i64, parts: &[Bytes]) -> Result<()> {
    check::parts("parts", parts)?;
    let mut transaction = store.begin().await?;
    // The lock keeps the graph from being deleted meanwhile, but not from being appended to.
    let graph = sqlx::query!("SELECT revision FROM graphs WHERE uid = $1 FOR KEY SHARE", uid)
        .fetch_optional(&mut *transaction)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?;
    if revision < 1 || revision > graph.revision {
        return Err(StoreError::Invalid { field: "revision", reason: "the graph has no such revision" });
    }
    let newer = sqlx::query!(
        "INSERT INTO checkpoints (graph_uid, revision, part_count, bytes) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (graph_uid) DO UPDATE SET \
         revision = excluded.revision, part_count = excluded.part_count, bytes = excluded.bytes \
         WHERE checkpoints.revision < excluded.revision",
        uid,
        revision,
        parts.len() as i32,
        parts.iter().map(|part| part.len() as i64).sum::<i64>(),
    )
    .execute(&mut *transaction)
    .await
    .or_fault()?;
    if newer.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!("DELETE FROM checkpoint_parts WHERE graph_uid = $1", uid)
        .execute(&mut *transaction)
        .await
        .or_fault()?;
    for (part, bytes) in (0_i32..).zip(parts) {
        sqlx::query!(
            "INSERT INTO checkpoint_parts (graph_uid, revision, part, bytes) VALUES ($1, $2, $3, $4)",
            uid,
            revision,
            part,
            &bytes[..],
        )
        .execute(&mut *transaction)
        .await
        .or_fault()?;
    }
    transaction.commit().await.or_fault()
}

/// The checkpoint that counts.
pub(crate) async fn load(pool: &PgPool, uid: Uuid) -> Result<Option<Checkpoint>> {
    let checkpoint = sqlx::query_as!(
        Checkpoint,
        "SELECT c.revision, c.part_count, c.bytes FROM checkpoints c JOIN graphs g ON g.uid = c.graph_uid \
         WHERE c.graph_uid = $1",
        uid,
    )
    .fetch_optional(pool)
    .await
    .or_fault()?;
    if checkpoint.is_none() {
        sqlx::query!("SELECT uid FROM graphs WHERE uid = $1", uid)
            .fetch_optional(pool)
            .await
            .or_fault()?
            .ok_or(NOT_FOUND)?;
    }
    Ok(checkpoint)
}

/// One part of the checkpoint that counts.
pub(crate) async fn part(pool: &PgPool, uid: Uuid, revision: i64, part: i32) -> Result<Bytes> {
    let row = sqlx::query!(
        "SELECT p.bytes FROM checkpoint_parts p \
         JOIN graphs g ON g.uid = p.graph_uid \
         WHERE p.graph_uid = $1 AND p.revision = $2 AND p.part = $3",
        uid,
        revision,
        part,
    )
    .fetch_optional(pool)
    .await
    .or_fault()?;
    if let Some(row) = row {
        return Ok(row.bytes.into());
    }
    match load(pool, uid).await? {
        Some(now) if now.revision != revision => {
            Err(StoreError::Stale { of: Versioned::Checkpoint, current: now.revision })
        }
        Some(now) if (0..now.part_count).contains(&part) => {
            Err(codec::corrupt("checkpoint_parts", "part", format!("{uid}/{revision}/{part}"), "is missing"))
        }
        _ => Err(StoreError::NotFound { what: "checkpoint part" }),
    }
}
