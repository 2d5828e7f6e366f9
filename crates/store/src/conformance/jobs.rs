//! Durable jobs.

use bytes::Bytes;

use super::{refused, time, uid};
use crate::{
    BatchChange, BatchCount, BatchFilter, BatchRow, JobFlush, JobOutput, JobRow, JobStore, NewBatch,
    OwnedShard, SHARD_BITS, StoreError, Stores, Versioned,
};

async fn own(stores: &Stores, shard: i32) -> OwnedShard {
    stores.jobs.own_shard(shard, "owner", time(0), time(60)).await.expect("nobody has it")
}

fn new(id: i64, name: &str) -> NewBatch {
    NewBatch {
        id,
        project: "p".into(),
        name: name.into(),
        uid: uid(id.unsigned_abs().into()),
        kind: "kind \" \\ α".into(),
        total: 2,
        terms: Bytes::from_static(b"terms \0\xff"),
        note: Bytes::from_static(b"note"),
        payload: Bytes::from_static(b"payload"),
        request: None,
        at: time(id),
    }
}

fn job(batch: i64, number: i32, state: i32) -> JobRow {
    JobRow {
        batch,
        number,
        queue: format!("projects/p/agents/{number}"),
        state,
        changed: 0,
        hot: Bytes::from_static(b"hot \0\xff"),
        outcome: None,
    }
}

fn ended(id: i64, state: i32) -> BatchChange {
    BatchChange {
        id,
        state,
        completed: 1,
        failed: 0,
        cancelled: 1,
        terms: Bytes::from_static(b"other terms"),
        note: None,
        ended: Some(time(100 + id)),
    }
}

fn flush(owned: &OwnedShard, flush: i64) -> JobFlush {
    JobFlush { shard: owned.shard, epoch: owned.epoch, flush, lease_until: time(60), ..JobFlush::default() }
}

/// Two batches of two jobs, in flush 1.
async fn two_batches(stores: &Stores) -> OwnedShard {
    let owned = own(stores, 0).await;
    let all = JobFlush {
        batches: vec![new(1, "a"), new(2, "b")],
        jobs: vec![job(1, 0, 1), job(1, 1, 2), job(2, 0, 1), job(2, 1, 1)],
        ..flush(&owned, 1)
    };
    stores.jobs.flush_jobs(all).await.expect("it is the owner");
    owned
}

/// Batches and jobs come back as they were written, and an owner that comes later finds the newest numbers.
pub async fn a_flush_reads_back_as_written(stores: Stores) {
    two_batches(&stores).await;
    let row = stores.jobs.get_batch("p", "a").await.unwrap();
    let expected =
        BatchRow { batch: new(1, "a"), state: 1, completed: 0, failed: 0, cancelled: 0, ended: None };
    assert_eq!(row, expected);
    let jobs = stores.jobs.list_jobs(1, 0, 10).await.unwrap();
    assert_eq!(jobs, [JobRow { changed: 1, ..job(1, 0, 1) }, JobRow { changed: 1, ..job(1, 1, 2) }]);
    assert_eq!(stores.jobs.list_jobs(1, 1, 10).await.unwrap().len(), 1);
    assert_eq!(stores.jobs.list_jobs(1, 0, 1).await.unwrap().len(), 1);
    let mut payloads = stores.jobs.payloads(&[2, 1, 99]).await.unwrap();
    payloads.sort();
    assert_eq!(payloads, [(1, Bytes::from_static(b"payload")), (2, Bytes::from_static(b"payload"))]);

    let next = stores.jobs.own_shard(0, "other", time(61), time(120)).await.unwrap();
    assert_eq!(next, OwnedShard { shard: 0, epoch: 2, flush: 1, last_batch: 2 });
    let first = own(&stores, 3).await;
    assert_eq!(first, OwnedShard { shard: 3, epoch: 1, flush: 0, last_batch: 3 << SHARD_BITS });
    let bad = JobFlush { jobs: vec![JobRow { queue: "\0".into(), ..job(1, 0, 1) }], ..flush(&next, 2) };
    refused!(stores.jobs.flush_jobs(bad).await, StoreError::Invalid { field: "queue", .. });
}

/// Who was followed by another owner writes nothing more.
pub async fn a_flush_of_an_old_owner_writes_nothing(stores: Stores) {
    let old = two_batches(&stores).await;
    let newer = stores.jobs.own_shard(0, "other", time(61), time(120)).await.unwrap();
    let late = JobFlush {
        batches: vec![new(3, "c")],
        jobs: vec![job(1, 0, 3), job(3, 0, 1)],
        changes: vec![ended(1, 3)],
        ..flush(&old, 2)
    };
    refused!(stores.jobs.flush_jobs(late).await, StoreError::Stale { of: Versioned::Epoch, current: 2 });
    refused!(stores.jobs.get_batch("p", "c").await, StoreError::NotFound { what: "batch" });
    assert_eq!(stores.jobs.list_jobs(1, 0, 1).await.unwrap()[0].state, 1);
    stores.jobs.flush_jobs(flush(&newer, 2)).await.unwrap();
}

/// A shard that was given back, or whose lease is over, is anybody's.
pub async fn a_shard_has_one_owner_at_a_time(stores: Stores) {
    let first = own(&stores, 0).await;
    // A database that only one process can open gives it to whoever asks, and fences the one before all the same.
    match stores.jobs.own_shard(0, "other", time(59), time(120)).await {
        Ok(second) => assert_eq!(second.epoch, 2),
        Err(error) => assert!(matches!(error, StoreError::AlreadyExists { .. }), "{error:?}"),
    }
    let before = stores.jobs.own_shard(0, "other", time(121), time(180)).await.unwrap();
    assert!(before.epoch > first.epoch);
    let epoch = stores.jobs.own_shard(0, "other", time(122), time(180)).await.unwrap().epoch;
    assert_eq!(epoch, before.epoch + 1, "the same owner, after it has failed");
    let late = stores.jobs.flush_jobs(flush(&before, 1)).await;
    refused!(late, StoreError::Stale { of: Versioned::Epoch, current } if current == epoch);
    stores.jobs.leave_shard(0, first.epoch).await.unwrap();
    stores.jobs.leave_shard(0, epoch).await.unwrap();
    let next = stores.jobs.own_shard(0, "third", time(123), time(180)).await.unwrap();
    assert_eq!(next.epoch, epoch + 1);
}

/// What an engine begins with: all jobs of the batches of its shard that have not ended.
pub async fn what_has_not_ended_is_found_page_by_page(stores: Stores) {
    let owned = two_batches(&stores).await;
    let other = own(&stores, 1).await;
    let elsewhere = (1 << SHARD_BITS) + 1;
    let far = JobFlush {
        batches: vec![new(elsewhere, "far")],
        jobs: vec![job(elsewhere, 0, 1)],
        ..flush(&other, 1)
    };
    stores.jobs.flush_jobs(far).await.unwrap();
    let more = JobFlush {
        batches: vec![new(3, "c")],
        jobs: vec![job(3, 0, 1), job(3, 1, 3), job(1, 0, 3), job(1, 1, 5)],
        changes: vec![ended(1, 5)],
        ..flush(&owned, 2)
    };
    stores.jobs.flush_jobs(more).await.unwrap();

    let page = stores.jobs.open_batches(0, 0, 1).await.unwrap();
    assert_eq!(page.len(), 1);
    assert_eq!(page[0].batch, NewBatch { payload: Bytes::new(), ..new(2, "b") });
    let rest = stores.jobs.open_batches(0, 2, 10).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.batch.id).collect::<Vec<_>>(), [3]);
    let mut all = Vec::new();
    loop {
        let after = all.last().copied().unwrap_or((0, 0));
        let page = stores.jobs.open_jobs(0, after, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        all.extend(page.into_iter().map(|row| (row.batch, row.number)));
    }
    assert_eq!(all, [(2, 0), (2, 1), (3, 0), (3, 1)]);
    assert_eq!(stores.jobs.open_jobs(1, (0, 0), 10).await.unwrap().len(), 1);
}

/// By name or by request, each with its digest.
pub async fn names_and_requests_are_found(stores: Stores) {
    let owned = two_batches(&stores).await;
    let request = Some((Bytes::from_static(b"request \0\xff"), [7; 32]));
    let asked = NewBatch { request, ..new(3, "c") };
    stores.jobs.flush_jobs(JobFlush { batches: vec![asked.clone()], ..flush(&owned, 2) }).await.unwrap();
    let find = async |names: &[(&str, &str)], requests: &[&'static [u8]]| {
        let names: Vec<_> = names.iter().map(|(project, name)| ((*project).into(), (*name).into())).collect();
        let requests: Vec<_> = requests.iter().map(|request| Bytes::from_static(request)).collect();
        let mut found = stores.jobs.find_batches(&names, &requests).await.unwrap();
        found.sort_by_key(|row| row.batch.id);
        found.into_iter().map(|row| row.batch).collect::<Vec<_>>()
    };
    let bare = |batch: NewBatch| NewBatch { payload: Bytes::new(), ..batch };
    assert_eq!(find(&[("p", "a"), ("q", "b"), ("p", "x")], &[]).await, [bare(new(1, "a"))]);
    assert_eq!(find(&[], &[b"request \0\xff", b"other"]).await, [bare(asked.clone())]);
    assert_eq!(find(&[("p", "b")], &[b"request \0\xff"]).await, [bare(new(2, "b")), bare(asked)]);
    assert!(find(&[], &[]).await.is_empty());
}

/// A job that changes moves to the end of what has changed, and keeps an outcome that is not replaced.
pub async fn a_changed_job_keeps_its_outcome_and_its_place(stores: Stores) {
    let owned = two_batches(&stores).await;
    let outcome = Some(Bytes::from_static(b"failed \xff"));
    let failed = JobRow { outcome: outcome.clone(), ..job(1, 0, 1) };
    stores.jobs.flush_jobs(JobFlush { jobs: vec![failed], ..flush(&owned, 2) }).await.unwrap();
    let again = JobRow { hot: Bytes::from_static(b"again"), ..job(1, 0, 2) };
    stores.jobs.flush_jobs(JobFlush { jobs: vec![again.clone()], ..flush(&owned, 3) }).await.unwrap();

    let changed = stores.jobs.changed_jobs(1, (0, -1), 10).await.unwrap();
    let expected = [JobRow { changed: 1, ..job(1, 1, 2) }, JobRow { changed: 3, outcome, ..again }];
    assert_eq!(changed, expected);
    assert_eq!(stores.jobs.changed_jobs(1, (1, 0), 1).await.unwrap(), expected[..1]);
    assert_eq!(stores.jobs.changed_jobs(1, (1, 1), 10).await.unwrap(), expected[1..]);
    assert!(stores.jobs.changed_jobs(1, (3, 0), 10).await.unwrap().is_empty());
}

/// Lists and counts see project, kind, state and time; a batch that has ended says so.
pub async fn batches_list_newest_first_and_are_counted(stores: Stores) {
    let owned = two_batches(&stores).await;
    let other = NewBatch { project: "q".into(), kind: "other".into(), ..new(3, "c") };
    let note = Some(Bytes::from_static(b"approved"));
    let all = JobFlush {
        batches: vec![other, NewBatch { kind: "other".into(), ..new(4, "d") }],
        changes: vec![
            BatchChange { note, ..ended(2, 3) },
            BatchChange { ended: None, state: 1, ..ended(1, 1) },
        ],
        ..flush(&owned, 2)
    };
    stores.jobs.flush_jobs(all).await.unwrap();
    let list = async |filter: BatchFilter, before: i64, limit: u32| {
        let rows = stores.jobs.list_batches("p", &filter, before, limit).await.unwrap();
        rows.into_iter().map(|row| row.batch.id).collect::<Vec<_>>()
    };
    let any = BatchFilter::default();
    assert_eq!(list(any.clone(), i64::MAX, 10).await, [4, 2, 1]);
    assert_eq!(list(any.clone(), 4, 1).await, [2]);
    assert_eq!(list(BatchFilter { kind: Some("other".into()), ..any.clone() }, i64::MAX, 10).await, [4]);
    assert_eq!(list(BatchFilter { state: Some(1), ..any.clone() }, i64::MAX, 10).await, [4, 1]);
    let between = BatchFilter { since: Some(time(2)), until: Some(time(4)), ..any };
    assert_eq!(list(between, i64::MAX, 10).await, [2]);

    let row = stores.jobs.get_batch("p", "b").await.unwrap();
    assert_eq!((row.state, row.completed, row.cancelled, row.ended), (3, 1, 1, Some(time(102))));
    assert_eq!((&row.batch.note[..], &row.batch.terms[..]), (&b"approved"[..], &b"other terms"[..]));
    assert_eq!(&stores.jobs.get_batch("p", "a").await.unwrap().batch.note[..], b"note", "as before");

    let count = |kind: &str, state, batches, completed| BatchCount {
        kind: kind.into(),
        state,
        batches,
        jobs: 2 * batches,
        completed,
        failed: 0,
        cancelled: completed,
    };
    let kind = new(1, "a").kind;
    assert_eq!(
        stores.jobs.count_batches("p", time(0)).await.unwrap(),
        [count(&kind, 1, 1, 1), count(&kind, 3, 1, 1), count("other", 1, 1, 0)]
    );
    assert_eq!(stores.jobs.count_batches("p", time(3)).await.unwrap(), [count("other", 1, 1, 0)]);
}

/// Pieces of one attempt after another; a piece that comes twice is kept once.
pub async fn output_is_kept_in_order_and_once(stores: Stores) {
    let owned = two_batches(&stores).await;
    let piece = |fence, sequence, text: &'static str| JobOutput {
        batch: 1,
        number: 0,
        fence,
        sequence,
        at: time(5),
        stream: 2,
        bytes: Bytes::from_static(text.as_bytes()),
    };
    let first = vec![piece(2, 1, "c"), piece(1, 2, "b"), piece(1, 1, "a")];
    stores.jobs.flush_jobs(JobFlush { outputs: first, ..flush(&owned, 2) }).await.unwrap();
    let twice = vec![piece(1, 2, "another"), JobOutput { number: 1, ..piece(1, 1, "of another") }];
    stores.jobs.flush_jobs(JobFlush { outputs: twice, ..flush(&owned, 3) }).await.unwrap();
    let all = [piece(1, 1, "a"), piece(1, 2, "b"), piece(2, 1, "c")];
    assert_eq!(stores.jobs.outputs(1, 0, (0, 0), 10).await.unwrap(), all);
    assert_eq!(stores.jobs.outputs(1, 0, (1, 1), 1).await.unwrap(), all[1..2]);
    assert_eq!(stores.jobs.outputs(1, 0, (1, 2), 10).await.unwrap(), all[2..]);
}

/// Old batches go with everything that is theirs, a few at a time.
pub async fn what_has_ended_long_ago_is_forgotten(stores: Stores) {
    let owned = two_batches(&stores).await;
    let output = JobOutput {
        batch: 1,
        number: 0,
        fence: 1,
        sequence: 1,
        at: time(5),
        stream: 1,
        bytes: Bytes::from_static(b"x"),
    };
    let all = JobFlush {
        batches: vec![new(3, "c")],
        changes: vec![ended(1, 3), ended(2, 3)],
        outputs: vec![output],
        ..flush(&owned, 2)
    };
    stores.jobs.flush_jobs(all).await.unwrap();
    assert_eq!(stores.jobs.forget_batches(time(101), 10).await.unwrap(), 0, "not before its time");
    assert_eq!(stores.jobs.forget_batches(time(200), 1).await.unwrap(), 1);
    refused!(stores.jobs.get_batch("p", "a").await, StoreError::NotFound { .. });
    assert!(stores.jobs.list_jobs(1, 0, 10).await.unwrap().is_empty());
    assert!(stores.jobs.outputs(1, 0, (0, 0), 10).await.unwrap().is_empty());
    assert_eq!(stores.jobs.forget_batches(time(200), 10).await.unwrap(), 1);
    assert_eq!(stores.jobs.forget_batches(time(200), 10).await.unwrap(), 0, "what has not ended stays");
    assert_eq!(stores.jobs.list_batches("p", &BatchFilter::default(), i64::MAX, 10).await.unwrap().len(), 1);
}

/// Names that nobody has, and text that no database keeps.
pub async fn a_missing_batch_is_not_found(stores: Stores) {
    let jobs: &dyn JobStore = &*stores.jobs;
    refused!(jobs.get_batch("p", "a").await, StoreError::NotFound { what: "batch" });
    refused!(jobs.get_batch("p", "\0").await, StoreError::Invalid { field: "name", .. });
    assert!(jobs.list_jobs(1, 0, 10).await.unwrap().is_empty());
    assert!(jobs.payloads(&[1]).await.unwrap().is_empty());
}
