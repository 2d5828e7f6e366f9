//! Checkpoints: the whole of a graph in parts, which take effect together with the last one.

use bytes::Bytes;
use sqlx::{SqliteConnection, SqlitePool};
use uuid::Uuid;
use weft_store::{Checkpoint, Result, StoreError, Versioned, check, codec};

use crate::{Sqlite, fault::OrFault};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "graph" };

/// Saves a checkpoint: each part is a write of its own, so that others get their turn in between, and the
/// last one makes it count. Parts that a crash leaves behind are removed by the next save or by the sweep.
pub(crate) async fn save(store: &Sqlite, uid: Uuid, revision: i64, parts: Vec<Bytes>) -> Result<()> {
    check::parts("parts", &parts)?;
    let _saving = store.saving.lock().await;
    if !store.write(move |connection| Box::pin(begin(connection, uid, revision))).await? {
        return Ok(());
    }
    let checkpoint = Checkpoint {
        revision,
        part_count: parts.len() as i32,
        bytes: parts.iter().map(|part| part.len() as i64).sum(),
    };
    for (part, bytes) in (0_i32..).zip(parts) {
        store.write(move |connection| Box::pin(put(connection, uid, revision, part, bytes))).await?;
    }
    store.write(move |connection| Box::pin(seal(connection, uid, checkpoint))).await?;
    store.write(move |connection| Box::pin(remove_others(connection, uid, revision))).await
}

/// Whether the checkpoint is worth saving. Makes room for it.
async fn begin(connection: &mut SqliteConnection, uid: Uuid, revision: i64) -> Result<bool> {
    let graph = sqlx::query!("SELECT revision FROM graphs WHERE uid = $1", uid)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?;
    if revision < 1 || revision > graph.revision {
        return Err(StoreError::Invalid { field: "revision", reason: "the graph has no such revision" });
    }
    let saved = sqlx::query!("SELECT revision FROM checkpoints WHERE graph_uid = $1", uid)
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?
        .map_or(0, |row| row.revision);
    remove_others(connection, uid, saved).await?;
    Ok(revision > saved)
}

/// Writes one part, unless the graph has been deleted meanwhile: nobody would remove it again.
async fn put(
    connection: &mut SqliteConnection,
    uid: Uuid,
    revision: i64,
    part: i32,
    bytes: Bytes,
) -> Result<()> {
    let bytes = &bytes[..];
    let done = sqlx::query!(
        "INSERT INTO checkpoint_parts (graph_uid, revision, part, bytes) \
         SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM graphs WHERE uid = $1)",
        uid,
        revision,
        part,
        bytes,
    )
    .execute(connection)
    .await
    .or_fault()?;
    if done.rows_affected() == 0 { Err(NOT_FOUND) } else { Ok(()) }
}

/// Makes the checkpoint count.
async fn seal(connection: &mut SqliteConnection, uid: Uuid, checkpoint: Checkpoint) -> Result<()> {
    let done = sqlx::query!(
        "INSERT INTO checkpoints (graph_uid, revision, part_count, bytes) \
         SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM graphs WHERE uid = $1) \
         ON CONFLICT (graph_uid) DO UPDATE SET \
         revision = excluded.revision, part_count = excluded.part_count, bytes = excluded.bytes",
        uid,
        checkpoint.revision,
        checkpoint.part_count,
        checkpoint.bytes,
    )
    .execute(connection)
    .await
    .or_fault()?;
    if done.rows_affected() == 0 { Err(NOT_FOUND) } else { Ok(()) }
}

/// Removes the parts of all checkpoints of a graph but one.
async fn remove_others(connection: &mut SqliteConnection, uid: Uuid, revision: i64) -> Result<()> {
    sqlx::query!("DELETE FROM checkpoint_parts WHERE graph_uid = $1 AND revision <> $2", uid, revision)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(())
}

/// The checkpoint that counts.
pub(crate) async fn load(readers: &SqlitePool, uid: Uuid) -> Result<Option<Checkpoint>> {
    let checkpoint = sqlx::query_as!(
        Checkpoint,
        "SELECT c.revision, c.part_count, c.bytes FROM checkpoints c JOIN graphs g ON g.uid = c.graph_uid \
         WHERE c.graph_uid = $1",
        uid,
    )
    .fetch_optional(readers)
    .await
    .or_fault()?;
    if checkpoint.is_none() {
        sqlx::query!("SELECT uid FROM graphs WHERE uid = $1", uid)
            .fetch_optional(readers)
            .await
            .or_fault()?
            .ok_or(NOT_FOUND)?;
    }
    Ok(checkpoint)
}

/// One part of the checkpoint that counts.
pub(crate) async fn part(readers: &SqlitePool, uid: Uuid, revision: i64, part: i32) -> Result<Bytes> {
    let row = sqlx::query!(
        "SELECT p.bytes FROM checkpoint_parts p \
         JOIN checkpoints c ON c.graph_uid = p.graph_uid AND c.revision = p.revision \
         JOIN graphs g ON g.uid = p.graph_uid \
         WHERE p.graph_uid = $1 AND p.revision = $2 AND p.part = $3",
        uid,
        revision,
        part,
    )
    .fetch_optional(readers)
    .await
    .or_fault()?;
    if let Some(row) = row {
        return Ok(row.bytes.into());
    }
    match load(readers, uid).await? {
        Some(now) if now.revision != revision => {
            Err(StoreError::Stale { of: Versioned::Checkpoint, current: now.revision })
        }
        Some(now) if (0..now.part_count).contains(&part) => {
            Err(codec::corrupt("checkpoint_parts", "part", format!("{uid}/{revision}/{part}"), "is missing"))
        }
        _ => Err(StoreError::NotFound { what: "checkpoint part" }),
    }
}
