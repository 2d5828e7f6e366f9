//! Executions: each flush is a few statements over many rows.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::SqliteConnection;
use uuid::Uuid;
use weft_store::{
    ExecutionChange, ExecutionEnd, ExecutionEnds, ExecutionEvents, ExecutionFlush, ExecutionMessage,
    ExecutionMessages, ExecutionRow, ExecutionStore, NewExecution, NewExecutionMessage, OwnedExecutions,
    Result, RunLimitRow, RunRateRow, SHARD_BITS, ShardOwner, StoreError, Timestamp, Versioned,
    check::{self, Check},
    codec,
};

use crate::{Sqlite, fault::OrFault, rows::Rows};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "execution" };
/// Messages that are written in one statement: they may be large.
const MESSAGES_AT_ONCE: usize = 64;

/// A row as SQLite gives it.
struct Record {
    id: i64,
    project: String,
    name: Option<String>,
    uid: Uuid,
    graph: String,
    revision: i64,
    definition: i64,
    head: Vec<u8>,
    request: Option<Vec<u8>>,
    fingerprint: Option<Vec<u8>>,
    created: i64,
    state: i32,
    wake: Option<i64>,
    reason: String,
    steps: i32,
    retries: i32,
    approvals: i32,
    ended: Option<i64>,
}

impl TryFrom<Record> for ExecutionRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        let request = match (record.request, record.fingerprint) {
            (Some(request), Some(print)) => {
                Some((request.into(), codec::digest("executions", record.id, &print)?))
            }
            _ => None,
        };
        Ok(Self {
            execution: NewExecution {
                id: record.id,
                project: record.project,
                name: record.name,
                uid: record.uid,
                graph: record.graph,
                revision: record.revision,
                definition: record.definition,
                head: record.head.into(),
                request,
                at: Timestamp::from_micros(record.created),
            },
            change: ExecutionChange {
                id: record.id,
                state: record.state,
                definition: record.definition,
                revision: record.revision,
                wake: record.wake.map(Timestamp::from_micros),
                reason: record.reason,
                steps: record.steps,
                retries: record.retries,
                approvals: record.approvals,
                ended: record.ended.map(Timestamp::from_micros),
            },
        })
    }
}

fn rows(records: Vec<Record>) -> Result<Vec<ExecutionRow>> {
    records.into_iter().map(ExecutionRow::try_from).collect()
}

/// The numbers of a shard's executions.
fn range(shard: i32) -> (i64, i64) {
    let first = i64::from(shard) << SHARD_BITS;
    (first, first + (1 << SHARD_BITS))
}

async fn insert(connection: &mut SqliteConnection, executions: &[NewExecution]) -> Result<()> {
    if executions.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(executions.len());
    for new in executions {
        rows.begin();
        rows.number(new.id);
        rows.text(&new.project);
        rows.optional_text(new.name.as_deref());
        rows.bytes(new.uid.as_bytes());
        rows.text(&new.graph);
        rows.number(new.revision);
        rows.number(new.definition);
        rows.bytes(&new.head);
        rows.optional(new.request.as_ref().map(|(request, _)| &request[..]));
        rows.optional(new.request.as_ref().map(|(_, print)| &print[..]));
        rows.number(new.at.as_micros());
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "INSERT INTO executions (id, project, name, uid, graph, revision, definition, head, request, fingerprint, \
         created, state, wake, reason, steps, retries, approvals, ended) \
         SELECT value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5, value ->> 6, value ->> 7, \
         unhex(value ->> 8), unhex(value ->> 9), unhex(value ->> 10), value ->> 11, 1, NULL, '', 0, 0, 0, NULL \
         FROM json_each($1)",
        rows,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn change(connection: &mut SqliteConnection, changes: &[ExecutionChange]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(changes.len());
    for change in changes {
        rows.begin();
        rows.number(change.id);
        rows.number(change.state.into());
        rows.number(change.definition);
        rows.number(change.revision);
        rows.optional_number(change.wake.map(Timestamp::as_micros));
        rows.text(&change.reason);
        rows.number(change.steps.into());
        rows.number(change.retries.into());
        rows.number(change.approvals.into());
        rows.optional_number(change.ended.map(Timestamp::as_micros));
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "UPDATE executions SET state = c.value ->> 2, definition = c.value ->> 3, revision = c.value ->> 4, \
         wake = c.value ->> 5, reason = c.value ->> 6, steps = c.value ->> 7, retries = c.value ->> 8, \
         approvals = c.value ->> 9, ended = c.value ->> 10 FROM json_each($1) AS c WHERE executions.id = c.value ->> 1",
        rows,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

/// Numbers the executions of a shard that have ended, after those that did before.
async fn end(
    connection: &mut SqliteConnection,
    (shard, before): (i32, i64),
    ended: &[&ExecutionChange],
) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(ended.len());
    for (change, number) in ended.iter().zip(before + 1..) {
        rows.begin();
        rows.number(number);
        rows.number(change.id);
        rows.number(change.state.into());
        rows.optional_number(change.ended.map(Timestamp::as_micros));
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "INSERT INTO execution_ends (shard, number, execution, project, graph, state, ended) \
         SELECT $1, c.value ->> 1, e.id, e.project, e.graph, c.value ->> 3, c.value ->> 4 \
         FROM json_each($2) AS c CROSS JOIN executions AS e WHERE e.id = c.value ->> 2",
        shard,
        rows,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

/// Numbers what was published in a shard, after what was before.
async fn publish(
    connection: &mut SqliteConnection,
    (shard, before): (i32, i64),
    messages: &[NewExecutionMessage],
) -> Result<()> {
    let mut next = before + 1;
    for some in messages.chunks(MESSAGES_AT_ONCE) {
        let mut rows = Rows::new(some.len());
        for (message, number) in some.iter().zip(next..) {
            rows.begin();
            rows.number(number);
            rows.text(&message.project);
            rows.text(&message.topic);
            rows.bytes(&message.bytes);
            rows.number(message.at.as_micros());
            rows.end();
        }
        next += some.len() as i64;
        let rows = rows.finish();
        sqlx::query!(
            "INSERT INTO execution_messages (shard, number, project, topic, bytes, published) \
             SELECT $1, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5 FROM json_each($2)",
            shard,
            rows,
        )
        .execute(&mut *connection)
        .await
        .or_fault()?;
    }
    Ok(())
}

async fn append(connection: &mut SqliteConnection, events: &[ExecutionEvents]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(events.len());
    for row in events {
        rows.begin();
        rows.number(row.execution);
        rows.number(row.sequence);
        rows.bytes(&row.bytes);
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "INSERT INTO execution_events (execution, sequence, bytes) \
         SELECT value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each($1)",
        rows,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

/// Limits that are removed go first: a name may be taken again in the same flush.
async fn limit(connection: &mut SqliteConnection, removed: &[Uuid], limits: &[RunLimitRow]) -> Result<()> {
    for uid in removed {
        sqlx::query!("DELETE FROM run_limits WHERE uid = $1", uid)
            .execute(&mut *connection)
            .await
            .or_fault()?;
        sqlx::query!("DELETE FROM run_rates WHERE run_limit = $1", uid)
            .execute(&mut *connection)
            .await
            .or_fault()?;
    }
    for limit in limits {
        let settings = &limit.settings[..];
        let (created, updated) = (limit.created.as_micros(), limit.updated.as_micros());
        sqlx::query!(
            "INSERT INTO run_limits (uid, project, id, settings, version, created, updated) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (uid) DO UPDATE SET \
             settings = excluded.settings, version = excluded.version, updated = excluded.updated",
            limit.uid,
            limit.project,
            limit.id,
            settings,
            limit.version,
            created,
            updated,
        )
        .execute(&mut *connection)
        .await
        .or_fault()?;
    }
    Ok(())
}

async fn turn(connection: &mut SqliteConnection, turns: &[(i64, Option<Bytes>)]) -> Result<()> {
    if turns.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(turns.len());
    for (execution, turn) in turns {
        rows.begin();
        rows.number(*execution);
        rows.optional(turn.as_deref());
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "DELETE FROM execution_turns WHERE execution IN (SELECT value ->> 1 FROM json_each($1) \
         WHERE value ->> 2 IS NULL)",
        rows,
    )
    .execute(&mut *connection)
    .await
    .or_fault()?;
    sqlx::query!(
        "INSERT INTO execution_turns (execution, turn) SELECT value ->> 1, unhex(value ->> 2) FROM json_each($1) \
         WHERE value ->> 2 IS NOT NULL ON CONFLICT (execution) DO UPDATE SET turn = excluded.turn",
        rows,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn rate(connection: &mut SqliteConnection, rates: &[RunRateRow]) -> Result<()> {
    if rates.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(rates.len());
    for rate in rates {
        rows.begin();
        rows.bytes(rate.limit.as_bytes());
        rows.text(&rate.key);
        rows.number(rate.until.as_micros());
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "INSERT INTO run_rates (run_limit, key, until) \
         SELECT unhex(value ->> 1), value ->> 2, value ->> 3 FROM json_each($1) WHERE true \
         ON CONFLICT (run_limit, key) DO UPDATE SET until = excluded.until",
        rows,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn epoch_of(connection: &mut SqliteConnection, shard: i32) -> Result<i64> {
    let row = sqlx::query!("SELECT epoch FROM execution_shards WHERE shard = $1", shard);
    Ok(row.fetch_optional(connection).await.or_fault()?.map_or(0, |row| row.epoch))
}

async fn write_flush(connection: &mut SqliteConnection, flush: &ExecutionFlush) -> Result<()> {
    let ends: Vec<&ExecutionChange> = flush.changes.iter().filter(|change| change.ended.is_some()).collect();
    let count = i64::try_from(ends.len()).unwrap_or(i64::MAX);
    let published = i64::try_from(flush.messages.len()).unwrap_or(i64::MAX);
    let owned = sqlx::query!(
        "UPDATE execution_shards SET ends = ends + $3, messages = messages + $4 \
         WHERE shard = $1 AND epoch = $2 RETURNING ends, messages",
        flush.shard,
        flush.epoch,
        count,
        published,
    )
    .fetch_optional(&mut *connection)
    .await
    .or_fault()?;
    let Some(owned) = owned else {
        let current = epoch_of(connection, flush.shard).await?;
        return Err(StoreError::Stale { of: Versioned::Epoch, current });
    };
    insert(connection, &flush.executions).await?;
    change(connection, &flush.changes).await?;
    end(connection, (flush.shard, owned.ends - count), &ends).await?;
    publish(connection, (flush.shard, owned.messages - published), &flush.messages).await?;
    limit(connection, &flush.removed_limits, &flush.limits).await?;
    turn(connection, &flush.turns).await?;
    rate(connection, &flush.rates).await?;
    append(connection, &flush.events).await
}

#[async_trait]
impl ExecutionStore for Sqlite {
    async fn execution_shards(&self, wanted: i32) -> Result<i32> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query!(
                    "INSERT INTO execution_sharding (one, shards) VALUES (1, $1) ON CONFLICT (one) DO NOTHING",
                    wanted,
                )
                .execute(&mut *connection)
                .await
                .or_fault()?;
                let row = sqlx::query!("SELECT shards FROM execution_sharding");
                Ok(row.fetch_one(connection).await.or_fault()?.shards)
            })
        })
        .await
    }

    async fn execution_owners(&self) -> Result<Vec<ShardOwner>> {
        let rows = sqlx::query_as!(
            ShardOwner,
            "SELECT shard, owner AS \"owner: Uuid\", epoch FROM execution_shards ORDER BY shard"
        );
        rows.fetch_all(&self.readers).await.or_fault()
    }

    async fn own_executions(&self, shard: i32, owner: Uuid, at: Timestamp) -> Result<OwnedExecutions> {
        self.write(move |connection| {
            Box::pin(async move {
                let (first, end) = range(shard);
                let at = at.as_micros();
                let row = sqlx::query!(
                    "INSERT INTO execution_shards AS s (shard, owner, epoch) VALUES ($1, $2, 1) \
                     ON CONFLICT (shard) DO UPDATE SET owner = $2, epoch = epoch + 1 \
                     WHERE s.owner IS NULL OR s.owner = $2 OR NOT EXISTS \
                     (SELECT 1 FROM members m WHERE m.uid = s.owner AND m.lease_until > $3) RETURNING epoch",
                    shard,
                    owner,
                    at,
                )
                .fetch_optional(&mut *connection)
                .await
                .or_fault()?
                .ok_or(StoreError::AlreadyExists { what: "owner of the shard" })?;
                let last = sqlx::query!(
                    "SELECT MAX(id) AS \"last: i64\" FROM executions WHERE id > $1 AND id < $2",
                    first,
                    end
                )
                .fetch_one(connection)
                .await
                .or_fault()?;
                Ok(OwnedExecutions { shard, epoch: row.epoch, last: last.last.unwrap_or(first) })
            })
        })
        .await
    }

    async fn leave_executions(&self, shard: i32, owner: Uuid) -> Result<()> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query!(
                    "UPDATE execution_shards SET owner = NULL WHERE shard = $1 AND owner = $2",
                    shard,
                    owner
                )
                .execute(connection)
                .await
                .or_fault()?;
                Ok(())
            })
        })
        .await
    }

    async fn flush_executions(&self, flush: ExecutionFlush) -> Result<()> {
        flush.check()?;
        self.write(move |connection| Box::pin(async move { write_flush(connection, &flush).await })).await
    }

    async fn active_executions(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<ExecutionRow>> {
        let (first, end) = range(shard);
        let after = after.max(first);
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE ended IS NULL AND wake IS NULL AND id > $1 AND id < $2 ORDER BY id LIMIT $3",
            after,
            end,
            limit,
        );
        rows(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn due_executions(&self, shard: i32, before: Timestamp, limit: u32) -> Result<Vec<ExecutionRow>> {
        let (first, end) = range(shard);
        let before = before.as_micros();
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE wake < $1 AND id > $2 AND id < $3 ORDER BY wake, id LIMIT $4",
            before,
            first,
            end,
            limit,
        );
        rows(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn find_executions(
        &self,
        shard: i32,
        names: &[(String, String)],
        requests: &[Bytes],
    ) -> Result<Vec<ExecutionRow>> {
        let (first, end) = range(shard);
        let mut found = Vec::new();
        for (project, name) in names {
            check::text("name", name)?;
            let records = sqlx::query_as!(
                Record,
                "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
                 steps, retries, approvals, ended FROM executions \
                 WHERE project = $1 AND name = $2 AND id > $3 AND id < $4",
                project,
                name,
                first,
                end,
            );
            found.extend(rows(records.fetch_all(&self.readers).await.or_fault()?)?);
        }
        if requests.is_empty() {
            return Ok(found);
        }
        let mut keys = Rows::new(requests.len());
        for request in requests {
            keys.begin();
            keys.bytes(request);
            keys.end();
        }
        let keys = keys.finish();
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE request IN (SELECT unhex(value ->> 1) FROM json_each($1)) AND id > $2 AND id < $3",
            keys,
            first,
            end,
        );
        found.extend(rows(records.fetch_all(&self.readers).await.or_fault()?)?);
        Ok(found)
    }

    async fn get_execution(&self, id: i64) -> Result<ExecutionRow> {
        let record = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE id = $1",
            id,
        );
        record.fetch_optional(&self.readers).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
    }

    async fn list_executions(
        &self,
        project: &str,
        graph: Option<&str>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<ExecutionRow>> {
        check::text("project", project)?;
        let records = if let Some(graph) = graph {
            check::text("graph", graph)?;
            let records = sqlx::query_as!(
                Record,
                "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
                     steps, retries, approvals, ended FROM executions \
                     WHERE project = $1 AND graph = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
                project,
                graph,
                before,
                limit,
            );
            records.fetch_all(&self.readers).await
        } else {
            let records = sqlx::query_as!(
                Record,
                "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
                     steps, retries, approvals, ended FROM executions \
                     WHERE project = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
                project,
                before,
                limit,
            );
            records.fetch_all(&self.readers).await
        };
        rows(records.or_fault()?)
    }

    async fn asking_executions(&self, project: &str, before: i64, limit: u32) -> Result<Vec<ExecutionRow>> {
        check::text("project", project)?;
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE project = $1 AND ended IS NULL AND approvals <> 0 AND id < $2 ORDER BY id DESC LIMIT $3",
            project,
            before,
            limit,
        );
        rows(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn execution_events(&self, execution: i64, after: i64, limit: u32) -> Result<Vec<ExecutionEvents>> {
        let records = sqlx::query!(
            "SELECT sequence, bytes FROM execution_events WHERE execution = $1 AND sequence > $2 \
             ORDER BY sequence LIMIT $3",
            execution,
            after,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        let row = |sequence, bytes: Vec<u8>| ExecutionEvents { execution, sequence, bytes: bytes.into() };
        Ok(records.into_iter().map(|record| row(record.sequence, record.bytes)).collect())
    }

    async fn put_definition(&self, digest: [u8; 32], bytes: Bytes) -> Result<i64> {
        check::bytes("bytes", &bytes)?;
        self.write(move |connection| {
            Box::pin(async move {
                let (digest, bytes) = (&digest[..], &bytes[..]);
                // Changes nothing where it is there, and gives its number.
                let row = sqlx::query!(
                    "INSERT INTO execution_definitions (digest, bytes) VALUES ($1, $2) \
                     ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest RETURNING number",
                    digest,
                    bytes,
                );
                Ok(row.fetch_one(connection).await.or_fault()?.number)
            })
        })
        .await
    }

    async fn get_definition(&self, number: i64) -> Result<Bytes> {
        let row = sqlx::query!("SELECT bytes FROM execution_definitions WHERE number = $1", number);
        let row = row.fetch_optional(&self.readers).await.or_fault()?;
        Ok(row.ok_or(StoreError::NotFound { what: "workflow" })?.bytes.into())
    }

    async fn ended_executions(&self, before: Timestamp, limit: u32) -> Result<Vec<(i64, Uuid)>> {
        let before = before.as_micros();
        let records = sqlx::query!(
            "SELECT id, uid FROM executions WHERE ended < $1 ORDER BY ended, id LIMIT $2",
            before,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        Ok(records.into_iter().map(|record| (record.id, record.uid)).collect())
    }

    async fn execution_ends(&self, shard: i32, after: i64, limit: u32) -> Result<ExecutionEnds> {
        // Before the rows: what comes between is only read later.
        let newest = sqlx::query!("SELECT ends FROM execution_shards WHERE shard = $1", shard);
        let newest = newest.fetch_optional(&self.readers).await.or_fault()?.map_or(0, |row| row.ends);
        let records = sqlx::query!(
            "SELECT number, execution, project, graph, state, ended FROM execution_ends \
             WHERE shard = $1 AND number > $2 ORDER BY number LIMIT $3",
            shard,
            after,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        let ends = records.into_iter().map(|record| ExecutionEnd {
            number: record.number,
            execution: record.execution,
            project: record.project,
            graph: record.graph,
            state: record.state,
            ended: Timestamp::from_micros(record.ended),
        });
        Ok(ExecutionEnds { newest, ends: ends.collect() })
    }

    async fn forget_execution_ends(&self, shard: i32, before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move {
                let before = before.as_micros();
                let gone = sqlx::query!(
                    "DELETE FROM execution_ends WHERE shard = $1 AND number IN (SELECT number FROM \
                     (SELECT number, ended FROM execution_ends WHERE shard = $1 ORDER BY number LIMIT $3) AS oldest \
                     WHERE ended < $2)",
                    shard,
                    before,
                    limit,
                );
                Ok(gone.execute(connection).await.or_fault()?.rows_affected())
            })
        })
        .await
    }

    async fn execution_messages(&self, shard: i32, after: i64, limit: u32) -> Result<ExecutionMessages> {
        // Before the rows: what comes between is only read later.
        let newest = sqlx::query!("SELECT messages FROM execution_shards WHERE shard = $1", shard);
        let newest = newest.fetch_optional(&self.readers).await.or_fault()?.map_or(0, |row| row.messages);
        let records = sqlx::query!(
            "SELECT number, project, topic, bytes, published FROM execution_messages \
             WHERE shard = $1 AND number > $2 ORDER BY number LIMIT $3",
            shard,
            after,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        let messages = records.into_iter().map(|record| ExecutionMessage {
            number: record.number,
            message: NewExecutionMessage {
                project: record.project,
                topic: record.topic,
                bytes: record.bytes.into(),
                at: Timestamp::from_micros(record.published),
            },
        });
        Ok(ExecutionMessages { newest, messages: messages.collect() })
    }

    async fn forget_execution_messages(&self, shard: i32, before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move {
                let before = before.as_micros();
                let gone = sqlx::query!(
                    "DELETE FROM execution_messages WHERE shard = $1 AND number IN (SELECT number FROM \
                     (SELECT number, published FROM execution_messages WHERE shard = $1 ORDER BY number LIMIT $3) \
                     AS oldest WHERE published < $2)",
                    shard,
                    before,
                    limit,
                );
                Ok(gone.execute(connection).await.or_fault()?.rows_affected())
            })
        })
        .await
    }

    async fn list_run_limits(
        &self,
        project: Option<&str>,
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<RunLimitRow>> {
        project.map_or(Ok(()), |project| check::text("project", project))?;
        check::text("after", after.0)?;
        check::text("after", after.1)?;
        let (after_project, after_id) = after;
        let records = sqlx::query!(
            "SELECT uid, project, id, settings, version, created, updated FROM run_limits \
             WHERE ($1 IS NULL OR project = $1) AND (project, id) > ($2, $3) ORDER BY project, id LIMIT $4",
            project,
            after_project,
            after_id,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        let row = records.into_iter().map(|record| RunLimitRow {
            uid: record.uid,
            project: record.project,
            id: record.id,
            settings: record.settings.into(),
            version: record.version,
            created: Timestamp::from_micros(record.created),
            updated: Timestamp::from_micros(record.updated),
        });
        Ok(row.collect())
    }

    async fn execution_turns(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<(i64, Bytes)>> {
        let (first, end) = range(shard);
        let after = after.max(first);
        let records = sqlx::query!(
            "SELECT execution, turn FROM execution_turns WHERE execution > $1 AND execution < $2 \
             ORDER BY execution LIMIT $3",
            after,
            end,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        Ok(records.into_iter().map(|record| (record.execution, record.turn.into())).collect())
    }

    async fn run_rates(
        &self,
        from: Timestamp,
        (limit_after, key_after): (Uuid, &str),
        limit: u32,
    ) -> Result<Vec<RunRateRow>> {
        check::text("after", key_after)?;
        let from = from.as_micros();
        let records = sqlx::query!(
            "SELECT run_limit, key, until FROM run_rates WHERE until > $1 AND (run_limit, key) > ($2, $3) \
             ORDER BY run_limit, key LIMIT $4",
            from,
            limit_after,
            key_after,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        let row = records.into_iter().map(|record| RunRateRow {
            limit: record.run_limit,
            key: record.key,
            until: Timestamp::from_micros(record.until),
        });
        Ok(row.collect())
    }

    async fn forget_run_rates(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move {
                let before = before.as_micros();
                let gone = sqlx::query!(
                    "DELETE FROM run_rates WHERE (run_limit, key) IN (SELECT run_limit, key FROM run_rates \
                     WHERE until < $1 ORDER BY until LIMIT $2)",
                    before,
                    limit,
                );
                Ok(gone.execute(connection).await.or_fault()?.rows_affected())
            })
        })
        .await
    }

    async fn open_executions(
        &self,
        project: &str,
        graph: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ExecutionRow>> {
        check::text("project", project)?;
        graph.map_or(Ok(()), |graph| check::text("graph", graph))?;
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE project = $1 AND ended IS NULL AND ($2 IS NULL OR graph = $2) AND id > $3 ORDER BY id LIMIT $4",
            project,
            graph,
            after,
            limit,
        );
        rows(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn delete_executions(&self, executions: &[i64]) -> Result<()> {
        let executions = executions.to_vec();
        self.write(move |connection| {
            Box::pin(async move {
                for id in executions {
                    let gone = sqlx::query!("DELETE FROM executions WHERE id = $1 AND ended IS NOT NULL", id)
                        .execute(&mut *connection)
                        .await
                        .or_fault()?;
                    if gone.rows_affected() > 0 {
                        sqlx::query!("DELETE FROM execution_events WHERE execution = $1", id)
                            .execute(&mut *connection)
                            .await
                            .or_fault()?;
                    }
                }
                Ok(())
            })
        })
        .await
    }

    async fn forget_executions(&self, executions: &[i64]) -> Result<()> {
        self.delete_executions(executions).await
    }

    async fn tidy_executions(&self, _shard: i32) -> Result<u64> {
        // What is deleted is gone.
        Ok(0)
    }
}
