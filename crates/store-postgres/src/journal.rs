//! The journal: appending revisions, reading them, and removing old ones in batches.

use bytes::Bytes;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use weft_store::{
    Commit, JournalEntry, JournalLimit, Position, Result, Revision, StoreError, Swept, Timestamp, Versioned,
    codec,
};

use crate::{Postgres, fault::OrFault, instant};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "graph" };

/// Most bytes in one statement; the protocol's bound is 1 GiB, memory's comes earlier.
const STATEMENT_BYTES: usize = 16 << 20;
/// How many rows are removed in one statement.
const REMOVE: u32 = 256;

/// Whether parts fit one statement.
pub(crate) fn is_small(parts: &[Bytes]) -> bool {
    parts.iter().map(Bytes::len).sum::<usize>() <= STATEMENT_BYTES
}

/// Writes a revision's parts.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    uid: Uuid,
    revision: i64,
    parts: &[Bytes],
    at: Timestamp,
    actor: &str,
) -> Result<()> {
    let mut first = 0;
    while first < parts.len() {
        let mut size = 0;
        let fitting = parts[first..].iter().take_while(|part| {
            size += part.len();
            size <= STATEMENT_BYTES
        });
        // One part always fits: it is at most a quarter of a statement.
        let end = first + fitting.count();
        let bytes: Vec<&[u8]> = parts[first..end].iter().map(|part| &part[..]).collect();
        sqlx::query!(
            "INSERT INTO journal (graph_uid, revision, part, last_part, at, actor, bytes) \
             SELECT $1, $2, $3 + p.n::INTEGER - 1, $3 + p.n = $4, $5, $6, p.bytes \
             FROM UNNEST($7::BYTEA[]) WITH ORDINALITY AS p (bytes, n)",
            uid,
            revision,
            first as i32,
            parts.len() as i64,
            instant::to_sql(at),
            actor,
            &bytes as _,
        )
        .execute(&mut *connection)
        .await
        .or_fault()?;
        first = end;
    }
    Ok(())
}

/// Appends a revision inside a transaction, and gives its number.
pub(crate) async fn append(connection: &mut PgConnection, commit: &Commit) -> Result<i64> {
    let moved = sqlx::query!(
        "UPDATE graphs SET revision = revision + 1, node_count = $1, edge_count = $2, next_ordinal = $3, \
         updated = $4 WHERE uid = $5 AND revision = $6",
        commit.node_count,
        commit.edge_count,
        commit.next_ordinal,
        instant::to_sql(commit.at),
        commit.uid,
        commit.base_revision,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    if moved.rows_affected() == 0 {
        return Err(stale(connection, commit.uid).await?);
    }
    let revision = commit.base_revision + 1;
    insert(connection, commit.uid, revision, &commit.parts, commit.at, &commit.actor).await?;
    Ok(revision)
}

/// Appends a revision in one statement, which is one round trip instead of four.
pub(crate) async fn append_small(pool: &PgPool, commit: &Commit) -> Result<i64> {
    let bytes: Vec<&[u8]> = commit.parts.iter().map(|part| &part[..]).collect();
    let done = sqlx::query!(
        "WITH moved AS (UPDATE graphs SET revision = revision + 1, node_count = $1, edge_count = $2, \
         next_ordinal = $3, updated = $4 WHERE uid = $5 AND revision = $6 RETURNING revision) \
         INSERT INTO journal (graph_uid, revision, part, last_part, at, actor, bytes) \
         SELECT $5, moved.revision, p.n::INTEGER - 1, p.n = $7, $4, $8, p.bytes \
         FROM moved, UNNEST($9::BYTEA[]) WITH ORDINALITY AS p (bytes, n)",
        commit.node_count,
        commit.edge_count,
        commit.next_ordinal,
        instant::to_sql(commit.at),
        commit.uid,
        commit.base_revision,
        commit.parts.len() as i64,
        commit.actor,
        &bytes as _,
    )
    .execute(pool)
    .await
    .or_fault()?;
    if done.rows_affected() == 0 {
        let mut connection = pool.acquire().await.or_fault()?;
        return Err(stale(&mut connection, commit.uid).await?);
    }
    Ok(commit.base_revision + 1)
}

/// Why a write found no row of that revision.
async fn stale(connection: &mut PgConnection, uid: Uuid) -> Result<StoreError> {
    let row = sqlx::query!("SELECT revision FROM graphs WHERE uid = $1", uid)
        .fetch_optional(connection)
        .await
        .or_fault()?
        .ok_or(NOT_FOUND)?;
    Ok(StoreError::Stale { of: Versioned::Revision, current: row.revision })
}

/// Entries after a place.
pub(crate) async fn read(
    pool: &PgPool,
    uid: Uuid,
    after: Position,
    limit: JournalLimit,
) -> Result<Vec<JournalEntry>> {
    let rows = sqlx::query!(
        r#"SELECT revision AS "revision!", part AS "part!", last_part AS "last_part!", at AS "at!",
                  actor AS "actor!", bytes AS "bytes!"
           FROM (SELECT revision, part, last_part, at, actor, bytes,
                        SUM(OCTET_LENGTH(bytes)) OVER (ORDER BY revision, part) - OCTET_LENGTH(bytes) AS before
                 FROM journal WHERE graph_uid = $1 AND (revision, part) > ($2, $3)
                 ORDER BY revision, part LIMIT $4) p
           WHERE before < GREATEST($5::BIGINT, 1)
           ORDER BY revision, part"#,
        uid,
        after.revision,
        after.part,
        i64::from(limit.entries),
        i64::try_from(limit.bytes).unwrap_or(i64::MAX),
    )
    .fetch_all(pool)
    .await
    .or_fault()?;
    // Looked at after the entries: if the journal still reaches back far enough now, it did then.
    let graph = sqlx::query!("SELECT oldest_revision FROM graphs WHERE uid = $1", uid)
        .fetch_optional(pool)
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
            at: instant::from_sql(row.at),
            actor: row.actor,
            bytes: row.bytes.into(),
        })
        .collect();
    codec::verify_journal(uid, after, &entries)?;
    Ok(entries)
}

/// The newest revisions of graphs.
pub(crate) async fn revisions(pool: &PgPool, uids: &[Uuid]) -> Result<Vec<Revision>> {
    sqlx::query_as!(Revision, "SELECT uid, revision FROM graphs WHERE uid = ANY($1)", uids)
        .fetch_all(pool)
        .await
        .or_fault()
}

/// Removes entries up to a revision. Readers stop seeing them at once, the rows go in batches.
pub(crate) async fn trim(pool: &PgPool, uid: Uuid, up_to: i64) -> Result<u64> {
    let moved = sqlx::query!(
        "UPDATE graphs SET oldest_revision = GREATEST(oldest_revision, $1 + 1) WHERE uid = $2 \
         AND EXISTS (SELECT 1 FROM checkpoints WHERE graph_uid = $2 AND revision >= $1)",
        up_to,
        uid,
    )
    .execute(pool)
    .await
    .or_fault()?;
    if moved.rows_affected() == 0 {
        sqlx::query!("SELECT uid FROM graphs WHERE uid = $1", uid)
            .fetch_optional(pool)
            .await
            .or_fault()?
            .ok_or(NOT_FOUND)?;
        return Err(StoreError::Conflict { reason: "no checkpoint stands in for the revisions to remove" });
    }
    let mut removed = 0;
    loop {
        let batch = sqlx::query!(
            "DELETE FROM journal j USING (SELECT revision, part FROM journal \
             WHERE graph_uid = $1 AND revision <= $2 ORDER BY revision, part LIMIT $3) old \
             WHERE j.graph_uid = $1 AND j.revision = old.revision AND j.part = old.part",
            uid,
            up_to,
            i64::from(REMOVE),
        )
        .execute(pool)
        .await
        .or_fault()?
        .rows_affected();
        removed += batch;
        if batch < u64::from(REMOVE) {
            return Ok(removed);
        }
    }
}

/// Removes rows of deleted graphs. Several processes may: each takes another graph.
pub(crate) async fn sweep(store: &Postgres, limit: u32) -> Result<Swept> {
    let mut rows = 0;
    while rows < u64::from(limit) {
        let most = u64::from(REMOVE).min(u64::from(limit) - rows) as u32;
        let mut transaction = store.begin().await?;
        let Some(removed) = sweep_some(&mut transaction, most).await? else {
            let left = sqlx::query!("SELECT uid FROM deleted_graphs LIMIT 1")
                .fetch_optional(&mut *transaction)
                .await
                .or_fault()?;
            return Ok(Swept { rows, done: left.is_none() });
        };
        transaction.commit().await.or_fault()?;
        rows += removed;
    }
    Ok(Swept { rows, done: false })
}

/// Removes some rows of one deleted graph, and says how many. Nothing if there is no graph that nobody else is
/// at.
async fn sweep_some(connection: &mut PgConnection, most: u32) -> Result<Option<u64>> {
    let next = sqlx::query!("SELECT uid FROM deleted_graphs LIMIT 1 FOR UPDATE SKIP LOCKED")
        .fetch_optional(&mut *connection)
        .await
        .or_fault()?;
    let Some(next) = next else { return Ok(None) };
    let entries = sqlx::query!(
        "DELETE FROM journal j USING \
         (SELECT revision, part FROM journal WHERE graph_uid = $1 ORDER BY revision, part LIMIT $2) old \
         WHERE j.graph_uid = $1 AND j.revision = old.revision AND j.part = old.part",
        next.uid,
        i64::from(most),
    )
    .execute(&mut *connection)
    .await
    .or_fault()?
    .rows_affected();
    let parts = sqlx::query!(
        "DELETE FROM checkpoint_parts c USING \
         (SELECT revision, part FROM checkpoint_parts WHERE graph_uid = $1 ORDER BY revision, part LIMIT $2) old \
         WHERE c.graph_uid = $1 AND c.revision = old.revision AND c.part = old.part",
        next.uid,
        i64::from(most) - entries as i64,
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
    Ok(Some(entries + parts))
}
