//! The rows of triggers, and of what came to them. Deliveries are written many at a time.

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;
use weft_store::{
    Accepted, Advance, DeliveryChange, DeliveryKind, DeliveryRow, Dismissal, NamedDelivery, NewTrigger,
    Remember, Result, StoreError, Tick, Timestamp, TriggerRow, TriggerStore, TriggerUpdate, Versioned,
    Written,
    check::{self, Check},
    codec,
};

use crate::{Sqlite, fault::OrFault, requests, rows::Rows};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "trigger" };

/// A trigger as SQLite gives it.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    token: Option<Vec<u8>>,
    settings: Vec<u8>,
    next_at: Option<i64>,
    place: Option<Vec<u8>>,
    version: i64,
    created: i64,
    updated: i64,
}

impl TryFrom<Record> for TriggerRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        let token = record.token.map(|token| codec::digest("triggers", record.uid, &token)).transpose()?;
        Ok(Self {
            project: record.project,
            id: record.id,
            uid: record.uid,
            token,
            settings: record.settings.into(),
            next: record.next_at.map(Timestamp::from_micros),
            place: record.place.map(Into::into),
            version: record.version,
            created: Timestamp::from_micros(record.created),
            updated: Timestamp::from_micros(record.updated),
        })
    }
}

/// A delivery as SQLite gives it.
struct DeliveryRecord {
    id: Uuid,
    trigger_uid: Uuid,
    dedup: Vec<u8>,
    state: i32,
    kind: i32,
    wake: Option<i64>,
    expires: i64,
    head: Vec<u8>,
    event: Vec<u8>,
}

impl TryFrom<DeliveryRecord> for DeliveryRow {
    type Error = StoreError;

    fn try_from(record: DeliveryRecord) -> Result<Self> {
        Ok(Self {
            id: record.id,
            trigger: record.trigger_uid,
            dedup: codec::digest("trigger_deliveries", record.id, &record.dedup)?,
            state: record.state,
            kind: kind(record.id, record.kind)?,
            wake: record.wake.map(Timestamp::from_micros),
            expires: Timestamp::from_micros(record.expires),
            head: record.head.into(),
            event: record.event.into(),
        })
    }
}

/// A delivery with the name of its trigger, as SQLite gives it.
struct NamedRecord {
    id: Uuid,
    trigger_uid: Uuid,
    dedup: Vec<u8>,
    state: i32,
    kind: i32,
    wake: Option<i64>,
    expires: i64,
    head: Vec<u8>,
    event: Vec<u8>,
    trigger_id: String,
}

impl TryFrom<NamedRecord> for NamedDelivery {
    type Error = StoreError;

    fn try_from(record: NamedRecord) -> Result<Self> {
        let NamedRecord { id, trigger_uid, dedup, state, kind, wake, expires, head, event, trigger_id } =
            record;
        let row = DeliveryRecord { id, trigger_uid, dedup, state, kind, wake, expires, head, event };
        Ok(Self { trigger_id, row: row.try_into()? })
    }
}

fn kind(row: Uuid, number: i32) -> Result<DeliveryKind> {
    let all = [DeliveryKind::Taken, DeliveryKind::Dead, DeliveryKind::Refused];
    all.into_iter().find(|kind| kind.number() == number).ok_or_else(|| StoreError::Corrupt {
        table: "trigger_deliveries",
        column: "kind",
        row: row.to_string(),
        reason: format!("there is no kind {number}"),
    })
}

fn triggers(records: Vec<Record>) -> Result<Vec<TriggerRow>> {
    records.into_iter().map(TriggerRow::try_from).collect()
}

fn named(records: Vec<NamedRecord>) -> Result<Vec<NamedDelivery>> {
    records.into_iter().map(NamedDelivery::try_from).collect()
}

fn deliveries(records: Vec<DeliveryRecord>) -> Result<Vec<DeliveryRow>> {
    records.into_iter().map(DeliveryRow::try_from).collect()
}

async fn by_name(executor: impl SqliteExecutor<'_>, project: &str, id: &str) -> Result<TriggerRow> {
    let record = sqlx::query_as!(
        Record,
        "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
         WHERE project = $1 AND id = $2",
        project,
        id,
    );
    record.fetch_optional(executor).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
}

async fn create(connection: &mut SqliteConnection, new: &NewTrigger) -> Result<TriggerRow> {
    let (token, settings) = (new.token.as_ref().map(|token| &token[..]), &new.settings[..]);
    let (next, at) = (new.next.map(Timestamp::as_micros), new.at.as_micros());
    let place = new.place.as_ref().map(|place| &place[..]);
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO triggers (uid, project, id, token, settings, next_at, place, version, created, updated) \
         VALUES ($1, $2, $3, $4, $5, $6, $8, 1, $7, $7) ON CONFLICT (project, id) DO NOTHING \
         RETURNING uid, project, id, token AS \"token?\", settings, next_at AS \"next_at?\", place AS \"place?\", \
         version, created, updated",
        new.uid,
        new.project,
        new.id,
        token,
        settings,
        next,
        at,
        place,
    );
    let record = record.fetch_optional(connection).await.or_fault()?;
    record.ok_or(StoreError::AlreadyExists { what: "trigger" })?.try_into()
}

async fn update(connection: &mut SqliteConnection, update: &TriggerUpdate) -> Result<TriggerRow> {
    let (token, settings) = (update.token.as_ref().map(|token| &token[..]), &update.settings[..]);
    let (next, at) = (update.next.map(Timestamp::as_micros), update.at.as_micros());
    let place = update.place.as_ref().map(|place| &place[..]);
    let record = sqlx::query_as!(
        Record,
        "UPDATE triggers SET token = $1, settings = $2, next_at = $3, version = version + 1, updated = $4, \
         place = COALESCE($7, place) WHERE uid = $5 AND version = $6 \
         RETURNING uid, project, id, token AS \"token?\", settings, next_at AS \"next_at?\", place AS \"place?\", \
         version, created, updated",
        token,
        settings,
        next,
        at,
        update.uid,
        update.expected_version,
        place,
    );
    if let Some(record) = record.fetch_optional(&mut *connection).await.or_fault()? {
        return record.try_into();
    }
    let current = sqlx::query!("SELECT version FROM triggers WHERE uid = $1", update.uid);
    let current = current.fetch_optional(connection).await.or_fault()?.ok_or(NOT_FOUND)?.version;
    Err(StoreError::Stale { of: Versioned::Version, current })
}

async fn delete(
    connection: &mut SqliteConnection,
    project: &str,
    id: &str,
    expected: Option<i64>,
) -> Result<()> {
    let done = sqlx::query!(
        "DELETE FROM triggers WHERE project = $1 AND id = $2 AND version = COALESCE($3, version)",
        project,
        id,
        expected,
    );
    if done.execute(&mut *connection).await.or_fault()?.rows_affected() > 0 {
        return Ok(());
    }
    let current = by_name(connection, project, id).await?.version;
    Err(StoreError::Stale { of: Versioned::Version, current })
}

/// Writes those that are not there yet, and gives their ids.
async fn insert<'d>(
    connection: &mut SqliteConnection,
    deliveries: impl ExactSizeIterator<Item = &'d DeliveryRow>,
) -> Result<HashSet<Uuid>> {
    if deliveries.len() == 0 {
        return Ok(HashSet::new());
    }
    let mut rows = Rows::new(deliveries.len());
    for row in deliveries {
        rows.begin();
        rows.bytes(row.id.as_bytes());
        rows.bytes(row.trigger.as_bytes());
        rows.bytes(&row.dedup);
        rows.number(row.state.into());
        rows.optional_number(row.wake.map(Timestamp::as_micros));
        rows.number(row.expires.as_micros());
        rows.bytes(&row.head);
        rows.bytes(&row.event);
        rows.number(row.kind.number().into());
        rows.end();
    }
    let rows = rows.finish();
    let written = sqlx::query!(
        "INSERT INTO trigger_deliveries \
         (id, trigger_uid, dedup, state, wake, expires, head, event, kind, kept, project) \
         SELECT unhex(value ->> 1), unhex(value ->> 2), unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6, \
         unhex(value ->> 7), unhex(value ->> 8), value ->> 9, \
         CASE WHEN value ->> 5 IS NULL THEN length(value ->> 8) / 2 ELSE 0 END, \
         COALESCE((SELECT t.project FROM triggers t WHERE t.uid = unhex(value ->> 2)), '') \
         FROM json_each($1) WHERE true \
         ON CONFLICT (trigger_uid, dedup) DO NOTHING RETURNING id",
        rows,
    );
    Ok(written.fetch_all(connection).await.or_fault()?.into_iter().map(|row| row.id).collect())
}

async fn same(connection: &mut SqliteConnection, row: &DeliveryRow) -> Result<DeliveryRow> {
    let dedup = &row.dedup[..];
    let record = sqlx::query_as!(
        DeliveryRecord,
        "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, event FROM trigger_deliveries \
         WHERE trigger_uid = $1 AND dedup = $2",
        row.trigger,
        dedup,
    );
    let record = record.fetch_optional(connection).await.or_fault()?;
    // Forgotten between the two statements, as old as it was.
    record.ok_or_else(|| StoreError::unavailable("the first delivery was just forgotten"))?.try_into()
}

async fn accept(connection: &mut SqliteConnection, wanted: &[DeliveryRow]) -> Result<Vec<Accepted>> {
    let written = insert(connection, wanted.iter()).await?;
    let mut accepted = Vec::with_capacity(wanted.len());
    for row in wanted {
        accepted.push(if written.contains(&row.id) {
            Accepted::New
        } else {
            Accepted::Known(Box::new(same(connection, row).await?))
        });
    }
    Ok(accepted)
}

/// Has the triggers until an instant, if the epoch is the newest.
async fn hold(connection: &mut SqliteConnection, epoch: i64, until: Timestamp) -> Result<()> {
    let until = until.as_micros();
    let owned = sqlx::query!(
        "UPDATE trigger_owners SET lease_until = $1 WHERE shard = 0 AND epoch = $2",
        until,
        epoch
    );
    if owned.execute(&mut *connection).await.or_fault()?.rows_affected() == 0 {
        let current = sqlx::query!("SELECT epoch FROM trigger_owners WHERE shard = 0");
        let current = current.fetch_optional(connection).await.or_fault()?.map_or(0, |row| row.epoch);
        return Err(StoreError::Stale { of: Versioned::Epoch, current });
    }
    Ok(())
}

async fn tick(
    connection: &mut SqliteConnection,
    epoch: i64,
    until: Timestamp,
    ticks: &[Tick],
) -> Result<Vec<Uuid>> {
    hold(connection, epoch, until).await?;
    if ticks.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = Rows::new(ticks.len());
    for tick in ticks {
        rows.begin();
        rows.bytes(tick.uid.as_bytes());
        rows.number(tick.due.as_micros());
        rows.optional_number(tick.next.map(Timestamp::as_micros));
        rows.end();
    }
    let rows = rows.finish();
    let moved = sqlx::query!(
        "UPDATE triggers SET next_at = t.value ->> 3 FROM json_each($1) AS t \
         WHERE uid = unhex(t.value ->> 1) AND next_at = t.value ->> 2 RETURNING uid",
        rows,
    );
    let moved: Vec<Uuid> =
        moved.fetch_all(&mut *connection).await.or_fault()?.into_iter().map(|row| row.uid).collect();
    let did: HashSet<Uuid> = moved.iter().copied().collect();
    let due: Vec<&DeliveryRow> =
        ticks.iter().filter(|tick| did.contains(&tick.uid)).flat_map(|tick| &tick.deliveries).collect();
    insert(connection, due.into_iter()).await?;
    Ok(moved)
}

async fn advance(
    connection: &mut SqliteConnection,
    epoch: i64,
    until: Timestamp,
    advances: &[Advance],
) -> Result<Vec<Uuid>> {
    hold(connection, epoch, until).await?;
    if advances.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = Rows::new(advances.len());
    for advance in advances {
        rows.begin();
        rows.bytes(advance.uid.as_bytes());
        rows.bytes(&advance.from);
        rows.bytes(&advance.to);
        rows.end();
    }
    let rows = rows.finish();
    let moved = sqlx::query!(
        "UPDATE triggers SET place = unhex(t.value ->> 3) FROM json_each($1) AS t \
         WHERE uid = unhex(t.value ->> 1) AND place = unhex(t.value ->> 2) RETURNING uid",
        rows,
    );
    let moved: Vec<Uuid> =
        moved.fetch_all(&mut *connection).await.or_fault()?.into_iter().map(|row| row.uid).collect();
    let did: HashSet<Uuid> = moved.iter().copied().collect();
    let found: Vec<&DeliveryRow> = advances
        .iter()
        .filter(|advance| did.contains(&advance.uid))
        .flat_map(|advance| &advance.deliveries)
        .collect();
    insert(connection, found.into_iter()).await?;
    Ok(moved)
}

#[async_trait]
impl TriggerStore for Sqlite {
    async fn create_trigger(
        &self,
        trigger: NewTrigger,
        remember: Option<Remember>,
    ) -> Result<Written<TriggerRow>> {
        trigger.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = create(connection, &trigger).await?;
                requests::keep(connection, remember.as_ref(), trigger.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn get_trigger(&self, project: &str, id: &str) -> Result<TriggerRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.readers, project, id).await
    }

    async fn find_trigger(&self, uid: Uuid) -> Result<TriggerRow> {
        let record = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE uid = $1",
            uid,
        );
        record.fetch_optional(&self.readers).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
    }

    async fn trigger_by_token(&self, token: &[u8; 32]) -> Result<TriggerRow> {
        let token = &token[..];
        let record = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE token = $1",
            token,
        );
        record.fetch_optional(&self.readers).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
    }

    async fn list_triggers(&self, project: &str, after: &str, limit: u32) -> Result<Vec<TriggerRow>> {
        check::text("project", project)?;
        check::text("after", after)?;
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3",
            project,
            after,
            limit,
        );
        triggers(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn update_trigger(
        &self,
        change: TriggerUpdate,
        remember: Option<Remember>,
    ) -> Result<Written<TriggerRow>> {
        change.check()?;
        remember.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(replayed) = requests::replay(connection, remember.as_ref()).await? {
                    return Ok(replayed);
                }
                let row = update(connection, &change).await?;
                requests::keep(connection, remember.as_ref(), change.at).await?;
                Ok(Written::Done(row))
            })
        })
        .await
    }

    async fn delete_trigger(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<()> {
        check::text("project", project)?;
        check::text("id", id)?;
        let (project, id) = (project.to_owned(), id.to_owned());
        self.write(move |connection| {
            Box::pin(async move { delete(connection, &project, &id, expected_version).await })
        })
        .await
    }

    async fn own_triggers(&self, owner: &str, _at: Timestamp, until: Timestamp) -> Result<i64> {
        check::text("owner", owner)?;
        let owner = owner.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let until = until.as_micros();
                let row = sqlx::query!(
                    "INSERT INTO trigger_owners (shard, owner, epoch, lease_until) VALUES (0, $1, 1, $2) \
                     ON CONFLICT (shard) DO UPDATE SET owner = $1, epoch = epoch + 1, lease_until = $2 \
                     RETURNING epoch",
                    owner,
                    until,
                );
                Ok(row.fetch_one(connection).await.or_fault()?.epoch)
            })
        })
        .await
    }

    async fn leave_triggers(&self, epoch: i64) -> Result<()> {
        self.write(move |connection| {
            Box::pin(async move {
                let left = sqlx::query!(
                    "UPDATE trigger_owners SET lease_until = 0 WHERE shard = 0 AND epoch = $1",
                    epoch
                );
                left.execute(connection).await.or_fault()?;
                Ok(())
            })
        })
        .await
    }

    async fn due_triggers(&self, before: Timestamp, limit: u32) -> Result<Vec<TriggerRow>> {
        let before = before.as_micros();
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE next_at < $1 ORDER BY next_at, uid LIMIT $2",
            before,
            limit,
        );
        triggers(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn tick_triggers(&self, epoch: i64, until: Timestamp, ticks: Vec<Tick>) -> Result<Vec<Uuid>> {
        ticks.check()?;
        self.write(move |connection| Box::pin(async move { tick(connection, epoch, until, &ticks).await }))
            .await
    }

    async fn watching_triggers(&self, after: Uuid, limit: u32) -> Result<Vec<TriggerRow>> {
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE place IS NOT NULL AND uid > $1 ORDER BY uid LIMIT $2",
            after,
            limit,
        );
        triggers(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn advance_triggers(
        &self,
        epoch: i64,
        until: Timestamp,
        advances: Vec<Advance>,
    ) -> Result<Vec<Uuid>> {
        advances.check()?;
        self.write(move |connection| {
            Box::pin(async move { advance(connection, epoch, until, &advances).await })
        })
        .await
    }

    async fn accept_deliveries(&self, wanted: Vec<DeliveryRow>) -> Result<Vec<Accepted>> {
        wanted.check()?;
        self.write(move |connection| Box::pin(async move { accept(connection, &wanted).await })).await
    }

    async fn settle_deliveries(&self, changes: Vec<DeliveryChange>) -> Result<()> {
        changes.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                let mut rows = Rows::new(changes.len());
                for change in &changes {
                    rows.begin();
                    rows.bytes(change.id.as_bytes());
                    rows.number(change.state.into());
                    rows.optional_number(change.wake.map(Timestamp::as_micros));
                    rows.bytes(&change.head);
                    rows.optional_number(change.started.map(Timestamp::as_micros));
                    rows.number(change.kind.number().into());
                    rows.optional_number(change.expires.map(Timestamp::as_micros));
                    rows.end();
                }
                let rows = rows.finish();
                let settled = sqlx::query!(
                    "UPDATE trigger_deliveries SET state = c.value ->> 2, wake = c.value ->> 3, \
                     head = unhex(c.value ->> 4), started = c.value ->> 5, \
                     kind = c.value ->> 6, expires = COALESCE(c.value ->> 7, expires), \
                     kept = CASE WHEN c.value ->> 3 IS NULL THEN length(event) ELSE 0 END \
                     FROM json_each($1) AS c WHERE trigger_deliveries.id = unhex(c.value ->> 1)",
                    rows,
                );
                settled.execute(connection).await.or_fault()?;
                Ok(())
            })
        })
        .await
    }

    async fn waiting_deliveries(&self, before: Timestamp, limit: u32) -> Result<Vec<DeliveryRow>> {
        let before = before.as_micros();
        let records = sqlx::query_as!(
            DeliveryRecord,
            "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, event FROM trigger_deliveries \
             WHERE wake < $1 ORDER BY wake, id LIMIT $2",
            before,
            limit,
        );
        deliveries(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn list_deliveries(
        &self,
        trigger: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>> {
        let before = before.unwrap_or(Uuid::max());
        let records = sqlx::query_as!(
            DeliveryRecord,
            "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, X'' AS \"event!: Vec<u8>\" FROM trigger_deliveries \
             WHERE trigger_uid = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
            trigger,
            before,
            limit,
        );
        deliveries(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn get_delivery(&self, trigger: Uuid, id: Uuid) -> Result<DeliveryRow> {
        let record = sqlx::query_as!(
            DeliveryRecord,
            "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, event FROM trigger_deliveries \
             WHERE id = $1 AND trigger_uid = $2",
            id,
            trigger,
        );
        let record = record.fetch_optional(&self.readers).await.or_fault()?;
        record.ok_or(StoreError::NotFound { what: "delivery" })?.try_into()
    }

    async fn project_deliveries(
        &self,
        project: &str,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<NamedDelivery>> {
        check::text("project", project)?;
        let before = before.unwrap_or(Uuid::max());
        let records = sqlx::query_as!(
            NamedRecord,
            "SELECT d.id, d.trigger_uid, d.dedup, d.state, d.kind, d.wake, d.expires, d.head, \
             X'' AS \"event!: Vec<u8>\", t.id AS trigger_id \
             FROM trigger_deliveries d JOIN triggers t ON t.uid = d.trigger_uid \
             WHERE d.project = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3",
            project,
            before,
            limit,
        );
        named(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn dead_deliveries(
        &self,
        project: &str,
        trigger: Option<Uuid>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<NamedDelivery>> {
        check::text("project", project)?;
        let before = before.unwrap_or(Uuid::max());
        let records = sqlx::query_as!(
            NamedRecord,
            "SELECT d.id, d.trigger_uid, d.dedup, d.state, d.kind, d.wake, d.expires, d.head, \
             X'' AS \"event!: Vec<u8>\", t.id AS trigger_id \
             FROM trigger_deliveries d JOIN triggers t ON t.uid = d.trigger_uid \
             WHERE d.kind = 1 AND d.project = $1 AND d.id < $2 AND ($4 IS NULL OR d.trigger_uid = $4) \
             ORDER BY d.id DESC LIMIT $3",
            project,
            before,
            limit,
            trigger,
        );
        named(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn last_started_delivery(&self, trigger: Uuid) -> Result<Option<DeliveryRow>> {
        let record = sqlx::query_as!(
            DeliveryRecord,
            "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, X'' AS \"event!: Vec<u8>\" \
             FROM trigger_deliveries \
             WHERE trigger_uid = $1 AND started IS NOT NULL ORDER BY started DESC, id DESC LIMIT 1",
            trigger,
        );
        record.fetch_optional(&self.readers).await.or_fault()?.map(DeliveryRow::try_from).transpose()
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move {
                let before = before.as_micros();
                let done = sqlx::query!(
                    "DELETE FROM trigger_deliveries WHERE id IN (SELECT id FROM trigger_deliveries \
                     WHERE wake IS NULL AND expires < $1 ORDER BY expires LIMIT $2)",
                    before,
                    limit,
                );
                Ok(done.execute(connection).await.or_fault()?.rows_affected())
            })
        })
        .await
    }

    async fn dismiss_deliveries(&self, dismissals: Vec<Dismissal>) -> Result<Vec<Uuid>> {
        dismissals.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                let mut rows = Rows::new(dismissals.len());
                for dismissal in &dismissals {
                    rows.begin();
                    rows.bytes(dismissal.id.as_bytes());
                    rows.bytes(&dismissal.head);
                    rows.end();
                }
                let rows = rows.finish();
                let dismissed = sqlx::query!(
                    "UPDATE trigger_deliveries SET kind = 0, head = unhex(c.value ->> 2) FROM json_each($1) AS c \
                     WHERE trigger_deliveries.id = unhex(c.value ->> 1) AND kind = 1 RETURNING id",
                    rows,
                );
                Ok(dismissed.fetch_all(connection).await.or_fault()?.into_iter().map(|row| row.id).collect())
            })
        })
        .await
    }

    async fn trim_events(&self, budget: u64, limit: u32) -> Result<u64> {
        let budget = i64::try_from(budget).unwrap_or(i64::MAX);
        // Looked for beside the writer: what is kept of all projects is read for it.
        let old = sqlx::query!(
            "SELECT id AS \"id!: Uuid\" FROM (SELECT id, \
             SUM(kept) OVER (PARTITION BY project, kind ORDER BY id DESC) AS total \
             FROM trigger_deliveries WHERE kept > 0) WHERE total > $1 ORDER BY id LIMIT $2",
            budget,
            limit,
        );
        let old = old.fetch_all(&self.readers).await.or_fault()?;
        if old.is_empty() {
            return Ok(0);
        }
        self.write(move |connection| {
            Box::pin(async move {
                let mut rows = Rows::new(old.len());
                for row in &old {
                    rows.begin();
                    rows.bytes(row.id.as_bytes());
                    rows.end();
                }
                let rows = rows.finish();
                let done = sqlx::query!(
                    "UPDATE trigger_deliveries SET event = X'', kept = 0 \
                     WHERE id IN (SELECT unhex(value ->> 1) FROM json_each($1)) AND wake IS NULL",
                    rows,
                );
                Ok(done.execute(connection).await.or_fault()?.rows_affected())
            })
        })
        .await
    }

    async fn trim_refused(&self, keep: u32, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move {
                let done = sqlx::query!(
                    "DELETE FROM trigger_deliveries WHERE id IN (SELECT id FROM (SELECT id, \
                     ROW_NUMBER() OVER (PARTITION BY trigger_uid ORDER BY id DESC) AS place \
                     FROM trigger_deliveries WHERE kind = 2) WHERE place > $1 LIMIT $2)",
                    keep,
                    limit,
                );
                Ok(done.execute(connection).await.or_fault()?.rows_affected())
            })
        })
        .await
    }
}
