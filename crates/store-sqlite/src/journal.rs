//! The journal: appending revisions, reading them, and removing old ones in small batches.

use bytes::Bytes;
use sqlx::{SqliteConnection, SqlitePool};
use uuid::Uuid;
use weft_store::{
    Commit, JournalEntry, JournalLimit, Position, Result, Revision, StoreError, Swept, Timestamp, Versioned,
    codec,
};

use crate::{Sqlite, fault::OrFault};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "graph" };

/// How many rows are removed in one write. A row is up to a few MiB, and other writes wait meanwhile.
const REMOVE: u32 = 64;

/// Writes a revision's parts.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    uid: Uuid,
    revision: i64,
    parts: &[Bytes],
    at: Timestamp,
    actor: &str,
) -> Result<()> {
    let at = at.as_micros();
    for (part, bytes) in (0_i32..).zip(parts) {
        let (last_part, bytes) = (part as usize + 1 == parts.len(), &bytes[..]);
        sqlx::query!(
            "INSERT INTO journal (graph_uid, revision, part, last_part, at, actor, bytes) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            uid,
            revision,
            part,
            last_part,
            at,
            actor,
            bytes,
        )
        .execute(&mut *connection)
        .await
        .or_fault()?;
    }
    Ok(())
}

/// Appends a revision, and gives its number.
pub(crate) async fn append(connection: &mut SqliteConnection, commit: &Commit) -> Result<i64> {
    let at = commit.at.as_micros();
    let changed = sqlx::query!(
        "UPDATE graphs SET revision = revision + 1, node_count = $1, edge_count = $2, next_ordinal = $3, \
         updated = $4 WHERE uid = $5 AND revision = $6",
        commit.node_count,
        commit.edge_count,
        commit.next_ordinal,
        at,
        commit.uid,
        commit.base_revision,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if changed.rows_affected() == 0 {
        let current = sqlx::query!("SELECT revision FROM graphs WHERE uid = $1", commit.uid)
            .fetch_optional(connection)
            .await
            .or_fault()?
            .ok_or(NOT_FOUND)?
            .revision;
        return Err(StoreError::Stale { of: Versioned::Revision, current });
    }
    let revision = commit.base_revision + 1;
    insert(connection, commit.uid, revision, &commit.parts, commit.at, &commit.actor).await?;
    Ok(revision)
}

/// Entries after a place.
pub(crate) async fn read(
    readers: &SqlitePool,
    uid: Uuid,
    after: Position,
    limit: JournalLimit,
) -> Result<Vec<JournalEntry>> {
    let most_bytes = i64::try_from(limit.bytes).unwrap_or(i64::MAX);
    // The inner query reads sizes only, which SQLite does without reading the bytes.
    let rows = sqlx::query!(
        r#"SELECT j.revision, j.part, j.last_part, j.at, j.actor, j.bytes
           FROM (SELECT rowid AS place, SUM(length(bytes)) OVER (ORDER BY revision, part) - length(bytes) AS before
                 FROM journal
                 WHERE graph_uid = $1 AND (revision > $2 OR (revision = $2 AND part > $3))
                 ORDER BY revision, part LIMIT $4) p
           JOIN journal j ON j.rowid = p.place
           WHERE p.before < MAX($5, 1)
           ORDER BY j.revision, j.part"#,
        uid,
        after.revision,
        after.part,
        limit.entries,
        most_bytes,
    )
    .fetch_all(readers)
    .await
    .or_fault()?;
    // Looked at after the entries: if the journal still reaches back far enough now, it did then.
    let graph = sqlx::query!("SELECT oldest_revision FROM graphs WHERE uid = $1", uid)
        .fetch_optional(readers)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?;
    let first_needed = if after.part == i32::MAX { after.revision.saturating_add(1) } else { after.revision };
    if first_needed < graph.oldest_revision {
        return Err(StoreError::Compacted { oldest: graph.oldest_revision });
    }
    let entries: Vec<_> = rows
        .into_iter()
        .map(|row| JournalEntry {
            revision: row.revision,
            part: row.part,
            last_part: row.last_part,
            at: Timestamp::from_micros(row.at),
            actor: row.actor,
            bytes: row.bytes.into(),
        })
        .collect();
    codec::verify_journal(uid, after, &entries)?;
    Ok(entries)
}

/// The newest revisions of graphs. The uids travel as one blob, because a list of parameters has a bound.
pub(crate) async fn revisions(readers: &SqlitePool, uids: &[Uuid]) -> Result<Vec<Revision>> {
    let hex =
        format!("[{}]", uids.iter().map(|uid| format!("\"{}\"", uid.simple())).collect::<Vec<_>>().join(","));
    sqlx::query_as!(
        Revision,
        "SELECT uid, revision FROM graphs WHERE uid IN (SELECT unhex(value) FROM json_each($1))",
        hex,
    )
    .fetch_all(readers)
    .await
    .or_fault()
}

/// Removes entries up to a revision. Readers stop seeing them at once, the rows go in batches.
pub(crate) async fn trim(store: &Sqlite, uid: Uuid, up_to: i64) -> Result<u64> {
    store.write(move |connection| Box::pin(forbid(connection, uid, up_to))).await?;
    let mut removed = 0;
    loop {
        let batch: u64 = store
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query!(
                        "DELETE FROM journal WHERE rowid IN \
                         (SELECT rowid FROM journal WHERE graph_uid = $1 AND revision <= $2 LIMIT $3)",
                        uid,
                        up_to,
                        REMOVE,
                    )
                    .execute(connection)
                    .await
                    .or_fault()?;
                    Ok(done.rows_affected())
                })
            })
            .await?;
        removed += batch;
        if batch < u64::from(REMOVE) {
            return Ok(removed);
        }
    }
}

/// Moves the beginning of a journal, if a checkpoint stands in for what goes.
async fn forbid(connection: &mut SqliteConnection, uid: Uuid, up_to: i64) -> Result<()> {
    let moved = sqlx::query!(
        "UPDATE graphs SET oldest_revision = MAX(oldest_revision, $1 + 1) WHERE uid = $2 \
         AND EXISTS (SELECT 1 FROM checkpoints WHERE graph_uid = $2 AND revision >= $1)",
        up_to,
        uid,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if moved.rows_affected() == 0 {
        sqlx::query!("SELECT uid FROM graphs WHERE uid = $1", uid)
            .fetch_optional(connection)
            .await
            .or_fault()?
            .ok_or(NOT_FOUND)?;
        return Err(StoreError::Conflict { reason: "no checkpoint stands in for the revisions to remove" });
    }
    Ok(())
}

/// Removes rows of deleted graphs.
pub(crate) async fn sweep(store: &Sqlite, limit: u32) -> Result<Swept> {
    let mut rows = 0;
    while rows < u64::from(limit) {
        let most = u64::from(REMOVE).min(u64::from(limit) - rows) as u32;
        let (removed, done) = store.write(move |connection| Box::pin(sweep_some(connection, most))).await?;
        rows += removed;
        if done {
            return Ok(Swept { rows, done });
        }
    }
    Ok(Swept { rows, done: false })
}

/// Removes some rows of one deleted graph, and says how many, and whether no deleted graph is left.
async fn sweep_some(connection: &mut SqliteConnection, most: u32) -> Result<(u64, bool)> {
    let next = sqlx::query!("SELECT uid FROM deleted_graphs LIMIT 1")
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?;
    let Some(next) = next else { return Ok((0, true)) };
    let entries = sqlx::query!(
        "DELETE FROM journal WHERE rowid IN (SELECT rowid FROM journal WHERE graph_uid = $1 LIMIT $2)",
        next.uid,
        most,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?
    .rows_affected();
    let left = most - entries as u32;
    let parts = sqlx::query!(
        "DELETE FROM checkpoint_parts WHERE rowid IN \
         (SELECT rowid FROM checkpoint_parts WHERE graph_uid = $1 LIMIT $2)",
        next.uid,
        left,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?
    .rows_affected();
    if entries + parts < u64::from(most) {
        sqlx::query!("DELETE FROM checkpoints WHERE graph_uid = $1", next.uid)
            .execute(&mut *connection)
            .await
            .or_fault()?;
        sqlx::query!("DELETE FROM deleted_graphs WHERE uid = $1", next.uid)
            .execute(connection)
            .await
            .or_fault()?;
    }
    Ok((entries + parts, false))
}
