//! The rows of holds.

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{HoldRow, OrphanRow, PlacementStore, Result, SavedUnder, StoreError, Timestamp, Versioned};

use crate::{Sqlite, fault::OrFault};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "layout" };

/// Whether a layout was not taken since an epoch.
pub(crate) async fn held(connection: &mut SqliteConnection, layout: Uuid, epoch: i64) -> Result<()> {
    let current = hold(connection, layout).await?.ok_or(NOT_FOUND)?.epoch;
    if current == epoch { Ok(()) } else { Err(StoreError::Stale { of: Versioned::Epoch, current }) }
}

async fn hold(executor: impl SqliteExecutor<'_>, layout: Uuid) -> Result<Option<HoldRow>> {
    let row = sqlx::query!(
        "SELECT holder, epoch, saved_epoch, saved_number FROM layout_holds WHERE layout = $1",
        layout,
    )
    .fetch_optional(executor)
    .await
    .or_fault()?;
    Ok(row.map(|row| HoldRow {
        holder: row.holder,
        epoch: row.epoch,
        saved: SavedUnder { epoch: row.saved_epoch, number: row.saved_number },
    }))
}

#[async_trait]
impl PlacementStore for Sqlite {
    async fn get_hold(&self, layout: Uuid) -> Result<Option<HoldRow>> {
        hold(&self.readers, layout).await
    }

    async fn take_hold(&self, layout: Uuid, holder: Uuid, at: Timestamp) -> Result<HoldRow> {
        self.write(move |connection| {
            Box::pin(async move {
                let at = at.as_micros();
                let row = sqlx::query!(
                    "INSERT INTO layout_holds AS h (layout, holder, epoch, saved_epoch, saved_number, awake) \
                     SELECT uid, $2, 1, 0, 0, TRUE FROM layouts WHERE uid = $1 \
                     ON CONFLICT (layout) DO UPDATE SET holder = $2, epoch = h.epoch + 1, awake = TRUE \
                     WHERE h.holder IS NULL OR h.holder = $2 OR NOT EXISTS \
                     (SELECT 1 FROM members m WHERE m.uid = h.holder AND m.lease_until > $3) \
                     RETURNING epoch, saved_epoch, saved_number",
                    layout,
                    holder,
                    at,
                )
                .fetch_optional(&mut *connection)
                .await
                .or_fault()?;
                if let Some(row) = row {
                    let saved = SavedUnder { epoch: row.saved_epoch, number: row.saved_number };
                    return Ok(HoldRow { holder: Some(holder), epoch: row.epoch, saved });
                }
                match hold(connection, layout).await? {
                    Some(_) => Err(StoreError::AlreadyExists { what: "holder of the layout" }),
                    None => Err(NOT_FOUND),
                }
            })
        })
        .await
    }

    async fn leave_hold(&self, layout: Uuid, epoch: i64, awake: bool) -> Result<()> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query!(
                    "UPDATE layout_holds SET holder = NULL, awake = $3 WHERE layout = $1 AND epoch = $2",
                    layout,
                    epoch,
                    awake,
                )
                .execute(connection)
                .await
                .or_fault()?;
                Ok(())
            })
        })
        .await
    }

    async fn record_save(&self, layout: Uuid, epoch: i64, number: i64, awake: bool) -> Result<SavedUnder> {
        self.write(move |connection| {
            Box::pin(async move {
                let before = hold(&mut *connection, layout).await?.ok_or(NOT_FOUND)?;
                if before.epoch != epoch {
                    return Err(StoreError::Stale { of: Versioned::Epoch, current: before.epoch });
                }
                sqlx::query!(
                    "UPDATE layout_holds SET saved_epoch = $2, saved_number = $3, awake = $4 WHERE layout = $1",
                    layout,
                    epoch,
                    number,
                    awake,
                )
                .execute(connection)
                .await
                .or_fault()?;
                Ok(before.saved)
            })
        })
        .await
    }

    async fn orphans(&self, at: Timestamp, after: Uuid, limit: u32) -> Result<Vec<OrphanRow>> {
        let at = at.as_micros();
        sqlx::query_as!(
            OrphanRow,
            "SELECT h.layout, l.project, l.graph, l.id FROM layout_holds h JOIN layouts l ON l.uid = h.layout \
             WHERE h.awake AND l.desired_state = 1 AND h.layout > $1 AND (h.holder IS NULL OR NOT EXISTS \
             (SELECT 1 FROM members m WHERE m.uid = h.holder AND m.lease_until > $2)) \
             ORDER BY h.layout LIMIT $3",
            after,
            at,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .or_fault()
    }
}
