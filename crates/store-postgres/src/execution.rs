//! Executions: each flush is a few statements over many rows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    ExecutionChange, ExecutionEnd, ExecutionEnds, ExecutionEvents, ExecutionFlush, ExecutionMessage,
    ExecutionMessages, ExecutionRow, ExecutionStore, NewExecution, NewExecutionMessage, OwnedExecutions,
    Result, RunLimitRow, RunRateRow, SHARD_BITS, ShardOwner, StoreError, Timestamp, Versioned,
    check::{self, Check},
    codec, shard_of,
};

use crate::{
    Postgres,
    fault::OrFault,
    instant,
    partition::{is_in_newest, is_near_end},
};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "execution" };
/// Messages that are written in one statement: they may be large.
const MESSAGES_AT_ONCE: usize = 64;

/// A row as PostgreSQL gives it.
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
    created: OffsetDateTime,
    state: i32,
    wake: Option<OffsetDateTime>,
    reason: String,
    steps: i32,
    retries: i32,
    approvals: i32,
    ended: Option<OffsetDateTime>,
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
                at: instant::from_sql(record.created),
            },
            change: ExecutionChange {
                id: record.id,
                state: record.state,
                definition: record.definition,
                revision: record.revision,
                wake: record.wake.map(instant::from_sql),
                reason: record.reason,
                steps: record.steps,
                retries: record.retries,
                approvals: record.approvals,
                ended: record.ended.map(instant::from_sql),
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

async fn insert(connection: &mut PgConnection, executions: &[NewExecution]) -> Result<()> {
    if executions.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = executions.iter().map(|new| new.id).collect();
    let projects: Vec<&str> = executions.iter().map(|new| &new.project[..]).collect();
    let names: Vec<Option<&str>> = executions.iter().map(|new| new.name.as_deref()).collect();
    let uids: Vec<Uuid> = executions.iter().map(|new| new.uid).collect();
    let graphs: Vec<&str> = executions.iter().map(|new| &new.graph[..]).collect();
    let revisions: Vec<i64> = executions.iter().map(|new| new.revision).collect();
    let definitions: Vec<i64> = executions.iter().map(|new| new.definition).collect();
    let heads: Vec<&[u8]> = executions.iter().map(|new| &new.head[..]).collect();
    let requests: Vec<Option<&[u8]>> =
        executions.iter().map(|new| new.request.as_ref().map(|(request, _)| &request[..])).collect();
    let prints: Vec<Option<&[u8]>> =
        executions.iter().map(|new| new.request.as_ref().map(|(_, print)| &print[..])).collect();
    let times: Vec<OffsetDateTime> = executions.iter().map(|new| instant::to_sql(new.at)).collect();
    sqlx::query!(
        "INSERT INTO executions (id, project, name, uid, graph, revision, definition, head, request, fingerprint, \
         created, state, wake, reason, steps, retries, approvals, ended) \
         SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, at, 1, NULL, '', 0, \
         0, 0, NULL FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::UUID[], $5::TEXT[], $6::BIGINT[], \
         $7::BIGINT[], $8::BYTEA[], $9::BYTEA[], $10::BYTEA[], $11::TIMESTAMPTZ[]) \
         AS new (id, project, name, uid, graph, revision, definition, head, request, fingerprint, at)",
        &ids,
        &projects as _,
        &names as _,
        &uids,
        &graphs as _,
        &revisions,
        &definitions,
        &heads as _,
        &requests as _,
        &prints as _,
        &times,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn change(connection: &mut PgConnection, shard: i32, changes: &[ExecutionChange]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let (first, end) = range(shard);
    let ids: Vec<i64> = changes.iter().map(|change| change.id).collect();
    let states: Vec<i32> = changes.iter().map(|change| change.state).collect();
    let definitions: Vec<i64> = changes.iter().map(|change| change.definition).collect();
    let revisions: Vec<i64> = changes.iter().map(|change| change.revision).collect();
    let wakes: Vec<Option<OffsetDateTime>> =
        changes.iter().map(|change| change.wake.map(instant::to_sql)).collect();
    let reasons: Vec<&str> = changes.iter().map(|change| &change.reason[..]).collect();
    let steps: Vec<i32> = changes.iter().map(|change| change.steps).collect();
    let retries: Vec<i32> = changes.iter().map(|change| change.retries).collect();
    let approvals: Vec<i32> = changes.iter().map(|change| change.approvals).collect();
    let ended: Vec<Option<OffsetDateTime>> =
        changes.iter().map(|change| change.ended.map(instant::to_sql)).collect();
    sqlx::query!(
        "UPDATE executions e SET state = c.state, definition = c.definition, revision = c.revision, wake = c.wake, \
         reason = c.reason, steps = c.steps, retries = c.retries, approvals = c.approvals, \
         ended = c.ended \
         FROM UNNEST($1::BIGINT[], $2::INTEGER[], $3::BIGINT[], $4::BIGINT[], $5::TIMESTAMPTZ[], $6::TEXT[], \
         $7::INTEGER[], $8::INTEGER[], $9::INTEGER[], $10::TIMESTAMPTZ[]) \
         AS c (id, state, definition, revision, wake, reason, steps, retries, approvals, ended) \
         WHERE e.id = c.id AND e.id >= $11 AND e.id < $12",
        &ids,
        &states,
        &definitions,
        &revisions,
        &wakes as _,
        &reasons as _,
        &steps,
        &retries,
        &approvals,
        &ended as _,
        first,
        end,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

/// Numbers the executions of a shard that have ended, after those that did before.
async fn end(
    connection: &mut PgConnection,
    (shard, before): (i32, i64),
    ended: &[&ExecutionChange],
) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let (first, beyond) = range(shard);
    let numbers: Vec<i64> = ended.iter().zip(before + 1..).map(|(_, number)| number).collect();
    let ids: Vec<i64> = ended.iter().map(|change| change.id).collect();
    let states: Vec<i32> = ended.iter().map(|change| change.state).collect();
    let times: Vec<OffsetDateTime> =
        ended.iter().filter_map(|change| change.ended.map(instant::to_sql)).collect();
    sqlx::query!(
        "INSERT INTO execution_ends (shard, number, execution, project, graph, state, ended) \
         SELECT $1::INTEGER, c.number, e.id, e.project, e.graph, c.state, c.at \
         FROM UNNEST($2::BIGINT[], $3::BIGINT[], $4::INTEGER[], $5::TIMESTAMPTZ[]) AS c (number, id, state, at) \
         JOIN executions e ON e.id = c.id AND e.id >= $6 AND e.id < $7",
        shard,
        &numbers,
        &ids,
        &states,
        &times,
        first,
        beyond,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

/// Numbers what was published in a shard, after what was before.
async fn publish(
    connection: &mut PgConnection,
    (shard, before): (i32, i64),
    messages: &[NewExecutionMessage],
) -> Result<()> {
    let mut next = before + 1;
    for some in messages.chunks(MESSAGES_AT_ONCE) {
        let numbers: Vec<i64> = (next..).take(some.len()).collect();
        let projects: Vec<&str> = some.iter().map(|message| &message.project[..]).collect();
        let topics: Vec<&str> = some.iter().map(|message| &message.topic[..]).collect();
        let bytes: Vec<&[u8]> = some.iter().map(|message| &message.bytes[..]).collect();
        let times: Vec<OffsetDateTime> = some.iter().map(|message| instant::to_sql(message.at)).collect();
        next += some.len() as i64;
        sqlx::query!(
            "INSERT INTO execution_messages (shard, number, project, topic, bytes, published) \
             SELECT $1::INTEGER, * FROM UNNEST($2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::BYTEA[], $6::TIMESTAMPTZ[])",
            shard,
            &numbers,
            &projects as _,
            &topics as _,
            &bytes as _,
            &times,
        )
        .execute(&mut *connection)
        .await
        .or_fault()?;
    }
    Ok(())
}

async fn append(connection: &mut PgConnection, events: &[ExecutionEvents]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let executions: Vec<i64> = events.iter().map(|row| row.execution).collect();
    let sequences: Vec<i64> = events.iter().map(|row| row.sequence).collect();
    let bytes: Vec<&[u8]> = events.iter().map(|row| &row.bytes[..]).collect();
    sqlx::query!(
        "INSERT INTO execution_events (execution, sequence, bytes) \
         SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BYTEA[])",
        &executions,
        &sequences,
        &bytes as _,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

/// Limits that are removed go first: a name may be taken again in the same flush.
async fn limit(connection: &mut PgConnection, removed: &[Uuid], limits: &[RunLimitRow]) -> Result<()> {
    if !removed.is_empty() {
        sqlx::query!("DELETE FROM run_limits WHERE uid = ANY($1)", removed)
            .execute(&mut *connection)
            .await
            .or_fault()?;
        sqlx::query!("DELETE FROM run_rates WHERE run_limit = ANY($1)", removed)
            .execute(&mut *connection)
            .await
            .or_fault()?;
    }
    for limit in limits {
        sqlx::query!(
            "INSERT INTO run_limits (uid, project, id, settings, version, created, updated) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (uid) DO UPDATE SET \
             settings = excluded.settings, version = excluded.version, updated = excluded.updated",
            limit.uid,
            limit.project,
            limit.id,
            &limit.settings[..],
            limit.version,
            instant::to_sql(limit.created),
            instant::to_sql(limit.updated),
        )
        .execute(&mut *connection)
        .await
        .or_fault()?;
    }
    Ok(())
}

async fn turn(connection: &mut PgConnection, turns: &[(i64, Option<Bytes>)]) -> Result<()> {
    let gone: Vec<i64> = turns.iter().filter(|(_, turn)| turn.is_none()).map(|(id, _)| *id).collect();
    if !gone.is_empty() {
        sqlx::query!("DELETE FROM execution_turns WHERE execution = ANY($1)", &gone)
            .execute(&mut *connection)
            .await
            .or_fault()?;
    }
    let kept = || turns.iter().filter_map(|(id, turn)| Some((*id, &turn.as_ref()?[..])));
    let (ids, bytes): (Vec<i64>, Vec<&[u8]>) = kept().unzip();
    if !ids.is_empty() {
        sqlx::query!(
            "INSERT INTO execution_turns (execution, turn) SELECT * FROM UNNEST($1::BIGINT[], $2::BYTEA[]) \
             ON CONFLICT (execution) DO UPDATE SET turn = excluded.turn",
            &ids,
            &bytes as _,
        )
        .execute(connection)
        .await
        .or_fault()?;
    }
    Ok(())
}

async fn rate(connection: &mut PgConnection, rates: &[RunRateRow]) -> Result<()> {
    if rates.is_empty() {
        return Ok(());
    }
    let limits: Vec<Uuid> = rates.iter().map(|rate| rate.limit).collect();
    let keys: Vec<&str> = rates.iter().map(|rate| &rate.key[..]).collect();
    let times: Vec<OffsetDateTime> = rates.iter().map(|rate| instant::to_sql(rate.until)).collect();
    sqlx::query!(
        "INSERT INTO run_rates (run_limit, key, until) \
         SELECT * FROM UNNEST($1::UUID[], $2::TEXT[], $3::TIMESTAMPTZ[]) \
         ON CONFLICT (run_limit, key) DO UPDATE SET until = excluded.until",
        &limits,
        &keys as _,
        &times,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

/// Removes executions that have ended; says which.
async fn delete(connection: &mut PgConnection, executions: &[i64]) -> Result<Vec<i64>> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM executions WHERE id = ANY($1::BIGINT[]) AND ended IS NOT NULL RETURNING id",
        executions,
    );
    gone.fetch_all(connection).await.or_fault()
}

async fn delete_events(connection: &mut PgConnection, executions: &[i64]) -> Result<()> {
    if executions.is_empty() {
        return Ok(());
    }
    sqlx::query!("DELETE FROM execution_events WHERE execution = ANY($1::BIGINT[])", executions)
        .execute(connection)
        .await
        .or_fault()?;
    Ok(())
}

async fn epoch_of(connection: &mut PgConnection, shard: i32) -> Result<i64> {
    let row = sqlx::query!("SELECT epoch FROM execution_shards WHERE shard = $1", shard);
    Ok(row.fetch_optional(connection).await.or_fault()?.map_or(0, |row| row.epoch))
}

async fn write_flush(connection: &mut PgConnection, flush: &ExecutionFlush) -> Result<()> {
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
    change(connection, flush.shard, &flush.changes).await?;
    end(connection, (flush.shard, owned.ends - count), &ends).await?;
    publish(connection, (flush.shard, owned.messages - published), &flush.messages).await?;
    limit(connection, &flush.removed_limits, &flush.limits).await?;
    turn(connection, &flush.turns).await?;
    rate(connection, &flush.rates).await?;
    append(connection, &flush.events).await
}

impl Postgres {
    /// Numbers among which a project's executions are: those of its shard, once it is known how many shards there are.
    async fn of_project(&self, project: &str) -> Result<(i64, i64)> {
        let count = async || {
            let row = sqlx::query!("SELECT shards FROM execution_sharding").fetch_optional(&self.pool);
            row.await.or_fault()?.map(|row| row.shards).ok_or(NOT_FOUND)
        };
        match self.shards.get_or_try_init(count).await {
            Ok(shards) => Ok(range(shard_of(project, *shards))),
            Err(StoreError::NotFound { .. }) => Ok((0, i64::MAX)),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl ExecutionStore for Postgres {
    async fn execution_shards(&self, wanted: i32) -> Result<i32> {
        sqlx::query!(
            "INSERT INTO execution_sharding (one, shards) VALUES (1, $1) ON CONFLICT (one) DO NOTHING",
            wanted,
        )
        .execute(&self.pool)
        .await
        .or_fault()?;
        let row = sqlx::query!("SELECT shards FROM execution_sharding").fetch_one(&self.pool).await;
        Ok(row.or_fault()?.shards)
    }

    async fn execution_owners(&self) -> Result<Vec<ShardOwner>> {
        let rows =
            sqlx::query_as!(ShardOwner, "SELECT shard, owner, epoch FROM execution_shards ORDER BY shard");
        rows.fetch_all(&self.pool).await.or_fault()
    }

    async fn own_executions(&self, shard: i32, owner: Uuid, at: Timestamp) -> Result<OwnedExecutions> {
        let (first, end) = range(shard);
        let row = sqlx::query!(
            "INSERT INTO execution_shards AS s (shard, owner, epoch) VALUES ($1, $2, 1) \
             ON CONFLICT (shard) DO UPDATE SET owner = $2, epoch = s.epoch + 1 \
             WHERE s.owner IS NULL OR s.owner = $2 OR NOT EXISTS \
             (SELECT 1 FROM members m WHERE m.uid = s.owner AND m.lease_until > $3) RETURNING epoch",
            shard,
            owner,
            instant::to_sql(at),
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?
        .ok_or(StoreError::AlreadyExists { what: "owner of the shard" })?;
        // A number is not given again as long as anything is left of it.
        let last = sqlx::query!(
            "SELECT GREATEST((SELECT MAX(id) FROM executions WHERE id > $1 AND id < $2), \
             (SELECT MAX(execution) FROM execution_events WHERE execution > $1 AND execution < $2)) AS last",
            first,
            end,
        );
        let last = last.fetch_one(&self.pool).await.or_fault()?.last.unwrap_or(first);
        self.make_partitions(shard, last).await?;
        Ok(OwnedExecutions { shard, epoch: row.epoch, last })
    }

    async fn leave_executions(&self, shard: i32, owner: Uuid) -> Result<()> {
        sqlx::query!(
            "UPDATE execution_shards SET owner = NULL WHERE shard = $1 AND owner = $2",
            shard,
            owner
        )
        .execute(&self.pool)
        .await
        .or_fault()?;
        Ok(())
    }

    async fn flush_executions(&self, flush: ExecutionFlush) -> Result<()> {
        flush.check()?;
        if let Some(new) = flush.executions.last().filter(|new| is_near_end(new.id)) {
            self.make_partitions(flush.shard, new.id).await?;
        }
        let mut transaction = self.begin().await?;
        // Holds the shard's row until the commit: another owner waits for it, and is then the newer one.
        write_flush(&mut transaction, &flush).await?;
        transaction.commit().await.or_fault()
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
            i64::from(limit),
        );
        rows(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn due_executions(&self, shard: i32, before: Timestamp, limit: u32) -> Result<Vec<ExecutionRow>> {
        let (first, end) = range(shard);
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE wake < $1 AND id > $2 AND id < $3 ORDER BY wake, id LIMIT $4",
            instant::to_sql(before),
            first,
            end,
            i64::from(limit),
        );
        rows(records.fetch_all(&self.pool).await.or_fault()?)
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
            found.extend(rows(records.fetch_all(&self.pool).await.or_fault()?)?);
        }
        if requests.is_empty() {
            return Ok(found);
        }
        let keys: Vec<&[u8]> = requests.iter().map(|request| &request[..]).collect();
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE request = ANY($1::BYTEA[]) AND id > $2 AND id < $3",
            &keys as _,
            first,
            end,
        );
        found.extend(rows(records.fetch_all(&self.pool).await.or_fault()?)?);
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
        record.fetch_optional(&self.pool).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
    }

    async fn list_executions(
        &self,
        project: &str,
        graph: Option<&str>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<ExecutionRow>> {
        check::text("project", project)?;
        let (first, end) = self.of_project(project).await?;
        let records = if let Some(graph) = graph {
            check::text("graph", graph)?;
            let records = sqlx::query_as!(
                Record,
                "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
                     steps, retries, approvals, ended FROM executions \
                     WHERE project = $1 AND graph = $2 AND id > $3 AND id < $4 ORDER BY id DESC LIMIT $5",
                project,
                graph,
                first,
                before.min(end),
                i64::from(limit),
            );
            records.fetch_all(&self.pool).await
        } else {
            let records = sqlx::query_as!(
                Record,
                "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
                     steps, retries, approvals, ended FROM executions \
                     WHERE project = $1 AND id > $2 AND id < $3 ORDER BY id DESC LIMIT $4",
                project,
                first,
                before.min(end),
                i64::from(limit),
            );
            records.fetch_all(&self.pool).await
        };
        rows(records.or_fault()?)
    }

    async fn asking_executions(&self, project: &str, before: i64, limit: u32) -> Result<Vec<ExecutionRow>> {
        check::text("project", project)?;
        let (first, end) = self.of_project(project).await?;
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE project = $1 AND ended IS NULL AND approvals <> 0 AND id > $2 AND id < $3 \
             ORDER BY id DESC LIMIT $4",
            project,
            first,
            before.min(end),
            i64::from(limit),
        );
        rows(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn execution_events(&self, execution: i64, after: i64, limit: u32) -> Result<Vec<ExecutionEvents>> {
        let records = sqlx::query!(
            "SELECT sequence, bytes FROM execution_events WHERE execution = $1 AND sequence > $2 \
             ORDER BY sequence LIMIT $3",
            execution,
            after,
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        let row = |sequence, bytes: Vec<u8>| ExecutionEvents { execution, sequence, bytes: bytes.into() };
        Ok(records.into_iter().map(|record| row(record.sequence, record.bytes)).collect())
    }

    async fn put_definition(&self, digest: [u8; 32], bytes: Bytes) -> Result<i64> {
        check::bytes("bytes", &bytes)?;
        let (digest, bytes) = (&digest[..], &bytes[..]);
        // Changes nothing where it is there, and gives its number.
        let row = sqlx::query!(
            "INSERT INTO execution_definitions (digest, bytes) VALUES ($1, $2) \
             ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest RETURNING number",
            digest,
            bytes,
        );
        Ok(row.fetch_one(&self.pool).await.or_fault()?.number)
    }

    async fn get_definition(&self, number: i64) -> Result<Bytes> {
        let row = sqlx::query!("SELECT bytes FROM execution_definitions WHERE number = $1", number);
        let row = row.fetch_optional(&self.pool).await.or_fault()?;
        Ok(row.ok_or(StoreError::NotFound { what: "workflow" })?.bytes.into())
    }

    async fn ended_executions(&self, before: Timestamp, limit: u32) -> Result<Vec<(i64, Uuid)>> {
        let records = sqlx::query!(
            "SELECT id, uid FROM executions WHERE ended < $1 ORDER BY ended, id LIMIT $2",
            instant::to_sql(before),
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        Ok(records.into_iter().map(|record| (record.id, record.uid)).collect())
    }

    async fn execution_ends(&self, shard: i32, after: i64, limit: u32) -> Result<ExecutionEnds> {
        // Before the rows: what comes between is only read later.
        let newest = sqlx::query!("SELECT ends FROM execution_shards WHERE shard = $1", shard);
        let newest = newest.fetch_optional(&self.pool).await.or_fault()?.map_or(0, |row| row.ends);
        let records = sqlx::query!(
            "SELECT number, execution, project, graph, state, ended FROM execution_ends \
             WHERE shard = $1 AND number > $2 ORDER BY number LIMIT $3",
            shard,
            after,
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        let ends = records.into_iter().map(|record| ExecutionEnd {
            number: record.number,
            execution: record.execution,
            project: record.project,
            graph: record.graph,
            state: record.state,
            ended: instant::from_sql(record.ended),
        });
        Ok(ExecutionEnds { newest, ends: ends.collect() })
    }

    async fn forget_execution_ends(&self, shard: i32, before: Timestamp, limit: u32) -> Result<u64> {
        let gone = sqlx::query!(
            "DELETE FROM execution_ends WHERE shard = $1 AND number IN (SELECT number FROM \
             (SELECT number, ended FROM execution_ends WHERE shard = $1 ORDER BY number LIMIT $3) AS oldest \
             WHERE ended < $2)",
            shard,
            instant::to_sql(before),
            i64::from(limit),
        );
        Ok(gone.execute(&self.pool).await.or_fault()?.rows_affected())
    }

    async fn execution_messages(&self, shard: i32, after: i64, limit: u32) -> Result<ExecutionMessages> {
        // Before the rows: what comes between is only read later.
        let newest = sqlx::query!("SELECT messages FROM execution_shards WHERE shard = $1", shard);
        let newest = newest.fetch_optional(&self.pool).await.or_fault()?.map_or(0, |row| row.messages);
        let records = sqlx::query!(
            "SELECT number, project, topic, bytes, published FROM execution_messages \
             WHERE shard = $1 AND number > $2 ORDER BY number LIMIT $3",
            shard,
            after,
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        let messages = records.into_iter().map(|record| ExecutionMessage {
            number: record.number,
            message: NewExecutionMessage {
                project: record.project,
                topic: record.topic,
                bytes: record.bytes.into(),
                at: instant::from_sql(record.published),
            },
        });
        Ok(ExecutionMessages { newest, messages: messages.collect() })
    }

    async fn forget_execution_messages(&self, shard: i32, before: Timestamp, limit: u32) -> Result<u64> {
        let gone = sqlx::query!(
            "DELETE FROM execution_messages WHERE shard = $1 AND number IN (SELECT number FROM \
             (SELECT number, published FROM execution_messages WHERE shard = $1 ORDER BY number LIMIT $3) \
             AS oldest WHERE published < $2)",
            shard,
            instant::to_sql(before),
            i64::from(limit),
        );
        Ok(gone.execute(&self.pool).await.or_fault()?.rows_affected())
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
        let records = sqlx::query!(
            "SELECT uid, project, id, settings, version, created, updated FROM run_limits \
             WHERE ($1::TEXT IS NULL OR project = $1) AND (project, id) > ($2, $3) ORDER BY project, id LIMIT $4",
            project,
            after.0,
            after.1,
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        let row = records.into_iter().map(|record| RunLimitRow {
            uid: record.uid,
            project: record.project,
            id: record.id,
            settings: record.settings.into(),
            version: record.version,
            created: instant::from_sql(record.created),
            updated: instant::from_sql(record.updated),
        });
        Ok(row.collect())
    }

    async fn execution_turns(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<(i64, Bytes)>> {
        let (first, end) = range(shard);
        let records = sqlx::query!(
            "SELECT execution, turn FROM execution_turns WHERE execution > $1 AND execution < $2 \
             ORDER BY execution LIMIT $3",
            after.max(first),
            end,
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        Ok(records.into_iter().map(|record| (record.execution, record.turn.into())).collect())
    }

    async fn run_rates(&self, from: Timestamp, after: (Uuid, &str), limit: u32) -> Result<Vec<RunRateRow>> {
        check::text("after", after.1)?;
        let records = sqlx::query!(
            "SELECT run_limit, key, until FROM run_rates WHERE until > $1 AND (run_limit, key) > ($2, $3) \
             ORDER BY run_limit, key LIMIT $4",
            instant::to_sql(from),
            after.0,
            after.1,
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        let row = records.into_iter().map(|record| RunRateRow {
            limit: record.run_limit,
            key: record.key,
            until: instant::from_sql(record.until),
        });
        Ok(row.collect())
    }

    async fn forget_run_rates(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let gone = sqlx::query!(
            "DELETE FROM run_rates WHERE (run_limit, key) IN (SELECT run_limit, key FROM run_rates \
             WHERE until < $1 ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)",
            instant::to_sql(before),
            i64::from(limit),
        );
        Ok(gone.execute(&self.pool).await.or_fault()?.rows_affected())
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
        let (first, end) = self.of_project(project).await?;
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, graph, revision, definition, head, request, fingerprint, created, state, wake, reason, \
             steps, retries, approvals, ended FROM executions \
             WHERE project = $1 AND ended IS NULL AND ($2::TEXT IS NULL OR graph = $2) AND id > $3 AND id < $4 \
             ORDER BY id LIMIT $5",
            project,
            graph,
            after.max(first),
            end,
            i64::from(limit),
        );
        rows(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn delete_executions(&self, executions: &[i64]) -> Result<()> {
        let mut transaction = self.begin().await?;
        let gone = delete(&mut transaction, executions).await?;
        delete_events(&mut transaction, &gone).await?;
        transaction.commit().await.or_fault()
    }

    async fn forget_executions(&self, executions: &[i64]) -> Result<()> {
        let mut of_shard = BTreeMap::<i32, Vec<i64>>::new();
        for id in executions {
            of_shard.entry(i32::try_from(id >> SHARD_BITS).unwrap_or(i32::MAX)).or_default().push(*id);
        }
        for (shard, executions) in of_shard {
            let (first, end) = range(shard);
            let mut transaction = self.begin().await?;
            let last =
                sqlx::query!("SELECT MAX(id) AS last FROM executions WHERE id > $1 AND id < $2", first, end);
            let last = last.fetch_one(&mut *transaction).await.or_fault()?.last.unwrap_or(first);
            let mut gone = delete(&mut transaction, &executions).await?;
            gone.retain(|id| is_in_newest(*id, last));
            delete_events(&mut transaction, &gone).await?;
            transaction.commit().await.or_fault()?;
        }
        Ok(())
    }

    async fn tidy_executions(&self, shard: i32) -> Result<u64> {
        self.tidy_blocks(shard).await
    }
}
