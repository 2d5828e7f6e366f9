//! Appending to a journal and reading it.

use bytes::Bytes;
use futures::future::join_all;

use super::{append_up_to, commit, done, graph, read_all, refused, time, uid};
use crate::{Commit, JournalEntry, JournalLimit, Position, Revision, StoreError, Stores, Versioned, Written};

fn sized(entries: u32, bytes: usize) -> JournalLimit {
    JournalLimit { entries, bytes }
}

/// A revision of several parts, whose bytes say which they are.
fn commit_of_parts(base: i64, count: usize, size: usize) -> Commit {
    let parts = (0..count).map(|part| Bytes::from(vec![part as u8; size])).collect();
    Commit { parts, ..commit(uid(1), base) }
}

/// All parts of all revisions, with their times, makers and ends.
pub async fn revisions_come_back_in_order_whole(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    let mut two = commit_of_parts(1, 3, 5);
    two.actor = "projects/p/apiKeys/ü".into();
    assert_eq!(done(stores.graph.append(two, None).await), 2);
    assert_eq!(done(stores.graph.append(commit(row.uid, 2), None).await), 3);

    let entries =
        read_all(&*stores.graph, row.uid, Position::after_revision(0), JournalLimit::default()).await;
    let shape: Vec<_> = entries.iter().map(|entry| (entry.revision, entry.part, entry.last_part)).collect();
    assert_eq!(shape, [(1, 0, true), (2, 0, false), (2, 1, false), (2, 2, true), (3, 0, true)]);
    assert_eq!(
        entries[2],
        JournalEntry {
            revision: 2,
            part: 1,
            last_part: false,
            at: time(1),
            actor: "projects/p/apiKeys/ü".into(),
            bytes: Bytes::from_static(&[1; 5]),
        }
    );
    assert_eq!(&entries[0].bytes[..], b"revision 1");

    let now = stores.graph.get_graph("p", "g").await.unwrap();
    assert_eq!((now.revision, now.oldest_revision, now.version), (3, 1, 1));
    assert_eq!((now.node_count, now.edge_count, now.next_ordinal), (20, 40, 60));
    assert_eq!((now.created, now.updated), (time(0), time(2)));
}

/// A page ends on whichever bound comes first, has one entry in any case, and the next goes on without a gap.
pub async fn pages_end_on_entries_and_bytes(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    for base in 1..10 {
        let fixed = Commit { parts: vec![Bytes::from(vec![7; 100])], ..commit(row.uid, base) };
        done(stores.graph.append(fixed, None).await);
    }
    let start = Position::after_revision(1);
    for (limit, expected) in [
        (sized(4, 1 << 20), 4),
        (sized(100, 300), 3),
        (sized(100, 301), 4),
        (sized(100, 1), 1),
        (sized(100, 0), 1),
    ] {
        let page = stores.graph.journal(row.uid, start, limit).await.unwrap();
        assert_eq!(page.len(), expected, "{limit:?}");
        let all = read_all(&*stores.graph, row.uid, start, limit).await;
        assert_eq!(all.iter().map(|entry| entry.revision).collect::<Vec<_>>(), (2..=10).collect::<Vec<_>>());
    }
    assert!(
        stores.graph.journal(row.uid, Position::after_revision(10), sized(9, 9)).await.unwrap().is_empty()
    );
    assert!(
        stores
            .graph
            .journal(row.uid, Position::after_revision(i64::MAX), sized(9, 9))
            .await
            .unwrap()
            .is_empty()
    );
}

/// A revision that is larger than a page is read on from its middle.
pub async fn a_page_may_end_inside_a_revision(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    done(stores.graph.append(commit_of_parts(1, 5, 10), None).await);
    append_up_to(&*stores.graph, row.uid, 2, 3).await;
    let page = stores.graph.journal(row.uid, Position::after_revision(1), sized(2, 1 << 20)).await.unwrap();
    let place = page[1].position();
    assert_eq!(place, Position { revision: 2, part: 1 });
    let rest = read_all(&*stores.graph, row.uid, place, sized(2, 1 << 20)).await;
    let shape: Vec<_> = rest.iter().map(|entry| (entry.revision, entry.part)).collect();
    assert_eq!(shape, [(2, 2), (2, 3), (2, 4), (3, 0)]);
}

/// A writer on an old base learns the newest revision, and leaves no trace.
pub async fn a_stale_append_writes_nothing(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    append_up_to(&*stores.graph, row.uid, 1, 3).await;
    for base in [-1, 0, 1, 2, 4, i64::MAX] {
        let stale = Commit { base_revision: base, ..commit(row.uid, 1) };
        refused!(
            stores.graph.append(stale, None).await,
            StoreError::Stale { of: Versioned::Revision, current: 3 }
        );
    }
    let all = read_all(&*stores.graph, row.uid, Position::after_revision(0), JournalLimit::default()).await;
    assert_eq!(all.len(), 3);
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap().node_count, 20);
}

/// Of writers on one base exactly one wins; the others are told to catch up, not that the database is busy.
pub async fn of_concurrent_appends_one_wins(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    for base in 1..=5 {
        let results = join_all((0..16).map(|_| stores.graph.append(commit(row.uid, base), None))).await;
        let won: Vec<_> = results.iter().filter(|result| result.is_ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        for result in results.into_iter().filter(Result::is_err) {
            refused!(result, StoreError::Stale { of: Versioned::Revision, current } if current == base + 1);
        }
    }
    let all = read_all(&*stores.graph, row.uid, Position::after_revision(0), JournalLimit::default()).await;
    assert_eq!(all.len(), 6);
}

/// Writers that catch up and try again all get their revisions in; the journal has each once.
pub async fn appends_that_catch_up_all_land(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    let writers = (0..8_u8).map(|writer| {
        let store = stores.graph.clone();
        async move {
            let mut base = 1;
            for turn in 0..10_u8 {
                loop {
                    let mine = Commit {
                        parts: vec![Bytes::copy_from_slice(&[writer, turn])],
                        ..commit(uid(1), base)
                    };
                    match store.append(mine, None).await {
                        Ok(Written::Done(revision)) => break base = revision,
                        Err(StoreError::Stale { current, .. }) => base = current,
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    });
    join_all(writers).await;
    let all = read_all(&*stores.graph, row.uid, Position::after_revision(1), sized(7, 1 << 20)).await;
    assert_eq!(all.len(), 80);
    for writer in 0..8 {
        let turns: Vec<_> =
            all.iter().filter(|entry| entry.bytes[0] == writer).map(|entry| entry.bytes[1]).collect();
        assert_eq!(turns, (0..10).collect::<Vec<_>>());
    }
}

/// One call tells the revisions of as many graphs as a process may have loaded; unknown ones are left out.
pub async fn revisions_of_many_graphs_in_one_call(stores: Stores) {
    for n in 1..=3 {
        let row = graph(&stores, &format!("g{n}"), n).await;
        append_up_to(&*stores.graph, row.uid, 1, n as i64).await;
    }
    let uids: Vec<_> = (1..=40_000).map(uid).collect();
    let mut revisions = stores.graph.revisions(&uids).await.unwrap();
    revisions.sort_by_key(|revision| revision.revision);
    let expected: Vec<_> = (1..=3).map(|n| Revision { uid: uid(n), revision: n as i64 }).collect();
    assert_eq!(revisions, expected);
    assert!(stores.graph.revisions(&[]).await.unwrap().is_empty());
}

/// An import is one revision of many large parts.
pub async fn a_large_revision_is_whole(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    done(stores.graph.append(commit_of_parts(1, 20, 1 << 20), None).await);
    let all = read_all(&*stores.graph, row.uid, Position::after_revision(1), JournalLimit::default()).await;
    assert_eq!(all.len(), 20);
    for (part, entry) in all.iter().enumerate() {
        assert_eq!((entry.revision, entry.part, entry.last_part), (2, part as i32, part == 19));
        assert_eq!(entry.bytes.len(), 1 << 20);
        assert!(entry.bytes.iter().all(|&byte| byte == part as u8));
    }
}
