//! Executions.

use bytes::Bytes;

use super::{members::keep, refused, time, uid};
use crate::{
    ExecutionChange, ExecutionEnd, ExecutionEnds, ExecutionEvents, ExecutionFlush, ExecutionMessage,
    ExecutionMessages, ExecutionRow, NewExecution, NewExecutionMessage, OwnedExecutions, RunLimitRow,
    RunRateRow, SHARD_BITS, ShardOwner, StoreError, Stores, Timestamp, Versioned,
};

async fn own(stores: &Stores, shard: i32) -> OwnedExecutions {
    stores.execution.own_executions(shard, uid(1), time(0)).await.expect("nobody has it")
}

fn new(id: i64, graph: &str) -> NewExecution {
    NewExecution {
        id,
        project: "p".into(),
        name: None,
        uid: uid(id.unsigned_abs().into()),
        graph: graph.into(),
        revision: 7,
        definition: 1,
        head: Bytes::from_static(b"head \0\xff"),
        request: None,
        at: time(id),
    }
}

fn change(id: i64) -> ExecutionChange {
    ExecutionChange {
        id,
        state: 1,
        definition: 1,
        revision: 7,
        wake: None,
        reason: String::new(),
        steps: 0,
        retries: 0,
        approvals: 0,
        ended: None,
    }
}

fn events(execution: i64, sequence: i64) -> ExecutionEvents {
    ExecutionEvents { execution, sequence, bytes: Bytes::from(format!("{execution}/{sequence} \0")) }
}

fn flush(owned: &OwnedExecutions) -> ExecutionFlush {
    ExecutionFlush { shard: owned.shard, epoch: owned.epoch, ..ExecutionFlush::default() }
}

async fn write(stores: &Stores, flush: ExecutionFlush) {
    stores.execution.flush_executions(flush).await.expect("it is the owner");
}

fn ids(rows: &[ExecutionRow]) -> Vec<i64> {
    rows.iter().map(|row| row.execution.id).collect()
}

/// Executions and events come back as they were written, and an owner that comes later finds the newest number.
pub async fn an_execution_reads_back_as_written(stores: Stores) {
    let owned = own(&stores, 0).await;
    let named = NewExecution {
        name: Some("chosen \" α".into()),
        request: Some((Bytes::from_static(b"request \0"), [7; 32])),
        ..new(1, "g")
    };
    let ended = ExecutionChange {
        state: 4,
        definition: 2,
        revision: 9,
        reason: "TIMEOUT".into(),
        steps: 12,
        retries: 1,
        approvals: 3,
        ended: Some(time(5)),
        ..change(1)
    };
    let all = ExecutionFlush {
        executions: vec![named.clone(), new(2, "g")],
        changes: vec![ended.clone()],
        events: vec![events(1, 1), events(2, 1)],
        ..flush(&owned)
    };
    write(&stores, all).await;
    write(&stores, ExecutionFlush { events: vec![events(1, 2)], ..flush(&owned) }).await;
    let row = stores.execution.get_execution(1).await.unwrap();
    let expected = NewExecution { definition: 2, revision: 9, ..named };
    assert_eq!(row, ExecutionRow { execution: expected, change: ended });
    let row = stores.execution.get_execution(2).await.unwrap();
    assert_eq!(row, ExecutionRow { execution: new(2, "g"), change: change(2) });
    assert_eq!(stores.execution.execution_events(1, 0, 10).await.unwrap(), [events(1, 1), events(1, 2)]);
    assert_eq!(stores.execution.execution_events(1, 1, 10).await.unwrap(), [events(1, 2)]);
    assert_eq!(stores.execution.execution_events(1, 0, 1).await.unwrap(), [events(1, 1)]);
    refused!(stores.execution.get_execution(3).await, StoreError::NotFound { .. });
    assert_eq!(own(&stores, 0).await.last, 2);
    assert_eq!(own(&stores, 1).await.last, 1 << SHARD_BITS);
}

/// What an owner writes that is none any more is not written.
pub async fn an_execution_flush_of_an_old_owner_writes_nothing(stores: Stores) {
    let first = own(&stores, 0).await;
    stores.execution.leave_executions(0, uid(1)).await.unwrap();
    let second = stores.execution.own_executions(0, uid(2), time(1)).await.unwrap();
    assert!(second.epoch > first.epoch);
    let late = ExecutionFlush { executions: vec![new(1, "g")], ..flush(&first) };
    refused!(
        stores.execution.flush_executions(late).await,
        StoreError::Stale { of: Versioned::Epoch, current } if current == second.epoch
    );
    refused!(stores.execution.get_execution(1).await, StoreError::NotFound { .. });
}

/// A shard is its owner's until that gives it back, or its lease is over; and there stay as many as there were first.
pub async fn a_shard_of_executions_has_one_owner(stores: Stores) {
    let store = &stores.execution;
    assert_eq!(store.execution_shards(8).await.unwrap(), 8);
    assert_eq!(store.execution_shards(16).await.unwrap(), 8);
    assert_eq!(store.execution_owners().await.unwrap(), []);
    keep(&stores, "execution", 11, 0).await;
    assert_eq!(store.own_executions(3, uid(11), time(0)).await.unwrap().epoch, 1);
    assert_eq!(store.own_executions(3, uid(11), time(1)).await.unwrap().epoch, 2);
    refused!(store.own_executions(3, uid(12), time(9)).await, StoreError::AlreadyExists { .. });
    // One that is no member has it for nobody.
    assert_eq!(store.own_executions(5, uid(13), time(0)).await.unwrap().epoch, 1);
    assert_eq!(store.own_executions(5, uid(12), time(0)).await.unwrap().epoch, 2);
    let has = |shard, owner: Option<u128>, epoch| ShardOwner { shard, owner: owner.map(uid), epoch };
    assert_eq!(store.execution_owners().await.unwrap(), [has(3, Some(11), 2), has(5, Some(12), 2)]);
    // Its lease is over.
    keep(&stores, "execution", 12, 10).await;
    assert_eq!(store.own_executions(3, uid(12), time(10)).await.unwrap().epoch, 3);
    store.leave_executions(3, uid(11)).await.unwrap();
    refused!(store.own_executions(3, uid(11), time(11)).await, StoreError::AlreadyExists { .. });
    store.leave_executions(3, uid(12)).await.unwrap();
    assert_eq!(store.execution_owners().await.unwrap(), [has(3, None, 3), has(5, Some(12), 2)]);

    // Of many who take at once one has it.
    for n in 21..25 {
        keep(&stores, "execution", n, 12).await;
    }
    let takers = (21..25).map(|n| store.own_executions(3, uid(n), time(12)));
    let taken = futures::future::join_all(takers).await;
    let winners: Vec<_> = taken.iter().filter_map(|taken| taken.as_ref().ok()).collect();
    assert_eq!(winners.iter().map(|owned| owned.epoch).collect::<Vec<_>>(), [4]);
}

/// What is at work, and what goes on by itself, is found page by page; the rest is not.
pub async fn active_and_due_executions_are_found(stores: Stores) {
    let owned = own(&stores, 0).await;
    let waits = |id: i64, at| ExecutionChange { wake: Some(at), ..change(id) };
    let all = ExecutionFlush {
        executions: (1..=6).map(|id| new(id, "g")).chain([new((1 << SHARD_BITS) + 1, "g")]).collect(),
        changes: vec![
            waits(2, time(30)),
            waits(3, time(20)),
            waits(4, Timestamp::MAX),
            ExecutionChange { ended: Some(time(9)), ..change(5) },
        ],
        ..flush(&owned)
    };
    write(&stores, all).await;
    assert_eq!(ids(&stores.execution.active_executions(0, 0, 10).await.unwrap()), [1, 6]);
    assert_eq!(ids(&stores.execution.active_executions(0, 1, 1).await.unwrap()), [6]);
    assert_eq!(ids(&stores.execution.active_executions(1, 0, 10).await.unwrap()), [(1 << SHARD_BITS) + 1]);
    assert_eq!(ids(&stores.execution.due_executions(0, time(31), 10).await.unwrap()), [3, 2]);
    assert_eq!(ids(&stores.execution.due_executions(0, time(30), 10).await.unwrap()), [3]);
    assert_eq!(ids(&stores.execution.due_executions(0, time(31), 1).await.unwrap()), [3]);
    write(&stores, ExecutionFlush { changes: vec![change(3)], ..flush(&owned) }).await;
    assert_eq!(ids(&stores.execution.active_executions(0, 0, 10).await.unwrap()), [1, 3, 6]);
}

/// Names are taken once in a project, requests once in a shard.
pub async fn names_and_requests_of_executions_are_found(stores: Stores) {
    let owned = own(&stores, 0).await;
    let request = Bytes::from_static(b"r");
    let named = NewExecution { name: Some("a".into()), ..new(1, "g") };
    let asked = NewExecution { request: Some((request.clone(), [1; 32])), ..new(2, "g") };
    write(&stores, ExecutionFlush { executions: vec![named.clone(), asked], ..flush(&owned) }).await;
    let names = [("p".to_owned(), "a".to_owned()), ("q".to_owned(), "a".to_owned())];
    assert_eq!(ids(&stores.execution.find_executions(0, &names, &[]).await.unwrap()), [1]);
    let requests = [request.clone(), Bytes::from_static(b"s")];
    assert_eq!(ids(&stores.execution.find_executions(0, &[], &requests).await.unwrap()), [2]);
    assert!(stores.execution.find_executions(1, &names, &requests).await.unwrap().is_empty());
    let again = ExecutionFlush { executions: vec![NewExecution { id: 3, ..named }], ..flush(&owned) };
    assert!(stores.execution.flush_executions(again).await.is_err());
    refused!(stores.execution.get_execution(3).await, StoreError::NotFound { .. });
}

/// Lists are the newest first, of a project or of a graph.
pub async fn executions_list_newest_first(stores: Stores) {
    let owned = own(&stores, 0).await;
    let of = |id: i64| if id % 2 == 0 { "even" } else { "odd" };
    let mut executions: Vec<_> = (1..=5).map(|id| new(id, of(id))).collect();
    executions.push(NewExecution { project: "q".into(), ..new(6, "even") });
    write(&stores, ExecutionFlush { executions, ..flush(&owned) }).await;
    let list = |graph: Option<&'static str>, before, limit| {
        let store = stores.execution.clone();
        async move { ids(&store.list_executions("p", graph, before, limit).await.unwrap()) }
    };
    assert_eq!(list(None, i64::MAX, 10).await, [5, 4, 3, 2, 1]);
    assert_eq!(list(None, 4, 2).await, [3, 2]);
    assert_eq!(list(Some("even"), i64::MAX, 10).await, [4, 2]);
    assert_eq!(list(Some("none"), i64::MAX, 10).await, [0; 0]);
}

/// Those that ask a person are found, the newest first, until nobody is asked or they have ended.
pub async fn asking_executions_are_found(stores: Stores) {
    let owned = own(&stores, 0).await;
    let asks = |id: i64, approvals| ExecutionChange { approvals, ..change(id) };
    let mut executions: Vec<_> = (1..=5).map(|id| new(id, "g")).collect();
    executions.push(NewExecution { project: "q".into(), ..new(6, "g") });
    let changes = vec![asks(1, 1), asks(2, 2), asks(3, -1), asks(5, 1), asks(6, 1)];
    write(&stores, ExecutionFlush { executions, changes, ..flush(&owned) }).await;
    let asking = |before, limit| {
        let store = stores.execution.clone();
        async move { ids(&store.asking_executions("p", before, limit).await.unwrap()) }
    };
    assert_eq!(asking(i64::MAX, 10).await, [5, 3, 2, 1]);
    assert_eq!(asking(5, 2).await, [3, 2]);
    let over = ExecutionChange { ended: Some(time(9)), ..asks(2, 2) };
    write(&stores, ExecutionFlush { changes: vec![asks(5, 0), over], ..flush(&owned) }).await;
    assert_eq!(asking(i64::MAX, 10).await, [3, 1]);
}

/// A workflow is kept once, whoever brings it.
pub async fn a_definition_is_kept_once(stores: Stores) {
    let bytes = Bytes::from_static(b"definition \0\xff");
    let first = stores.execution.put_definition([1; 32], bytes.clone()).await.unwrap();
    assert_eq!(stores.execution.put_definition([1; 32], bytes.clone()).await.unwrap(), first);
    let other = stores.execution.put_definition([2; 32], Bytes::from_static(b"other")).await.unwrap();
    assert_ne!(other, first);
    assert_eq!(stores.execution.get_definition(first).await.unwrap(), bytes);
    refused!(stores.execution.get_definition(other + 100).await, StoreError::NotFound { .. });
}

/// What has ended long ago is found and removed with its journal; what has not ended stays.
pub async fn ended_executions_are_forgotten(stores: Stores) {
    let owned = own(&stores, 0).await;
    let ended = |id: i64| ExecutionChange { ended: Some(time(100 - id)), ..change(id) };
    let all = ExecutionFlush {
        executions: (1..=3).map(|id| new(id, "g")).collect(),
        changes: vec![ended(1), ended(2)],
        events: (1..=3).map(|id| events(id, 1)).collect(),
        ..flush(&owned)
    };
    write(&stores, all).await;
    let found = stores.execution.ended_executions(time(200), 10).await.unwrap();
    assert_eq!(found, [(2, uid(2)), (1, uid(1))]);
    assert_eq!(stores.execution.ended_executions(time(99), 10).await.unwrap(), [(2, uid(2))]);
    stores.execution.delete_executions(&[2, 3]).await.unwrap();
    refused!(stores.execution.get_execution(2).await, StoreError::NotFound { .. });
    assert!(stores.execution.execution_events(2, 0, 10).await.unwrap().is_empty());
    assert_eq!(stores.execution.execution_events(3, 0, 10).await.unwrap(), [events(3, 1)]);
    assert_eq!(stores.execution.get_execution(3).await.unwrap().change, change(3));
}

/// Of very many that are forgotten only the journals may stay a while; those of others stay as they are, and go on, however far
/// numbers have come since.
pub async fn forgotten_executions_give_back_their_room(stores: Stores) {
    const APART: i64 = 1 << 20;
    let owned = own(&stores, 1).await;
    let first = owned.last;
    // What a store may keep together lies between these.
    let groups: Vec<i64> = (0..4).map(|group| first + group * APART).collect();
    for group in &groups {
        let ids: Vec<i64> = (1..=40).map(|n| group + n).chain([group + APART - 1]).collect();
        let ended = |id: &i64| ExecutionChange { ended: (*id != group + 7).then(|| time(5)), ..change(*id) };
        let all = ExecutionFlush {
            executions: ids.iter().map(|id| new(*id, "g")).collect(),
            changes: ids.iter().map(ended).collect(),
            events: ids.iter().map(|id| events(*id, 1)).collect(),
            ..flush(&owned)
        };
        write(&stores, all).await;
    }
    let store = &stores.execution;
    // The first group is forgotten whole, the others but for one that has not ended.
    write(
        &stores,
        ExecutionFlush {
            changes: vec![ExecutionChange { ended: Some(time(5)), ..change(groups[0] + 7) }],
            ..flush(&owned)
        },
    )
    .await;
    let found = store.ended_executions(time(9), 1_000).await.unwrap();
    assert_eq!(found.len(), 161);
    let ids: Vec<i64> = found.into_iter().map(|(id, _)| id).collect();
    store.forget_executions(&ids).await.unwrap();
    assert!(store.ended_executions(time(9), 10).await.unwrap().is_empty());
    while store.tidy_executions(1).await.unwrap() > 0 {}
    for group in &groups {
        refused!(store.get_execution(group + 1).await, StoreError::NotFound { .. });
        assert!(
            store.execution_events(group + APART - 1, 0, 9).await.unwrap().is_empty(),
            "their journals are gone"
        );
    }
    for group in &groups[1..] {
        let id = group + 7;
        assert_eq!(store.execution_events(id, 0, 9).await.unwrap(), [events(id, 1)]);
        let over = ExecutionChange { ended: Some(time(6)), ..change(id) };
        write(&stores, ExecutionFlush { changes: vec![over], events: vec![events(id, 2)], ..flush(&owned) })
            .await;
        assert_eq!(store.execution_events(id, 0, 9).await.unwrap(), [events(id, 1), events(id, 2)]);
    }
    let newest = groups[3] + 7;
    assert!(own(&stores, 1).await.last >= newest);
    store.forget_executions(&[newest]).await.unwrap();
    assert!(store.execution_events(newest, 0, 9).await.unwrap().is_empty());
    let owned = own(&stores, 1).await;
    assert!(owned.last >= groups[2] + 7);
    let next = owned.last + 1;
    let more =
        ExecutionFlush { executions: vec![new(next, "g")], events: vec![events(next, 1)], ..flush(&owned) };
    write(&stores, more).await;
    assert_eq!(store.execution_events(next, 0, 9).await.unwrap(), [events(next, 1)]);
}

/// Ends are numbered in the order in which they were written, whatever the clock says, and one that ends twice has two.
pub async fn ends_of_executions_are_numbered(stores: Stores) {
    assert_eq!(stores.execution.execution_ends(0, 0, 9).await.unwrap(), ExecutionEnds::default());
    let owned = own(&stores, 0).await;
    let ended = |id: i64, state: i32, at: i64| ExecutionChange { state, ended: Some(time(at)), ..change(id) };
    let all = ExecutionFlush {
        executions: vec![new(1, "g"), new(2, "h"), new(3, "g")],
        changes: vec![ended(2, 4, 50), change(3), ended(1, 3, 60)],
        ..flush(&owned)
    };
    write(&stores, all).await;
    let other = own(&stores, 1).await;
    let elsewhere = (1 << SHARD_BITS) + 1;
    let all = ExecutionFlush {
        executions: vec![new(elsewhere, "g")],
        changes: vec![ended(elsewhere, 3, 1)],
        ..flush(&other)
    };
    write(&stores, all).await;
    // It is retried, and ends again; the clock was put back.
    write(&stores, ExecutionFlush { changes: vec![change(2)], ..flush(&owned) }).await;
    write(&stores, ExecutionFlush { changes: vec![ended(2, 3, 10)], ..flush(&owned) }).await;
    let end = |number: i64, execution: i64, graph: &str, state: i32, at: i64| ExecutionEnd {
        number,
        execution,
        project: "p".into(),
        graph: graph.into(),
        state,
        ended: time(at),
    };
    let expected = [end(1, 2, "h", 4, 50), end(2, 1, "g", 3, 60), end(3, 2, "h", 3, 10)];
    let found = stores.execution.execution_ends(0, 0, 9).await.unwrap();
    assert_eq!(found, ExecutionEnds { newest: 3, ends: expected.to_vec() });
    let page = stores.execution.execution_ends(0, 1, 1).await.unwrap();
    assert_eq!(page, ExecutionEnds { newest: 3, ends: expected[1..2].to_vec() });
    let found = stores.execution.execution_ends(1, 0, 9).await.unwrap();
    assert_eq!(found.ends, [end(1, elsewhere, "g", 3, 1)]);
    // Executions may be gone before their ends are; numbers are not given again.
    stores.execution.delete_executions(&[1, 2]).await.unwrap();
    assert_eq!(stores.execution.execution_ends(0, 0, 9).await.unwrap().ends, expected);
    assert_eq!(stores.execution.forget_execution_ends(0, time(55), 1).await.unwrap(), 1);
    assert_eq!(stores.execution.forget_execution_ends(0, time(99), 9).await.unwrap(), 2);
    assert_eq!(
        stores.execution.execution_ends(0, 0, 9).await.unwrap(),
        ExecutionEnds { newest: 3, ends: Vec::new() }
    );
    assert_eq!(stores.execution.execution_ends(1, 0, 9).await.unwrap().ends.len(), 1);
    let again = own(&stores, 0).await;
    write(&stores, ExecutionFlush { changes: vec![ended(3, 6, 99)], ..flush(&again) }).await;
    assert_eq!(stores.execution.execution_ends(0, 3, 9).await.unwrap().ends, [end(4, 3, "g", 6, 99)]);
}

/// Messages are numbered with the flush that they are in, in its order, and one of an owner that is none any more is none.
pub async fn messages_of_executions_are_numbered(stores: Stores) {
    let read = async |shard: i32, after: i64, limit: u32| {
        stores.execution.execution_messages(shard, after, limit).await.unwrap()
    };
    assert_eq!(read(0, 0, 9).await, ExecutionMessages::default());
    let message = |topic: &str, at: i64| NewExecutionMessage {
        project: "p".into(),
        topic: topic.into(),
        bytes: Bytes::from(format!("{topic} \0 {at}")),
        at: time(at),
    };
    let owned = own(&stores, 0).await;
    let publish = |owned: &OwnedExecutions, messages: Vec<NewExecutionMessage>| ExecutionFlush {
        messages,
        ..flush(owned)
    };
    // The clock was put back, and topics share the numbers.
    write(&stores, publish(&owned, vec![message("a", 50), message("b.c", 10)])).await;
    let other = own(&stores, 1).await;
    write(&stores, publish(&other, vec![message("a", 1)])).await;
    // More than one statement takes.
    write(&stores, publish(&owned, vec![message("many", 60); 200])).await;
    let numbered = |number: i64, message: NewExecutionMessage| ExecutionMessage { number, message };
    let first = [numbered(1, message("a", 50)), numbered(2, message("b.c", 10))];
    assert_eq!(read(0, 0, 2).await, ExecutionMessages { newest: 202, messages: first.to_vec() });
    let rest = read(0, 2, 300).await.messages;
    assert_eq!(rest.iter().map(|row| row.number).collect::<Vec<_>>(), (3..=202).collect::<Vec<_>>());
    assert!(rest.iter().all(|row| row.message == message("many", 60)));
    assert_eq!(read(1, 0, 9).await.messages, [numbered(1, message("a", 1))]);
    // The older of the two is behind a newer one, and waits for it.
    assert_eq!(stores.execution.forget_execution_messages(0, time(20), 1).await.unwrap(), 0);
    assert_eq!(stores.execution.forget_execution_messages(0, time(55), 9).await.unwrap(), 2);
    assert_eq!(stores.execution.forget_execution_messages(0, time(99), 300).await.unwrap(), 200);
    assert_eq!(read(0, 0, 9).await, ExecutionMessages { newest: 202, messages: Vec::new() });
    assert_eq!(read(1, 0, 9).await.messages.len(), 1);
    // Numbers are not given again; what an older owner says is not written, and takes none.
    let again = own(&stores, 0).await;
    refused!(
        stores.execution.flush_executions(publish(&owned, vec![message("a", 98)])).await,
        StoreError::Stale { of: Versioned::Epoch, .. }
    );
    write(&stores, publish(&again, vec![message("a", 99)])).await;
    assert_eq!(read(0, 0, 9).await.messages, [numbered(203, message("a", 99))]);
}

fn limit(number: u128, project: &str, id: &str) -> RunLimitRow {
    RunLimitRow {
        uid: uid(number),
        project: project.into(),
        id: id.into(),
        settings: Bytes::from_static(b"settings \0\xff"),
        version: 1,
        created: time(1),
        updated: time(1),
    }
}

/// Limits come back as they were written last, by project and name; one that is removed takes its rates along, and frees
/// its name in the same flush.
pub async fn run_limits_read_back_and_are_removed(stores: Stores) {
    let owned = own(&stores, 0).await;
    let all = [limit(1, "p", "b"), limit(2, "p", "a-b"), limit(3, "q", "a")];
    write(&stores, ExecutionFlush { limits: all.to_vec(), ..flush(&owned) }).await;
    let list =
        async |project, after, limit| stores.execution.list_run_limits(project, after, limit).await.unwrap();
    let [b, ab, q] = all;
    assert_eq!(list(None, ("", ""), 9).await, [ab.clone(), b.clone(), q.clone()]);
    assert_eq!(list(Some("p"), ("", ""), 1).await, std::slice::from_ref(&ab));
    assert_eq!(list(None, ("p", "a-b"), 9).await, [b.clone(), q.clone()]);
    let changed =
        RunLimitRow { settings: Bytes::from_static(b"new"), version: 2, updated: time(7), ..b.clone() };
    let rate = |limit, key: &str| RunRateRow { limit, key: key.into(), until: time(50) };
    let flushed = ExecutionFlush {
        limits: vec![changed.clone()],
        rates: vec![rate(uid(1), "k"), rate(uid(2), "")],
        ..flush(&owned)
    };
    write(&stores, flushed).await;
    assert_eq!(list(Some("p"), ("p", "a-b"), 9).await, [changed]);
    let again = limit(4, "p", "b");
    let flushed =
        ExecutionFlush { removed_limits: vec![uid(1)], limits: vec![again.clone()], ..flush(&owned) };
    write(&stores, flushed).await;
    assert_eq!(list(Some("p"), ("", ""), 9).await, [ab, again]);
    let rates = stores.execution.run_rates(time(0), (uid(0), ""), 9).await.unwrap();
    assert_eq!(rates, [rate(uid(2), "")]);
}

/// What executions count against, and what rates have come to, is written with the flush, or not at all.
pub async fn turns_and_rates_are_kept_with_their_flush(stores: Stores) {
    let owned = own(&stores, 0).await;
    let turn = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let rate = |key: &str, until| RunRateRow { limit: uid(1), key: key.into(), until: time(until) };
    let other = (1 << SHARD_BITS) + 1;
    let flushed = ExecutionFlush {
        turns: vec![(1, turn("one \0")), (2, turn("two")), (other, turn("of another shard")), (9, None)],
        rates: vec![rate("", 10), rate("\u{3b1} \"", 30)],
        ..flush(&owned)
    };
    write(&stores, flushed).await;
    let turns =
        async |shard, after, limit| stores.execution.execution_turns(shard, after, limit).await.unwrap();
    assert_eq!(turns(0, 0, 9).await, [(1, turn("one \0").unwrap()), (2, turn("two").unwrap())]);
    assert_eq!(turns(0, 1, 9).await, [(2, turn("two").unwrap())]);
    assert_eq!(turns(1, 0, 9).await.len(), 1);
    let flushed = ExecutionFlush {
        turns: vec![(1, None), (2, turn("later"))],
        rates: vec![rate("", 20)],
        ..flush(&owned)
    };
    write(&stores, flushed).await;
    assert_eq!(turns(0, 0, 9).await, [(2, turn("later").unwrap())]);
    let rates =
        async |from, after: &str| stores.execution.run_rates(time(from), (uid(1), after), 9).await.unwrap();
    assert_eq!(stores.execution.run_rates(time(0), (uid(0), ""), 1).await.unwrap(), [rate("", 20)]);
    assert_eq!(rates(0, "").await, [rate("\u{3b1} \"", 30)]);
    assert_eq!(stores.execution.forget_run_rates(time(21), 9).await.unwrap(), 1);
    assert_eq!(stores.execution.run_rates(time(0), (uid(0), ""), 9).await.unwrap().len(), 1);
    assert_eq!(rates(30, "").await, []);
    let old = vec![rate("x", 1), rate("y", 2), rate("z", 3)];
    write(&stores, ExecutionFlush { rates: old, ..flush(&owned) }).await;
    for count in [2, 1, 0] {
        assert_eq!(stores.execution.forget_run_rates(time(21), 2).await.unwrap(), count);
    }
    // Of an owner that is none any more nothing is written.
    own(&stores, 0).await;
    let late = ExecutionFlush {
        turns: vec![(2, None)],
        limits: vec![limit(1, "p", "a")],
        rates: vec![rate("late", 40)],
        ..flush(&owned)
    };
    refused!(stores.execution.flush_executions(late).await, StoreError::Stale { .. });
    assert_eq!(turns(0, 0, 9).await.len(), 1);
    assert_eq!(stores.execution.list_run_limits(None, ("", ""), 9).await.unwrap(), []);
    assert_eq!(rates(0, "").await.len(), 1);
}

/// What has not ended is found by project and graph.
pub async fn open_executions_are_found(stores: Stores) {
    let owned = own(&stores, 0).await;
    let of_q = NewExecution { project: "q".into(), ..new(6, "g") };
    let all = ExecutionFlush {
        executions: vec![new(1, "g"), new(2, "h"), new(3, "g"), new(4, "g"), of_q],
        changes: vec![
            ExecutionChange { ended: Some(time(9)), ..change(3) },
            ExecutionChange { wake: Some(Timestamp::MAX), ..change(4) },
        ],
        ..flush(&owned)
    };
    write(&stores, all).await;
    let open = async |graph, after, limit| {
        ids(&stores.execution.open_executions("p", graph, after, limit).await.unwrap())
    };
    assert_eq!(open(None, 0, 9).await, [1, 2, 4]);
    assert_eq!(open(Some("g"), 0, 9).await, [1, 4]);
    assert_eq!(open(None, 1, 1).await, [2]);
}
