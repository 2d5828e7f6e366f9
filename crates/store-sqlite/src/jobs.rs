//! Durable jobs: each flush is a few statements over many rows.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::SqliteConnection;
use uuid::Uuid;
use weft_store::{
    BatchChange, BatchCount, BatchFilter, BatchRow, JobFlush, JobOutput, JobRow, JobStore, NewBatch,
    OwnedShard, Result, SHARD_BITS, StoreError, Timestamp, Versioned,
    check::{self, Check},
    codec,
};

use crate::{Sqlite, fault::OrFault, rows::Rows};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "batch" };

/// A row as SQLite gives it.
struct Record {
    id: i64,
    project: String,
    name: String,
    uid: Uuid,
    kind: String,
    state: i32,
    total: i32,
    completed: i32,
    failed: i32,
    cancelled: i32,
    terms: Vec<u8>,
    note: Vec<u8>,
    payload: Vec<u8>,
    request: Option<Vec<u8>>,
    fingerprint: Option<Vec<u8>>,
    created: i64,
    ended: Option<i64>,
}

impl TryFrom<Record> for BatchRow {
    type Error = StoreError;

    fn try_from(record: Record) -> Result<Self> {
        let request = match (record.request, record.fingerprint) {
            (Some(request), Some(print)) => {
                Some((request.into(), codec::digest("job_batches", record.id, &print)?))
            }
            _ => None,
        };
        Ok(Self {
            batch: NewBatch {
                id: record.id,
                project: record.project,
                name: record.name,
                uid: record.uid,
                kind: record.kind,
                total: record.total,
                terms: record.terms.into(),
                note: record.note.into(),
                payload: record.payload.into(),
                request,
                at: Timestamp::from_micros(record.created),
            },
            state: record.state,
            completed: record.completed,
            failed: record.failed,
            cancelled: record.cancelled,
            ended: record.ended.map(Timestamp::from_micros),
        })
    }
}

fn rows(records: Vec<Record>) -> Result<Vec<BatchRow>> {
    records.into_iter().map(BatchRow::try_from).collect()
}

struct JobRecord {
    batch: i64,
    number: i32,
    queue: String,
    state: i32,
    changed: i64,
    hot: Vec<u8>,
    outcome: Option<Vec<u8>>,
}

impl From<JobRecord> for JobRow {
    fn from(record: JobRecord) -> Self {
        let JobRecord { batch, number, queue, state, changed, hot, outcome } = record;
        Self { batch, number, queue, state, changed, hot: hot.into(), outcome: outcome.map(Bytes::from) }
    }
}

/// The numbers of a shard's batches.
fn range(shard: i32) -> (i64, i64) {
    let first = i64::from(shard) << SHARD_BITS;
    (first, first + (1 << SHARD_BITS))
}

async fn insert_batches(connection: &mut SqliteConnection, batches: &[NewBatch]) -> Result<()> {
    if batches.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(batches.len());
    for batch in batches {
        rows.begin();
        rows.number(batch.id);
        rows.text(&batch.project);
        rows.text(&batch.name);
        rows.bytes(batch.uid.as_bytes());
        rows.text(&batch.kind);
        rows.number(batch.total.into());
        rows.bytes(&batch.terms);
        rows.bytes(&batch.note);
        rows.bytes(&batch.payload);
        rows.optional(batch.request.as_ref().map(|(request, _)| &request[..]));
        rows.optional(batch.request.as_ref().map(|(_, print)| &print[..]));
        rows.number(batch.at.as_micros());
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "INSERT INTO job_batches (id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, \
         note, payload, request, fingerprint, created) \
         SELECT value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5, 1, value ->> 6, 0, 0, 0, \
         unhex(value ->> 7), unhex(value ->> 8), unhex(value ->> 9), unhex(value ->> 10), unhex(value ->> 11), \
         value ->> 12 FROM json_each($1)",
        rows,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn change_batches(connection: &mut SqliteConnection, changes: &[BatchChange]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(changes.len());
    for change in changes {
        rows.begin();
        rows.number(change.id);
        rows.number(change.state.into());
        rows.number(change.completed.into());
        rows.number(change.failed.into());
        rows.number(change.cancelled.into());
        rows.bytes(&change.terms);
        rows.optional(change.note.as_deref());
        rows.optional_number(change.ended.map(Timestamp::as_micros));
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "UPDATE job_batches SET state = c.value ->> 2, completed = c.value ->> 3, failed = c.value ->> 4, \
         cancelled = c.value ->> 5, terms = unhex(c.value ->> 6), note = COALESCE(unhex(c.value ->> 7), note), \
         ended = c.value ->> 8 FROM json_each($1) AS c WHERE job_batches.id = c.value ->> 1",
        rows,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn put_jobs(connection: &mut SqliteConnection, jobs: &[JobRow], flush: i64) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(jobs.len());
    for job in jobs {
        rows.begin();
        rows.number(job.batch);
        rows.number(job.number.into());
        rows.text(&job.queue);
        rows.number(job.state.into());
        rows.bytes(&job.hot);
        rows.optional(job.outcome.as_deref());
        rows.end();
    }
    let rows = rows.finish();
    sqlx::query!(
        "INSERT INTO jobs (batch, number, queue, state, changed, hot, outcome) \
         SELECT value ->> 1, value ->> 2, value ->> 3, value ->> 4, $2, unhex(value ->> 5), unhex(value ->> 6) \
         FROM json_each($1) WHERE true ON CONFLICT (batch, number) DO UPDATE SET state = excluded.state, \
         changed = excluded.changed, hot = excluded.hot, outcome = COALESCE(excluded.outcome, outcome)",
        rows,
        flush,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn put_outputs(connection: &mut SqliteConnection, outputs: &[JobOutput]) -> Result<()> {
    // Few and large: one by one.
    for output in outputs {
        let (at, bytes) = (output.at.as_micros(), &output.bytes[..]);
        sqlx::query!(
            "INSERT INTO job_outputs (batch, number, fence, sequence, at, stream, bytes) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            output.batch,
            output.number,
            output.fence,
            output.sequence,
            at,
            output.stream,
            bytes,
        )
        .execute(&mut *connection)
        .await
        .or_fault()?;
    }
    Ok(())
}

async fn epoch_of(connection: &mut SqliteConnection, shard: i32) -> Result<i64> {
    let row = sqlx::query!("SELECT epoch FROM job_shards WHERE shard = $1", shard);
    Ok(row.fetch_optional(connection).await.or_fault()?.map_or(0, |row| row.epoch))
}

#[async_trait]
impl JobStore for Sqlite {
    async fn own_shard(
        &self,
        shard: i32,
        owner: &str,
        _at: Timestamp,
        until: Timestamp,
    ) -> Result<OwnedShard> {
        check::text("owner", owner)?;
        let owner = owner.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let (first, end) = range(shard);
                let until = until.as_micros();
                let row = sqlx::query!(
                    "INSERT INTO job_shards (shard, owner, epoch, lease_until, flush) VALUES ($1, $2, 1, $3, 0) \
                     ON CONFLICT (shard) DO UPDATE SET owner = $2, epoch = epoch + 1, lease_until = $3 \
                     RETURNING epoch, flush",
                    shard,
                    owner,
                    until,
                )
                .fetch_one(&mut *connection)
                .await
                .or_fault()?;
                let last = sqlx::query!(
                    "SELECT MAX(id) AS \"last: i64\" FROM job_batches WHERE id > $1 AND id < $2",
                    first,
                    end
                )
                .fetch_one(connection)
                .await
                .or_fault()?;
                let last_batch = last.last.unwrap_or(first);
                Ok(OwnedShard { shard, epoch: row.epoch, flush: row.flush, last_batch })
            })
        })
        .await
    }

    async fn leave_shard(&self, shard: i32, epoch: i64) -> Result<()> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query!(
                    "UPDATE job_shards SET lease_until = 0 WHERE shard = $1 AND epoch = $2",
                    shard,
                    epoch
                )
                .execute(connection)
                .await
                .or_fault()?;
                Ok(())
            })
        })
        .await
    }

    async fn flush_jobs(&self, flush: JobFlush) -> Result<()> {
        flush.check()?;
        self.write(move |connection| {
            Box::pin(async move {
                let until = flush.lease_until.as_micros();
                let owned = sqlx::query!(
                    "UPDATE job_shards SET flush = $1, lease_until = $2 WHERE shard = $3 AND epoch = $4",
                    flush.flush,
                    until,
                    flush.shard,
                    flush.epoch,
                )
                .execute(&mut *connection)
                .await
                .or_fault()?;
                if owned.rows_affected() == 0 {
                    let current = epoch_of(connection, flush.shard).await?;
                    return Err(StoreError::Stale { of: Versioned::Epoch, current });
                }
                insert_batches(connection, &flush.batches).await?;
                put_jobs(connection, &flush.jobs, flush.flush).await?;
                change_batches(connection, &flush.changes).await?;
                put_outputs(connection, &flush.outputs).await
            })
        })
        .await
    }

    async fn open_batches(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<BatchRow>> {
        let (first, end) = range(shard);
        let after = after.max(first);
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, note, \
             x'' AS \"payload!: Vec<u8>\", request, fingerprint, created, ended FROM job_batches \
             WHERE ended IS NULL AND id > $1 AND id < $2 ORDER BY id LIMIT $3",
            after,
            end,
            limit,
        );
        rows(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn open_jobs(&self, shard: i32, after: (i64, i32), limit: u32) -> Result<Vec<JobRow>> {
        let (first, end) = range(shard);
        let (batch, number) = after;
        let from = batch.max(first);
        let records = sqlx::query_as!(
            JobRecord,
            "SELECT j.batch, j.number, j.queue, j.state, j.changed, j.hot, NULL AS \"outcome: Vec<u8>\" \
             FROM job_batches b CROSS JOIN jobs j ON j.batch = b.id \
             WHERE b.ended IS NULL AND b.id >= $1 AND b.id < $2 AND (j.batch > $3 OR j.number > $4) \
             ORDER BY b.id, j.number LIMIT $5",
            from,
            end,
            batch,
            number,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        Ok(records.into_iter().map(JobRow::from).collect())
    }

    async fn find_batches(&self, names: &[(String, String)], requests: &[Bytes]) -> Result<Vec<BatchRow>> {
        let mut found = Vec::new();
        for (project, name) in names {
            match self.get_batch(project, name).await {
                Ok(mut row) => {
                    row.batch.payload = Bytes::new();
                    found.push(row);
                }
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
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
            "SELECT id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, note, \
             x'' AS \"payload!: Vec<u8>\", request, fingerprint, created, ended FROM job_batches \
             WHERE request IN (SELECT unhex(value ->> 1) FROM json_each($1))",
            keys,
        );
        found.extend(rows(records.fetch_all(&self.readers).await.or_fault()?)?);
        Ok(found)
    }

    async fn get_batch(&self, project: &str, name: &str) -> Result<BatchRow> {
        check::text("project", project)?;
        check::text("name", name)?;
        let record = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, note, payload, \
             request, fingerprint, created, ended FROM job_batches WHERE project = $1 AND name = $2",
            project,
            name,
        );
        record.fetch_optional(&self.readers).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
    }

    async fn list_batches(
        &self,
        project: &str,
        filter: &BatchFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<BatchRow>> {
        check::text("project", project)?;
        let BatchFilter { kind, state, since, until } = filter;
        let (since, until) =
            (since.unwrap_or(Timestamp::MIN).as_micros(), until.unwrap_or(Timestamp::MAX).as_micros());
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, note, \
             x'' AS \"payload!: Vec<u8>\", request, fingerprint, created, ended FROM job_batches \
             WHERE project = $1 AND id < $2 AND ($3 IS NULL OR kind = $3) AND ($4 IS NULL OR state = $4) \
             AND created >= $5 AND created < $6 ORDER BY id DESC LIMIT $7",
            project,
            before,
            kind,
            state,
            since,
            until,
            limit,
        );
        rows(records.fetch_all(&self.readers).await.or_fault()?)
    }

    async fn count_batches(&self, project: &str, since: Timestamp) -> Result<Vec<BatchCount>> {
        check::text("project", project)?;
        let since = since.as_micros();
        let counts = sqlx::query_as!(
            BatchCount,
            "SELECT kind, state, COUNT(*) AS \"batches!: i64\", SUM(total) AS \"jobs!: i64\", \
             SUM(completed) AS \"completed!: i64\", SUM(failed) AS \"failed!: i64\", \
             SUM(cancelled) AS \"cancelled!: i64\" FROM job_batches WHERE project = $1 AND created >= $2 \
             GROUP BY kind, state ORDER BY kind, state",
            project,
            since,
        );
        counts.fetch_all(&self.readers).await.or_fault()
    }

    async fn payloads(&self, batches: &[i64]) -> Result<Vec<(i64, Bytes)>> {
        let mut keys = Rows::new(batches.len());
        for batch in batches {
            keys.begin();
            keys.number(*batch);
            keys.end();
        }
        let keys = keys.finish();
        let records = sqlx::query!(
            "SELECT id, payload FROM job_batches WHERE id IN (SELECT value ->> 1 FROM json_each($1))",
            keys,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        Ok(records.into_iter().map(|record| (record.id, record.payload.into())).collect())
    }

    async fn list_jobs(&self, batch: i64, from: i32, limit: u32) -> Result<Vec<JobRow>> {
        let records = sqlx::query_as!(
            JobRecord,
            "SELECT batch, number, queue, state, changed, hot, outcome FROM jobs \
             WHERE batch = $1 AND number >= $2 ORDER BY number LIMIT $3",
            batch,
            from,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        Ok(records.into_iter().map(JobRow::from).collect())
    }

    async fn changed_jobs(&self, batch: i64, after: (i64, i32), limit: u32) -> Result<Vec<JobRow>> {
        let (changed, number) = after;
        let records = sqlx::query_as!(
            JobRecord,
            "SELECT batch, number, queue, state, changed, hot, outcome FROM jobs \
             WHERE batch = $1 AND (changed > $2 OR (changed = $2 AND number > $3)) \
             ORDER BY changed, number LIMIT $4",
            batch,
            changed,
            number,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        Ok(records.into_iter().map(JobRow::from).collect())
    }

    async fn outputs(
        &self,
        batch: i64,
        number: i32,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<JobOutput>> {
        let (fence, sequence) = after;
        let records = sqlx::query!(
            "SELECT fence, sequence, at, stream, bytes FROM job_outputs WHERE batch = $1 AND number = $2 \
             AND (fence > $3 OR (fence = $3 AND sequence > $4)) ORDER BY fence, sequence LIMIT $5",
            batch,
            number,
            fence,
            sequence,
            limit,
        );
        let records = records.fetch_all(&self.readers).await.or_fault()?;
        let output = records.into_iter().map(|record| JobOutput {
            batch,
            number,
            fence: record.fence,
            sequence: record.sequence,
            at: Timestamp::from_micros(record.at),
            stream: record.stream,
            bytes: record.bytes.into(),
        });
        Ok(output.collect())
    }

    async fn forget_batches(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.write(move |connection| {
            Box::pin(async move {
                let before = before.as_micros();
                let old = sqlx::query_scalar!(
                    "SELECT id FROM job_batches WHERE ended < $1 ORDER BY ended LIMIT $2",
                    before,
                    limit
                );
                let old = old.fetch_all(&mut *connection).await.or_fault()?;
                for id in &old {
                    sqlx::query!("DELETE FROM job_outputs WHERE batch = $1", id)
                        .execute(&mut *connection)
                        .await
                        .or_fault()?;
                    sqlx::query!("DELETE FROM jobs WHERE batch = $1", id)
                        .execute(&mut *connection)
                        .await
                        .or_fault()?;
                    sqlx::query!("DELETE FROM job_batches WHERE id = $1", id)
                        .execute(&mut *connection)
                        .await
                        .or_fault()?;
                }
                Ok(old.len() as u64)
            })
        })
        .await
    }
}
