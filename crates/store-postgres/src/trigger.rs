//! The rows of triggers, and of what came to them. Deliveries are written many at a time.

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    Accepted, Advance, DeliveryChange, DeliveryKind, DeliveryRow, Dismissal, NamedDelivery, NewTrigger,
    Remember, Result, StoreError, Tick, Timestamp, TriggerRow, TriggerStore, TriggerUpdate, Versioned,
    Written,
    check::{self, Check},
    codec,
};

use crate::{Postgres, fault::OrFault, instant, requests};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "trigger" };

/// A trigger as PostgreSQL gives it.
struct Record {
    uid: Uuid,
    project: String,
    id: String,
    token: Option<Vec<u8>>,
    settings: Vec<u8>,
    next_at: Option<OffsetDateTime>,
    place: Option<Vec<u8>>,
    version: i64,
    created: OffsetDateTime,
    updated: OffsetDateTime,
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
            next: record.next_at.map(instant::from_sql),
            place: record.place.map(Into::into),
            version: record.version,
            created: instant::from_sql(record.created),
            updated: instant::from_sql(record.updated),
        })
    }
}

/// A delivery as PostgreSQL gives it.
struct DeliveryRecord {
    id: Uuid,
    trigger_uid: Uuid,
    dedup: Vec<u8>,
    state: i32,
    kind: i32,
    wake: Option<OffsetDateTime>,
    expires: OffsetDateTime,
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
            wake: record.wake.map(instant::from_sql),
            expires: instant::from_sql(record.expires),
            head: record.head.into(),
            event: record.event.into(),
        })
    }
}

/// A delivery with the name of its trigger, as PostgreSQL gives it.
struct NamedRecord {
    id: Uuid,
    trigger_uid: Uuid,
    dedup: Vec<u8>,
    state: i32,
    kind: i32,
    wake: Option<OffsetDateTime>,
    expires: OffsetDateTime,
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

async fn by_name(executor: impl PgExecutor<'_>, project: &str, id: &str) -> Result<TriggerRow> {
    let record = sqlx::query_as!(
        Record,
        "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
         WHERE project = $1 AND id = $2",
        project,
        id,
    );
    record.fetch_optional(executor).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
}

async fn create(connection: &mut PgConnection, new: &NewTrigger) -> Result<TriggerRow> {
    let (token, settings) = (new.token.as_ref().map(|token| &token[..]), &new.settings[..]);
    let (next, at) = (new.next.map(instant::to_sql), instant::to_sql(new.at));
    let place = new.place.as_ref().map(|place| &place[..]);
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO triggers (uid, project, id, token, settings, next_at, place, version, created, updated) \
         VALUES ($1, $2, $3, $4, $5, $6, $8, 1, $7, $7) ON CONFLICT (project, id) DO NOTHING \
         RETURNING uid, project, id, token, settings, next_at, place, version, created, updated",
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

async fn update(connection: &mut PgConnection, update: &TriggerUpdate) -> Result<TriggerRow> {
    let (token, settings) = (update.token.as_ref().map(|token| &token[..]), &update.settings[..]);
    let (next, at) = (update.next.map(instant::to_sql), instant::to_sql(update.at));
    let place = update.place.as_ref().map(|place| &place[..]);
    let record = sqlx::query_as!(
        Record,
        "UPDATE triggers SET token = $1, settings = $2, next_at = $3, version = version + 1, updated = $4, \
         place = COALESCE($7, place) WHERE uid = $5 AND version = $6 \
         RETURNING uid, project, id, token, settings, next_at, place, version, created, updated",
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

async fn delete(connection: &mut PgConnection, project: &str, id: &str, expected: Option<i64>) -> Result<()> {
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
async fn insert(connection: &mut PgConnection, deliveries: &[&DeliveryRow]) -> Result<HashSet<Uuid>> {
    if deliveries.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<Uuid> = deliveries.iter().map(|row| row.id).collect();
    let triggers: Vec<Uuid> = deliveries.iter().map(|row| row.trigger).collect();
    let dedups: Vec<&[u8]> = deliveries.iter().map(|row| &row.dedup[..]).collect();
    let states: Vec<i32> = deliveries.iter().map(|row| row.state).collect();
    let wakes: Vec<Option<OffsetDateTime>> =
        deliveries.iter().map(|row| row.wake.map(instant::to_sql)).collect();
    let expiries: Vec<OffsetDateTime> = deliveries.iter().map(|row| instant::to_sql(row.expires)).collect();
    let heads: Vec<&[u8]> = deliveries.iter().map(|row| &row.head[..]).collect();
    let events: Vec<&[u8]> = deliveries.iter().map(|row| &row.event[..]).collect();
    let kinds: Vec<i32> = deliveries.iter().map(|row| row.kind.number()).collect();
    let written = sqlx::query!(
        "INSERT INTO trigger_deliveries \
         (id, trigger_uid, dedup, state, wake, expires, head, event, kind, kept, project) \
         SELECT d.id, d.trigger_uid, d.dedup, d.state, d.wake, d.expires, d.head, d.event, d.kind, \
         CASE WHEN d.wake IS NULL THEN length(d.event) ELSE 0 END, \
         COALESCE((SELECT t.project FROM triggers t WHERE t.uid = d.trigger_uid), '') \
         FROM UNNEST($1::UUID[], $2::UUID[], $3::BYTEA[], $4::INTEGER[], $5::TIMESTAMPTZ[], $6::TIMESTAMPTZ[], \
         $7::BYTEA[], $8::BYTEA[], $9::INTEGER[]) \
         AS d (id, trigger_uid, dedup, state, wake, expires, head, event, kind) \
         ON CONFLICT (trigger_uid, dedup) DO NOTHING RETURNING id",
        &ids,
        &triggers,
        &dedups as _,
        &states,
        &wakes as _,
        &expiries,
        &heads as _,
        &events as _,
        &kinds,
    );
    Ok(written.fetch_all(connection).await.or_fault()?.into_iter().map(|row| row.id).collect())
}

async fn same(connection: &mut PgConnection, row: &DeliveryRow) -> Result<DeliveryRow> {
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

async fn accept(connection: &mut PgConnection, wanted: &[DeliveryRow]) -> Result<Vec<Accepted>> {
    // In one order, whoever else writes some of the same: so nobody waits for each other.
    let mut rows: Vec<&DeliveryRow> = wanted.iter().collect();
    rows.sort_by_key(|row| (row.trigger, row.dedup));
    let written = insert(connection, &rows).await?;
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
async fn hold(connection: &mut PgConnection, epoch: i64, until: Timestamp) -> Result<()> {
    let until = instant::to_sql(until);
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
    connection: &mut PgConnection,
    epoch: i64,
    until: Timestamp,
    ticks: &[Tick],
) -> Result<Vec<Uuid>> {
    hold(connection, epoch, until).await?;
    if ticks.is_empty() {
        return Ok(Vec::new());
    }
    let uids: Vec<Uuid> = ticks.iter().map(|tick| tick.uid).collect();
    let dues: Vec<OffsetDateTime> = ticks.iter().map(|tick| instant::to_sql(tick.due)).collect();
    let nexts: Vec<Option<OffsetDateTime>> =
        ticks.iter().map(|tick| tick.next.map(instant::to_sql)).collect();
    let moved = sqlx::query!(
        "UPDATE triggers SET next_at = t.next FROM UNNEST($1::UUID[], $2::TIMESTAMPTZ[], $3::TIMESTAMPTZ[]) \
         AS t (uid, due, next) WHERE triggers.uid = t.uid AND triggers.next_at = t.due RETURNING triggers.uid",
        &uids,
        &dues,
        &nexts as _,
    );
    let moved: Vec<Uuid> =
        moved.fetch_all(&mut *connection).await.or_fault()?.into_iter().map(|row| row.uid).collect();
    let did: HashSet<Uuid> = moved.iter().copied().collect();
    let due: Vec<&DeliveryRow> =
        ticks.iter().filter(|tick| did.contains(&tick.uid)).flat_map(|tick| &tick.deliveries).collect();
    insert(connection, &due).await?;
    Ok(moved)
}

async fn advance(
    connection: &mut PgConnection,
    epoch: i64,
    until: Timestamp,
    advances: &[Advance],
) -> Result<Vec<Uuid>> {
    hold(connection, epoch, until).await?;
    if advances.is_empty() {
        return Ok(Vec::new());
    }
    let uids: Vec<Uuid> = advances.iter().map(|advance| advance.uid).collect();
    let froms: Vec<&[u8]> = advances.iter().map(|advance| &advance.from[..]).collect();
    let tos: Vec<&[u8]> = advances.iter().map(|advance| &advance.to[..]).collect();
    let moved = sqlx::query!(
        "UPDATE triggers SET place = t.after FROM UNNEST($1::UUID[], $2::BYTEA[], $3::BYTEA[]) \
         AS t (uid, before, after) WHERE triggers.uid = t.uid AND triggers.place = t.before RETURNING triggers.uid",
        &uids,
        &froms as _,
        &tos as _,
    );
    let moved: Vec<Uuid> =
        moved.fetch_all(&mut *connection).await.or_fault()?.into_iter().map(|row| row.uid).collect();
    let did: HashSet<Uuid> = moved.iter().copied().collect();
    let found: Vec<&DeliveryRow> = advances
        .iter()
        .filter(|advance| did.contains(&advance.uid))
        .flat_map(|advance| &advance.deliveries)
        .collect();
    insert(connection, &found).await?;
    Ok(moved)
}

#[async_trait]
impl TriggerStore for Postgres {
    async fn create_trigger(
        &self,
        trigger: NewTrigger,
        remember: Option<Remember>,
    ) -> Result<Written<TriggerRow>> {
        trigger.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), trigger.at).await? {
            return Ok(replayed);
        }
        let row = create(&mut transaction, &trigger).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn get_trigger(&self, project: &str, id: &str) -> Result<TriggerRow> {
        check::text("project", project)?;
        check::text("id", id)?;
        by_name(&self.pool, project, id).await
    }

    async fn find_trigger(&self, uid: Uuid) -> Result<TriggerRow> {
        let record = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE uid = $1",
            uid,
        );
        record.fetch_optional(&self.pool).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
    }

    async fn trigger_by_token(&self, token: &[u8; 32]) -> Result<TriggerRow> {
        let token = &token[..];
        let record = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE token = $1",
            token,
        );
        record.fetch_optional(&self.pool).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
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
            i64::from(limit),
        );
        triggers(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn update_trigger(
        &self,
        change: TriggerUpdate,
        remember: Option<Remember>,
    ) -> Result<Written<TriggerRow>> {
        change.check()?;
        remember.check()?;
        let mut transaction = self.begin().await?;
        if let Some(replayed) = requests::claim(&mut transaction, remember.as_ref(), change.at).await? {
            return Ok(replayed);
        }
        let row = update(&mut transaction, &change).await?;
        transaction.commit().await.or_fault()?;
        Ok(Written::Done(row))
    }

    async fn delete_trigger(&self, project: &str, id: &str, expected_version: Option<i64>) -> Result<()> {
        check::text("project", project)?;
        check::text("id", id)?;
        let mut connection = self.pool.acquire().await.or_fault()?;
        delete(&mut connection, project, id, expected_version).await
    }

    async fn own_triggers(&self, owner: &str, at: Timestamp, until: Timestamp) -> Result<i64> {
        check::text("owner", owner)?;
        let row = sqlx::query!(
            "INSERT INTO trigger_owners AS o (shard, owner, epoch, lease_until) VALUES (0, $1, 1, $2) \
             ON CONFLICT (shard) DO UPDATE SET owner = $1, epoch = o.epoch + 1, lease_until = $2 \
             WHERE o.lease_until <= $3 OR o.owner = $1 RETURNING epoch",
            owner,
            instant::to_sql(until),
            instant::to_sql(at),
        );
        let row = row.fetch_optional(&self.pool).await.or_fault()?;
        Ok(row.ok_or(StoreError::AlreadyExists { what: "owner of the triggers" })?.epoch)
    }

    async fn leave_triggers(&self, epoch: i64) -> Result<()> {
        let left = sqlx::query!(
            "UPDATE trigger_owners SET lease_until = '-infinity' WHERE shard = 0 AND epoch = $1",
            epoch
        );
        left.execute(&self.pool).await.or_fault()?;
        Ok(())
    }

    async fn due_triggers(&self, before: Timestamp, limit: u32) -> Result<Vec<TriggerRow>> {
        let before = instant::to_sql(before);
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE next_at < $1 ORDER BY next_at, uid LIMIT $2",
            before,
            i64::from(limit),
        );
        triggers(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn tick_triggers(&self, epoch: i64, until: Timestamp, ticks: Vec<Tick>) -> Result<Vec<Uuid>> {
        ticks.check()?;
        let mut transaction = self.begin().await?;
        // Holds the owner's row until the commit: another owner waits for it, and is then the newer one.
        let moved = tick(&mut transaction, epoch, until, &ticks).await?;
        transaction.commit().await.or_fault()?;
        Ok(moved)
    }

    async fn watching_triggers(&self, after: Uuid, limit: u32) -> Result<Vec<TriggerRow>> {
        let records = sqlx::query_as!(
            Record,
            "SELECT uid, project, id, token, settings, next_at, place, version, created, updated FROM triggers \
             WHERE place IS NOT NULL AND uid > $1 ORDER BY uid LIMIT $2",
            after,
            i64::from(limit),
        );
        triggers(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn advance_triggers(
        &self,
        epoch: i64,
        until: Timestamp,
        advances: Vec<Advance>,
    ) -> Result<Vec<Uuid>> {
        advances.check()?;
        let mut transaction = self.begin().await?;
        let moved = advance(&mut transaction, epoch, until, &advances).await?;
        transaction.commit().await.or_fault()?;
        Ok(moved)
    }

    async fn accept_deliveries(&self, wanted: Vec<DeliveryRow>) -> Result<Vec<Accepted>> {
        wanted.check()?;
        let mut transaction = self.begin().await?;
        let accepted = accept(&mut transaction, &wanted).await?;
        transaction.commit().await.or_fault()?;
        Ok(accepted)
    }

    async fn settle_deliveries(&self, changes: Vec<DeliveryChange>) -> Result<()> {
        changes.check()?;
        let ids: Vec<Uuid> = changes.iter().map(|change| change.id).collect();
        let states: Vec<i32> = changes.iter().map(|change| change.state).collect();
        let wakes: Vec<Option<OffsetDateTime>> =
            changes.iter().map(|change| change.wake.map(instant::to_sql)).collect();
        let heads: Vec<&[u8]> = changes.iter().map(|change| &change.head[..]).collect();
        let starts: Vec<Option<OffsetDateTime>> =
            changes.iter().map(|change| change.started.map(instant::to_sql)).collect();
        let kinds: Vec<i32> = changes.iter().map(|change| change.kind.number()).collect();
        let expiries: Vec<Option<OffsetDateTime>> =
            changes.iter().map(|change| change.expires.map(instant::to_sql)).collect();
        let settled = sqlx::query!(
            "UPDATE trigger_deliveries d SET state = c.state, wake = c.wake, head = c.head, started = c.started, \
             kind = c.kind, expires = COALESCE(c.expires, d.expires), \
             kept = CASE WHEN c.wake IS NULL THEN length(d.event) ELSE 0 END \
             FROM UNNEST($1::UUID[], $2::INTEGER[], $3::TIMESTAMPTZ[], $4::BYTEA[], $5::TIMESTAMPTZ[], \
             $6::INTEGER[], $7::TIMESTAMPTZ[]) AS c (id, state, wake, head, started, kind, expires) \
             WHERE d.id = c.id",
            &ids,
            &states,
            &wakes as _,
            &heads as _,
            &starts as _,
            &kinds,
            &expiries as _,
        );
        settled.execute(&self.pool).await.or_fault()?;
        Ok(())
    }

    async fn waiting_deliveries(&self, before: Timestamp, limit: u32) -> Result<Vec<DeliveryRow>> {
        let before = instant::to_sql(before);
        let records = sqlx::query_as!(
            DeliveryRecord,
            "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, event FROM trigger_deliveries \
             WHERE wake < $1 ORDER BY wake, id LIMIT $2",
            before,
            i64::from(limit),
        );
        deliveries(records.fetch_all(&self.pool).await.or_fault()?)
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
            "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, ''::BYTEA AS \"event!\" FROM trigger_deliveries \
             WHERE trigger_uid = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
            trigger,
            before,
            i64::from(limit),
        );
        deliveries(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn get_delivery(&self, trigger: Uuid, id: Uuid) -> Result<DeliveryRow> {
        let record = sqlx::query_as!(
            DeliveryRecord,
            "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, event FROM trigger_deliveries \
             WHERE id = $1 AND trigger_uid = $2",
            id,
            trigger,
        );
        let record = record.fetch_optional(&self.pool).await.or_fault()?;
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
             ''::BYTEA AS \"event!\", t.id AS trigger_id \
             FROM trigger_deliveries d JOIN triggers t ON t.uid = d.trigger_uid \
             WHERE d.project = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3",
            project,
            before,
            i64::from(limit),
        );
        named(records.fetch_all(&self.pool).await.or_fault()?)
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
             ''::BYTEA AS \"event!\", t.id AS trigger_id \
             FROM trigger_deliveries d JOIN triggers t ON t.uid = d.trigger_uid \
             WHERE d.kind = 1 AND d.project = $1 AND d.id < $2 AND ($4::UUID IS NULL OR d.trigger_uid = $4) \
             ORDER BY d.id DESC LIMIT $3",
            project,
            before,
            i64::from(limit),
            trigger,
        );
        named(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn last_started_delivery(&self, trigger: Uuid) -> Result<Option<DeliveryRow>> {
        let record = sqlx::query_as!(
            DeliveryRecord,
            "SELECT id, trigger_uid, dedup, state, kind, wake, expires, head, ''::BYTEA AS \"event!\" \
             FROM trigger_deliveries \
             WHERE trigger_uid = $1 AND started IS NOT NULL ORDER BY started DESC, id DESC LIMIT 1",
            trigger,
        );
        record.fetch_optional(&self.pool).await.or_fault()?.map(DeliveryRow::try_from).transpose()
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let done = sqlx::query!(
            "DELETE FROM trigger_deliveries d USING (SELECT id FROM trigger_deliveries \
             WHERE wake IS NULL AND expires < $1 ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED) old \
             WHERE d.id = old.id",
            instant::to_sql(before),
            i64::from(limit),
        );
        Ok(done.execute(&self.pool).await.or_fault()?.rows_affected())
    }

    async fn dismiss_deliveries(&self, dismissals: Vec<Dismissal>) -> Result<Vec<Uuid>> {
        dismissals.check()?;
        let ids: Vec<Uuid> = dismissals.iter().map(|dismissal| dismissal.id).collect();
        let heads: Vec<&[u8]> = dismissals.iter().map(|dismissal| &dismissal.head[..]).collect();
        let dismissed = sqlx::query!(
            "UPDATE trigger_deliveries d SET kind = 0, head = c.head FROM UNNEST($1::UUID[], $2::BYTEA[]) \
             AS c (id, head) WHERE d.id = c.id AND d.kind = 1 RETURNING d.id",
            &ids,
            &heads as _,
        );
        Ok(dismissed.fetch_all(&self.pool).await.or_fault()?.into_iter().map(|row| row.id).collect())
    }

    async fn trim_events(&self, budget: u64, limit: u32) -> Result<u64> {
        let done = sqlx::query!(
            "UPDATE trigger_deliveries SET event = ''::BYTEA, kept = 0 WHERE id IN (SELECT id FROM (SELECT id, \
             SUM(kept) OVER (PARTITION BY project, kind ORDER BY id DESC) AS total \
             FROM trigger_deliveries WHERE kept > 0) sums WHERE total > $1::BIGINT ORDER BY id LIMIT $2)",
            i64::try_from(budget).unwrap_or(i64::MAX),
            i64::from(limit),
        );
        Ok(done.execute(&self.pool).await.or_fault()?.rows_affected())
    }

    async fn trim_refused(&self, keep: u32, limit: u32) -> Result<u64> {
        let done = sqlx::query!(
            "DELETE FROM trigger_deliveries WHERE id IN (SELECT id FROM (SELECT id, \
             ROW_NUMBER() OVER (PARTITION BY trigger_uid ORDER BY id DESC) AS place \
             FROM trigger_deliveries WHERE kind = 2) numbered WHERE place > $1 LIMIT $2)",
            i64::from(keep),
            i64::from(limit),
        );
        Ok(done.execute(&self.pool).await.or_fault()?.rows_affected())
    }
}
