//! Durable jobs: each flush is a few statements over many rows, whose columns come as arrays.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use weft_store::{
    BatchChange, BatchCount, BatchFilter, BatchRow, JobFlush, JobOutput, JobRow, JobStore, NewBatch,
    OwnedShard, Result, SHARD_BITS, StoreError, Timestamp, Versioned,
    check::{self, Check},
    codec,
};

use crate::{Postgres, fault::OrFault, instant};

const NOT_FOUND: StoreError = StoreError::NotFound { what: "batch" };

/// A row as PostgreSQL gives it.
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
    created: OffsetDateTime,
    ended: Option<OffsetDateTime>,
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
                at: instant::from_sql(record.created),
            },
            state: record.state,
            completed: record.completed,
            failed: record.failed,
            cancelled: record.cancelled,
            ended: record.ended.map(instant::from_sql),
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

async fn insert_batches(connection: &mut PgConnection, batches: &[NewBatch]) -> Result<()> {
    if batches.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = batches.iter().map(|batch| batch.id).collect();
    let projects: Vec<&str> = batches.iter().map(|batch| &batch.project[..]).collect();
    let names: Vec<&str> = batches.iter().map(|batch| &batch.name[..]).collect();
    let uids: Vec<Uuid> = batches.iter().map(|batch| batch.uid).collect();
    let kinds: Vec<&str> = batches.iter().map(|batch| &batch.kind[..]).collect();
    let totals: Vec<i32> = batches.iter().map(|batch| batch.total).collect();
    let terms: Vec<&[u8]> = batches.iter().map(|batch| &batch.terms[..]).collect();
    let notes: Vec<&[u8]> = batches.iter().map(|batch| &batch.note[..]).collect();
    let payloads: Vec<&[u8]> = batches.iter().map(|batch| &batch.payload[..]).collect();
    let requests: Vec<Option<&[u8]>> =
        batches.iter().map(|batch| batch.request.as_ref().map(|(request, _)| &request[..])).collect();
    let prints: Vec<Option<&[u8]>> =
        batches.iter().map(|batch| batch.request.as_ref().map(|(_, print)| &print[..])).collect();
    let times: Vec<OffsetDateTime> = batches.iter().map(|batch| instant::to_sql(batch.at)).collect();
    sqlx::query!(
        "INSERT INTO job_batches (id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, \
         note, payload, request, fingerprint, created) \
         SELECT id, project, name, uid, kind, 1, total, 0, 0, 0, terms, note, payload, request, fingerprint, at \
         FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::UUID[], $5::TEXT[], $6::INTEGER[], $7::BYTEA[], \
         $8::BYTEA[], $9::BYTEA[], $10::BYTEA[], $11::BYTEA[], $12::TIMESTAMPTZ[]) \
         AS new (id, project, name, uid, kind, total, terms, note, payload, request, fingerprint, at)",
        &ids,
        &projects as _,
        &names as _,
        &uids,
        &kinds as _,
        &totals,
        &terms as _,
        &notes as _,
        &payloads as _,
        &requests as _,
        &prints as _,
        &times,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn change_batches(connection: &mut PgConnection, changes: &[BatchChange]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = changes.iter().map(|change| change.id).collect();
    let states: Vec<i32> = changes.iter().map(|change| change.state).collect();
    let completed: Vec<i32> = changes.iter().map(|change| change.completed).collect();
    let failed: Vec<i32> = changes.iter().map(|change| change.failed).collect();
    let cancelled: Vec<i32> = changes.iter().map(|change| change.cancelled).collect();
    let terms: Vec<&[u8]> = changes.iter().map(|change| &change.terms[..]).collect();
    let notes: Vec<Option<&[u8]>> = changes.iter().map(|change| change.note.as_deref()).collect();
    let ended: Vec<Option<OffsetDateTime>> =
        changes.iter().map(|change| change.ended.map(instant::to_sql)).collect();
    sqlx::query!(
        "UPDATE job_batches b SET state = c.state, completed = c.completed, failed = c.failed, \
         cancelled = c.cancelled, terms = c.terms, note = COALESCE(c.note, b.note), ended = c.ended \
         FROM UNNEST($1::BIGINT[], $2::INTEGER[], $3::INTEGER[], $4::INTEGER[], $5::INTEGER[], $6::BYTEA[], \
         $7::BYTEA[], $8::TIMESTAMPTZ[]) AS c (id, state, completed, failed, cancelled, terms, note, ended) \
         WHERE b.id = c.id",
        &ids,
        &states,
        &completed,
        &failed,
        &cancelled,
        &terms as _,
        &notes as _,
        &ended as _,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn put_jobs(connection: &mut PgConnection, jobs: &[JobRow], flush: i64) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let batches: Vec<i64> = jobs.iter().map(|job| job.batch).collect();
    let numbers: Vec<i32> = jobs.iter().map(|job| job.number).collect();
    let queues: Vec<&str> = jobs.iter().map(|job| &job.queue[..]).collect();
    let states: Vec<i32> = jobs.iter().map(|job| job.state).collect();
    let hots: Vec<&[u8]> = jobs.iter().map(|job| &job.hot[..]).collect();
    let outcomes: Vec<Option<&[u8]>> = jobs.iter().map(|job| job.outcome.as_deref()).collect();
    sqlx::query!(
        "INSERT INTO jobs (batch, number, queue, state, changed, hot, outcome) \
         SELECT batch, number, queue, state, $7, hot, outcome FROM UNNEST($1::BIGINT[], $2::INTEGER[], $3::TEXT[], \
         $4::INTEGER[], $5::BYTEA[], $6::BYTEA[]) AS new (batch, number, queue, state, hot, outcome) \
         ON CONFLICT (batch, number) DO UPDATE SET state = excluded.state, changed = excluded.changed, \
         hot = excluded.hot, outcome = COALESCE(excluded.outcome, jobs.outcome)",
        &batches,
        &numbers,
        &queues as _,
        &states,
        &hots as _,
        &outcomes as _,
        flush,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn put_outputs(connection: &mut PgConnection, outputs: &[JobOutput]) -> Result<()> {
    if outputs.is_empty() {
        return Ok(());
    }
    let batches: Vec<i64> = outputs.iter().map(|output| output.batch).collect();
    let numbers: Vec<i32> = outputs.iter().map(|output| output.number).collect();
    let fences: Vec<i64> = outputs.iter().map(|output| output.fence).collect();
    let sequences: Vec<i64> = outputs.iter().map(|output| output.sequence).collect();
    let times: Vec<OffsetDateTime> = outputs.iter().map(|output| instant::to_sql(output.at)).collect();
    let streams: Vec<i32> = outputs.iter().map(|output| output.stream).collect();
    let bytes: Vec<&[u8]> = outputs.iter().map(|output| &output.bytes[..]).collect();
    sqlx::query!(
        "INSERT INTO job_outputs (batch, number, fence, sequence, at, stream, bytes) \
         SELECT * FROM UNNEST($1::BIGINT[], $2::INTEGER[], $3::BIGINT[], $4::BIGINT[], $5::TIMESTAMPTZ[], \
         $6::INTEGER[], $7::BYTEA[]) ON CONFLICT DO NOTHING",
        &batches,
        &numbers,
        &fences,
        &sequences,
        &times,
        &streams,
        &bytes as _,
    )
    .execute(connection)
    .await
    .or_fault()?;
    Ok(())
}

async fn epoch_of(connection: &mut PgConnection, shard: i32) -> Result<i64> {
    let row = sqlx::query!("SELECT epoch FROM job_shards WHERE shard = $1", shard);
    Ok(row.fetch_optional(connection).await.or_fault()?.map_or(0, |row| row.epoch))
}

#[async_trait]
impl JobStore for Postgres {
    async fn own_shard(
        &self,
        shard: i32,
        owner: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<OwnedShard> {
        check::text("owner", owner)?;
        let (first, end) = range(shard);
        let row = sqlx::query!(
            "INSERT INTO job_shards AS s (shard, owner, epoch, lease_until, flush) VALUES ($1, $2, 1, $3, 0) \
             ON CONFLICT (shard) DO UPDATE SET owner = $2, epoch = s.epoch + 1, lease_until = $3 \
             WHERE s.lease_until <= $4 OR s.owner = $2 RETURNING epoch, flush",
            shard,
            owner,
            instant::to_sql(until),
            instant::to_sql(at),
        )
        .fetch_optional(&self.pool)
        .await
        .or_fault()?
        .ok_or(StoreError::AlreadyExists { what: "owner of the shard" })?;
        let last =
            sqlx::query!("SELECT MAX(id) AS last FROM job_batches WHERE id > $1 AND id < $2", first, end)
                .fetch_one(&self.pool)
                .await
                .or_fault()?;
        let last_batch = last.last.unwrap_or(first);
        Ok(OwnedShard { shard, epoch: row.epoch, flush: row.flush, last_batch })
    }

    async fn leave_shard(&self, shard: i32, epoch: i64) -> Result<()> {
        sqlx::query!(
            "UPDATE job_shards SET lease_until = '-infinity' WHERE shard = $1 AND epoch = $2",
            shard,
            epoch
        )
        .execute(&self.pool)
        .await
        .or_fault()?;
        Ok(())
    }

    async fn flush_jobs(&self, flush: JobFlush) -> Result<()> {
        flush.check()?;
        let mut transaction = self.begin().await?;
        // Holds the shard's row until the commit: another owner waits for it, and is then the newer one.
        let owned = sqlx::query!(
            "UPDATE job_shards SET flush = $1, lease_until = $2 WHERE shard = $3 AND epoch = $4",
            flush.flush,
            instant::to_sql(flush.lease_until),
            flush.shard,
            flush.epoch,
        )
        .execute(&mut *transaction)
        .await
        .or_fault()?;
        if owned.rows_affected() == 0 {
            let current = epoch_of(&mut transaction, flush.shard).await?;
            return Err(StoreError::Stale { of: Versioned::Epoch, current });
        }
        insert_batches(&mut transaction, &flush.batches).await?;
        put_jobs(&mut transaction, &flush.jobs, flush.flush).await?;
        change_batches(&mut transaction, &flush.changes).await?;
        put_outputs(&mut transaction, &flush.outputs).await?;
        transaction.commit().await.or_fault()
    }

    async fn open_batches(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<BatchRow>> {
        let (first, end) = range(shard);
        let after = after.max(first);
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, note, \
             ''::BYTEA AS \"payload!\", request, fingerprint, created, ended FROM job_batches \
             WHERE ended IS NULL AND id > $1 AND id < $2 ORDER BY id LIMIT $3",
            after,
            end,
            i64::from(limit),
        );
        rows(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn open_jobs(&self, shard: i32, after: (i64, i32), limit: u32) -> Result<Vec<JobRow>> {
        let (first, end) = range(shard);
        let (batch, number) = after;
        let from = batch.max(first);
        let records = sqlx::query_as!(
            JobRecord,
            "SELECT j.batch, j.number, j.queue, j.state, j.changed, j.hot, NULL::BYTEA AS outcome \
             FROM job_batches b JOIN jobs j ON j.batch = b.id \
             WHERE b.ended IS NULL AND b.id >= $1 AND b.id < $2 AND (j.batch, j.number) > ($3, $4) \
             ORDER BY j.batch, j.number LIMIT $5",
            from,
            end,
            batch,
            number,
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        Ok(records.into_iter().map(JobRow::from).collect())
    }

    async fn find_batches(&self, names: &[(String, String)], requests: &[Bytes]) -> Result<Vec<BatchRow>> {
        for (project, name) in names {
            check::text("project", project)?;
            check::text("name", name)?;
        }
        let projects: Vec<&str> = names.iter().map(|(project, _)| &project[..]).collect();
        let named: Vec<&str> = names.iter().map(|(_, name)| &name[..]).collect();
        let keys: Vec<&[u8]> = requests.iter().map(|request| &request[..]).collect();
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, note, \
             ''::BYTEA AS \"payload!\", request, fingerprint, created, ended FROM job_batches \
             WHERE (project, name) IN (SELECT * FROM UNNEST($1::TEXT[], $2::TEXT[])) OR request = ANY($3::BYTEA[])",
            &projects as _,
            &named as _,
            &keys as _,
        );
        rows(records.fetch_all(&self.pool).await.or_fault()?)
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
        record.fetch_optional(&self.pool).await.or_fault()?.ok_or(NOT_FOUND)?.try_into()
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
        let (since, until) = (since.map(instant::to_sql), until.map(instant::to_sql));
        let records = sqlx::query_as!(
            Record,
            "SELECT id, project, name, uid, kind, state, total, completed, failed, cancelled, terms, note, \
             ''::BYTEA AS \"payload!\", request, fingerprint, created, ended FROM job_batches \
             WHERE project = $1 AND id < $2 AND ($3::TEXT IS NULL OR kind = $3) AND ($4::INTEGER IS NULL OR state = $4) \
             AND ($5::TIMESTAMPTZ IS NULL OR created >= $5) AND ($6::TIMESTAMPTZ IS NULL OR created < $6) ORDER BY id DESC LIMIT $7",
            project,
            before,
            kind.as_deref(),
            *state,
            since,
            until,
            i64::from(limit),
        );
        rows(records.fetch_all(&self.pool).await.or_fault()?)
    }

    async fn count_batches(&self, project: &str, since: Timestamp) -> Result<Vec<BatchCount>> {
        check::text("project", project)?;
        let counts = sqlx::query_as!(
            BatchCount,
            "SELECT kind, state, COUNT(*) AS \"batches!\", SUM(total) AS \"jobs!\", \
             SUM(completed) AS \"completed!\", SUM(failed) AS \"failed!\", \
             SUM(cancelled) AS \"cancelled!\" FROM job_batches WHERE project = $1 AND created >= $2 \
             GROUP BY kind, state ORDER BY kind, state",
            project,
            instant::to_sql(since),
        );
        counts.fetch_all(&self.pool).await.or_fault()
    }

    async fn payloads(&self, batches: &[i64]) -> Result<Vec<(i64, Bytes)>> {
        let records = sqlx::query!("SELECT id, payload FROM job_batches WHERE id = ANY($1)", batches);
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        Ok(records.into_iter().map(|record| (record.id, record.payload.into())).collect())
    }

    async fn list_jobs(&self, batch: i64, from: i32, limit: u32) -> Result<Vec<JobRow>> {
        let records = sqlx::query_as!(
            JobRecord,
            "SELECT batch, number, queue, state, changed, hot, outcome FROM jobs \
             WHERE batch = $1 AND number >= $2 ORDER BY number LIMIT $3",
            batch,
            from,
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
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
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
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
            i64::from(limit),
        );
        let records = records.fetch_all(&self.pool).await.or_fault()?;
        let output = records.into_iter().map(|record| JobOutput {
            batch,
            number,
            fence: record.fence,
            sequence: record.sequence,
            at: instant::from_sql(record.at),
            stream: record.stream,
            bytes: record.bytes.into(),
        });
        Ok(output.collect())
    }

    async fn forget_batches(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let done = sqlx::query!(
            "WITH old AS (SELECT id FROM job_batches WHERE ended < $1 ORDER BY ended LIMIT $2 FOR UPDATE SKIP LOCKED), \
             outputs AS (DELETE FROM job_outputs WHERE batch IN (SELECT id FROM old)), \
             gone AS (DELETE FROM jobs WHERE batch IN (SELECT id FROM old)) \
             DELETE FROM job_batches WHERE id IN (SELECT id FROM old)",
            instant::to_sql(before),
            i64::from(limit),
        )
        .execute(&self.pool)
        .await
        .or_fault()?;
        Ok(done.rows_affected())
    }
}
