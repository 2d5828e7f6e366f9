//! Beginning, renewing, ending, cancelling and finding refreshes.

use std::time::Duration;

use bytes::Bytes;
use futures::future::{join, join_all};

use super::{done, new_source, refused, source, time, uid};
use crate::{Begun, MAX_PART_BYTES, NewRefresh, RefreshRow, RefreshState, StoreError, Stores, Timestamp};

/// A refresh to begin at the second `at`, of the source of number `n`; its lease is 10 seconds long.
pub(crate) fn new(n: u128, at: i64) -> NewRefresh {
    NewRefresh {
        source_uid: uid(n),
        actor: "projects/p/apiKeys/k".into(),
        at: time(at),
        lease_until: time(at + 10),
        keep: 10,
    }
}

/// The refresh that began; that another one runs is a failure.
#[track_caller]
pub(crate) fn begun(begun: Begun) -> RefreshRow {
    match begun {
        Begun::New(row) => row,
        Begun::Busy(row) => panic!("another one runs: {row:?}"),
    }
}

/// Begins a refresh that has that number, and ends it well.
pub(crate) async fn run(stores: &Stores, n: u128, number: i64) -> RefreshRow {
    let row = begun(stores.source.begin_refresh(new(n, 0)).await.unwrap());
    assert_eq!(row.number, number);
    end(stores, n, number, RefreshState::Succeeded).await
}

async fn end(stores: &Stores, n: u128, number: i64, state: RefreshState) -> RefreshRow {
    let report = Bytes::from_static(b"result");
    stores.source.end_refresh(uid(n), number, state, report, time(1)).await.unwrap()
}

/// That every method says that there is no such refresh.
pub(crate) async fn missing(stores: &Stores, n: u128, number: i64) {
    let (store, uid) = (&stores.source, uid(n));
    refused!(store.get_refresh(uid, number).await, StoreError::NotFound { what: "refresh" });
    refused!(store.cancel_refresh(uid, number).await, StoreError::NotFound { what: "refresh" });
    does_not_run(stores, n, number).await;
}

/// That a refresh can be neither renewed nor ended.
async fn does_not_run(stores: &Stores, n: u128, number: i64) {
    let (store, uid, report) = (&stores.source, uid(n), Bytes::from_static(b"lost"));
    refused!(
        store.renew_refresh(uid, number, time(99), report.clone()).await,
        StoreError::NotFound { what: "refresh" }
    );
    refused!(
        store.end_refresh(uid, number, RefreshState::Failed, report, time(99)).await,
        StoreError::NotFound { what: "refresh" }
    );
}

/// Every field comes back from every method that gives it, and the source's version stays.
pub async fn a_refresh_reads_back_as_written(stores: Stores) {
    let source = source(&stores).await;
    let mut expected = RefreshRow {
        source_uid: uid(100),
        number: 1,
        state: RefreshState::Running,
        actor: "projects/p/apiKeys/k".into(),
        started: time(0),
        ended: None,
        lease_until: time(10),
        cancel_asked: false,
        report: Bytes::new(),
    };
    assert_eq!(stores.source.begin_refresh(new(100, 0)).await.unwrap(), Begun::New(expected.clone()));
    read_back(&stores, &expected).await;

    let progress = Bytes::from_static(b"half \0\xff");
    expected.lease_until = Timestamp::from_micros(time(20).as_micros() + 1);
    expected.report = progress.clone();
    let renewed = stores.source.renew_refresh(uid(100), 1, expected.lease_until, progress).await.unwrap();
    assert_eq!(renewed, expected);
    read_back(&stores, &expected).await;

    expected.state = RefreshState::Succeeded;
    expected.ended = Some(time(1));
    expected.report = Bytes::from_static(b"result");
    assert_eq!(end(&stores, 100, 1, RefreshState::Succeeded).await, expected);
    read_back(&stores, &expected).await;
    let now = stores.source.get_source(uid(1), "s").await.unwrap();
    assert_eq!((now.version, now.updated), (source.version, source.updated));
}

/// That the newest refresh of the source is that one, whoever is asked.
async fn read_back(stores: &Stores, expected: &RefreshRow) {
    assert_eq!(stores.source.get_refresh(uid(100), expected.number).await.unwrap(), *expected);
    assert_eq!(stores.source.list_refreshes(uid(100), 0, 1).await.unwrap(), std::slice::from_ref(expected));
    let source = stores.source.get_source(uid(1), "s").await.unwrap();
    assert_eq!(source.last_refresh.as_ref(), Some(expected));
    assert_eq!(stores.source.list_sources(uid(1), "", 10).await.unwrap(), [source]);
}

/// The ends of the range of times are times like any other, and to the microsecond.
pub async fn extreme_times_of_refreshes_read_back(stores: Stores) {
    source(&stores).await;
    for at in [Timestamp::MIN, Timestamp::from_micros(-1), Timestamp::MAX] {
        let row = NewRefresh { at, lease_until: at, ..new(100, 0) };
        let row = begun(stores.source.begin_refresh(row).await.unwrap());
        assert_eq!((row.started, row.lease_until), (at, at));
        let ended =
            stores.source.end_refresh(uid(100), row.number, RefreshState::Failed, Bytes::new(), at).await;
        assert_eq!(ended.unwrap().ended, Some(at));
        let read = stores.source.get_refresh(uid(100), row.number).await.unwrap();
        assert_eq!((read.started, read.lease_until, read.ended), (at, at, Some(at)));
    }
}

/// All ends read back, none of them is the state of one that runs, and after each the next one may begin.
pub async fn a_refresh_ends_once(stores: Stores) {
    source(&stores).await;
    let states =
        [RefreshState::Succeeded, RefreshState::Failed, RefreshState::Cancelled, RefreshState::Interrupted];
    for (number, state) in (1..).zip(states) {
        assert_eq!(begun(stores.source.begin_refresh(new(100, 0)).await.unwrap()).number, number);
        refused!(
            stores.source.end_refresh(uid(100), number, RefreshState::Running, Bytes::new(), time(1)).await,
            StoreError::Invalid { field: "state", .. }
        );
        let ended = end(&stores, 100, number, state).await;
        assert_eq!(ended.state, state);
        does_not_run(&stores, 100, number).await;
        assert_eq!(stores.source.get_refresh(uid(100), number).await.unwrap(), ended);
    }
}

/// While one runs, others are told which; each source has its own.
pub async fn one_refresh_of_a_source_runs(stores: Stores) {
    source(&stores).await;
    done(stores.source.create_source(new_source("t", 101), None).await);
    let row = begun(stores.source.begin_refresh(new(100, 0)).await.unwrap());
    let other = NewRefresh { actor: "somebody else".into(), ..new(100, 5) };
    assert_eq!(stores.source.begin_refresh(other).await.unwrap(), Begun::Busy(row.clone()));
    assert_eq!(stores.source.list_refreshes(uid(100), 0, 10).await.unwrap(), [row]);
    assert_eq!(begun(stores.source.begin_refresh(new(101, 0)).await.unwrap()).number, 1);
}

/// Of several that begin at once exactly one wins, and the others are told of it.
pub async fn of_concurrent_begins_one_wins(stores: Stores) {
    source(&stores).await;
    for round in 0..8 {
        let results = join_all((0..8).map(|n| {
            let actor = format!("process {n}");
            stores.source.begin_refresh(NewRefresh { actor, ..new(100, round * 100) })
        }))
        .await;
        let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        let winners: Vec<_> = results.iter().filter(|begun| matches!(begun, Begun::New(_))).collect();
        let [Begun::New(winner)] = winners[..] else { panic!("{winners:?}") };
        assert_eq!(winner.number, round + 1);
        for other in &results {
            let (Begun::New(row) | Begun::Busy(row)) = other;
            assert_eq!(row, winner);
        }
        let rows = stores.source.list_refreshes(uid(100), 0, 10).await.unwrap();
        assert_eq!(rows.len() as i64, round + 1);
        assert!(rows[1..].iter().all(|row| row.state != RefreshState::Running), "{rows:?}");
        // Half of the rounds find one whose lease ran out, the others none that runs.
        if round % 2 == 0 {
            end(&stores, 100, round + 1, RefreshState::Succeeded).await;
        }
    }
}

/// One whose lease ran out is interrupted by the next that begins, ended when its lease did. Its process, should
/// it live after all, sees that it was taken for dead.
pub async fn an_expired_refresh_is_interrupted(stores: Stores) {
    source(&stores).await;
    let row = begun(stores.source.begin_refresh(new(100, 0)).await.unwrap());
    let progress = Bytes::from_static(b"progress");
    let row = stores.source.renew_refresh(uid(100), row.number, time(20), progress).await.unwrap();
    let at_the_end = stores.source.begin_refresh(new(100, 20)).await.unwrap();
    assert_eq!(at_the_end, Begun::Busy(row.clone()), "the lease holds to its last microsecond");

    let later = NewRefresh { at: time(20).after(Duration::from_micros(1)), ..new(100, 20) };
    assert_eq!(begun(stores.source.begin_refresh(later).await.unwrap()).number, 2);
    let expected = RefreshRow { state: RefreshState::Interrupted, ended: Some(time(20)), ..row };
    assert_eq!(stores.source.get_refresh(uid(100), 1).await.unwrap(), expected);
    does_not_run(&stores, 100, 1).await;
    assert_eq!(stores.source.get_refresh(uid(100), 1).await.unwrap(), expected);
}

/// One whose lease ran out still runs if it says so before anybody else begins.
pub async fn a_late_renewal_is_in_time(stores: Stores) {
    source(&stores).await;
    begun(stores.source.begin_refresh(new(100, 0)).await.unwrap());
    let row = stores.source.renew_refresh(uid(100), 1, time(60), Bytes::new()).await.unwrap();
    assert_eq!(stores.source.begin_refresh(new(100, 50)).await.unwrap(), Begun::Busy(row));
}

/// A renewal and the next beginning at the same time: either the old one runs on or the new one runs.
pub async fn of_a_renewal_and_a_begin_one_wins(stores: Stores) {
    source(&stores).await;
    for round in 0..8 {
        let start = round * 100;
        let row = begun(stores.source.begin_refresh(new(100, start)).await.unwrap());
        let (renewed, next) = join(
            stores.source.renew_refresh(uid(100), row.number, time(start + 80), Bytes::new()),
            stores.source.begin_refresh(new(100, start + 50)),
        )
        .await;
        match next.unwrap() {
            Begun::New(next) => {
                assert_eq!(next.number, row.number + 1);
                refused!(renewed, StoreError::NotFound { what: "refresh" });
            }
            Begun::Busy(busy) => assert_eq!(renewed.unwrap(), busy),
        }
    }
}

/// Asking for an end is seen by the next renewal, and asking again changes nothing; one that ended stays as it
/// is.
pub async fn a_cancellation_is_seen_by_who_runs_it(stores: Stores) {
    source(&stores).await;
    let row = begun(stores.source.begin_refresh(new(100, 0)).await.unwrap());
    let asked = RefreshRow { cancel_asked: true, ..row };
    for _ in 0..2 {
        assert_eq!(stores.source.cancel_refresh(uid(100), 1).await.unwrap(), asked);
        read_back(&stores, &asked).await;
    }
    let renewed = stores.source.renew_refresh(uid(100), 1, time(20), Bytes::new()).await.unwrap();
    assert_eq!(renewed, RefreshRow { lease_until: time(20), ..asked });

    let ended = end(&stores, 100, 1, RefreshState::Cancelled).await;
    assert!(ended.cancel_asked);
    assert_eq!(stores.source.cancel_refresh(uid(100), 1).await.unwrap(), ended);
    let second = run(&stores, 100, 2).await;
    assert!(!second.cancel_asked);
    assert_eq!(stores.source.cancel_refresh(uid(100), 2).await.unwrap(), second);
}

/// So many ended ones are kept as each beginning says, and numbers go on.
pub async fn old_refreshes_are_forgotten(stores: Stores) {
    source(&stores).await;
    done(stores.source.create_source(new_source("t", 101), None).await);
    run(&stores, 101, 1).await;
    let numbers = || async {
        let rows = stores.source.list_refreshes(uid(100), 0, 100).await.unwrap();
        rows.into_iter().map(|row| row.number).collect::<Vec<_>>()
    };
    let steps: [(u32, &[i64]); 7] = [
        (2, &[1]),
        (2, &[2, 1]),
        (2, &[3, 2, 1]),
        (2, &[4, 3, 2]),
        (5, &[5, 4, 3, 2]),
        (0, &[6]),
        (u32::MAX, &[7, 6]),
    ];
    for (number, (keep, expected)) in (1..).zip(steps) {
        // One that is interrupted now is an ended one, too.
        let start = number * 100;
        let row = begun(stores.source.begin_refresh(NewRefresh { keep, ..new(100, start) }).await.unwrap());
        assert_eq!(row.number, number);
        assert_eq!(numbers().await, expected);
        // Nothing begins, so nothing is forgotten.
        let busy = stores.source.begin_refresh(NewRefresh { keep: 0, ..new(100, start) }).await.unwrap();
        assert_eq!(busy, Begun::Busy(row));
        assert_eq!(numbers().await, expected);
        if number % 2 == 0 {
            end(&stores, 100, number, RefreshState::Failed).await;
            assert_eq!(numbers().await, expected);
        }
    }
    missing(&stores, 100, 5).await;
    missing(&stores, 100, 8).await;
    assert_eq!(stores.source.list_refreshes(uid(101), 0, 10).await.unwrap().len(), 1);
}

/// Newest first, by number and not as text, page by page.
pub async fn refreshes_list_newest_first(stores: Stores) {
    source(&stores).await;
    for number in 1..=11 {
        let row = NewRefresh { keep: 100, ..new(100, number * 100) };
        begun(stores.source.begin_refresh(row).await.unwrap());
    }
    let (mut seen, mut before) = (Vec::new(), 0);
    loop {
        let page = stores.source.list_refreshes(uid(100), before, 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        before = last.number;
        seen.extend(page.iter().map(|row| row.number));
    }
    assert_eq!(seen, (1..=11).rev().collect::<Vec<_>>());
    for (before, limit, count) in [(0, 0, 0), (1, 10, 0), (-1, 10, 0), (i64::MAX, 2, 2)] {
        let page = stores.source.list_refreshes(uid(100), before, limit).await.unwrap();
        assert_eq!(page.len(), count, "before {before}, at most {limit}");
    }
}

/// Whichever of a beginning and the deletion of its source comes first, nothing is left.
pub async fn no_refresh_outlives_a_source_that_is_deleted_meanwhile(stores: Stores) {
    source(&stores).await;
    for n in 101..=108 {
        done(stores.source.create_source(new_source("t", n), None).await);
        let (row, deleted) =
            join(stores.source.begin_refresh(new(n, 0)), stores.source.delete_source(uid(1), "t", None))
                .await;
        deleted.unwrap();
        if row.is_err() {
            refused!(row, StoreError::NotFound { what: "source" });
        }
        missing(&stores, n, 1).await;
    }
}

/// What one database would keep and the other not is refused by both, by the field's name.
pub async fn what_no_refresh_can_keep_is_named(stores: Stores) {
    source(&stores).await;
    let with_nul = NewRefresh { actor: "a\0b".into(), ..new(100, 0) };
    refused!(stores.source.begin_refresh(with_nul).await, StoreError::Invalid { field: "actor", .. });
    let row = begun(stores.source.begin_refresh(new(100, 0)).await.unwrap());
    let large = Bytes::from(vec![0; MAX_PART_BYTES + 1]);
    refused!(
        stores.source.renew_refresh(uid(100), 1, time(20), large.clone()).await,
        StoreError::Invalid { field: "report", .. }
    );
    refused!(
        stores.source.end_refresh(uid(100), 1, RefreshState::Failed, large, time(1)).await,
        StoreError::Invalid { field: "report", .. }
    );
    read_back(&stores, &row).await;
}
