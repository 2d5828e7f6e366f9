//! Creating, finding, listing, changing and deleting graphs.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::join_all;

use super::{append_up_to, commit, done, graph, new_graph, refused, time, uid};
use crate::{
    GraphRow, GraphUpdate, JournalLimit, MAX_PART_BYTES, NewGraph, Position, StoreError, Stores, Swept,
    Timestamp, Versioned,
};

fn change(row: &GraphRow) -> GraphUpdate {
    GraphUpdate {
        uid: row.uid,
        expected_version: Some(row.version),
        base_revision: row.revision,
        display_name: "New name".into(),
        description: "New description".into(),
        labels: BTreeMap::from([("env".into(), "test \"quoted\" \u{1F578}".into())]),
        parts: vec![Bytes::from_static(b"own fields")],
        at: time(9),
        actor: "projects/p/apiKeys/other".into(),
    }
}

/// Every field comes back, and times to the microsecond.
pub async fn a_graph_reads_back_as_written(stores: Stores) {
    let mut new = new_graph("p", "g", 1);
    new.at = Timestamp::from_micros(1_763_700_000_000_001);
    new.labels.insert("with \"quotes\", \\ and \u{0}".into(), "ünïcödé \u{1F578}".into());
    let created = done(stores.graph.create_graph(new.clone(), None).await);
    assert_eq!(
        created,
        GraphRow {
            project: "p".into(),
            id: "g".into(),
            uid: uid(1),
            display_name: new.display_name,
            description: new.description,
            kind: 1,
            labels: new.labels,
            revision: 1,
            oldest_revision: 1,
            node_count: 0,
            edge_count: 0,
            next_ordinal: 0,
            created: new.at,
            updated: new.at,
            version: 1,
        }
    );
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap(), created);
    assert_eq!(stores.graph.list_graphs("p", "", 10).await.unwrap(), [created]);
}

/// The ends of the range of times are times like any other.
pub async fn extreme_times_read_back(stores: Stores) {
    for (n, at) in [(1, Timestamp::MIN), (2, Timestamp::MAX), (3, Timestamp::from_micros(-1))] {
        let new = NewGraph { at, ..new_graph("p", &format!("g{n}"), n) };
        let created = done(stores.graph.create_graph(new, None).await);
        assert_eq!((created.created, created.updated), (at, at));
        let entries =
            stores.graph.journal(uid(n), Position::after_revision(0), JournalLimit::default()).await;
        assert_eq!(entries.unwrap()[0].at, at);
    }
}

/// A taken id is refused in its project, and free in others.
pub async fn an_id_is_taken_once_in_a_project(stores: Stores) {
    let first = graph(&stores, "g", 1).await;
    refused!(
        stores.graph.create_graph(new_graph("p", "g", 2), None).await,
        StoreError::AlreadyExists { what: "graph" }
    );
    done(stores.graph.create_graph(new_graph("q", "g", 3), None).await);
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap(), first);
    assert_eq!(stores.graph.count_graphs("p").await.unwrap(), 1);
    assert_eq!(stores.graph.count_graphs("nothing").await.unwrap(), 0);
}

/// Creations of one name at the same time leave one graph and no trace of the others.
pub async fn of_concurrent_creations_one_wins(stores: Stores) {
    let results = join_all((1..=8).map(|n| stores.graph.create_graph(new_graph("p", "g", n), None))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results {
        if result.is_err() {
            refused!(result, StoreError::AlreadyExists { .. });
        }
    }
    let uids: Vec<_> = (1..=8).map(uid).collect();
    assert_eq!(stores.graph.revisions(&uids).await.unwrap().len(), 1);
}

/// Ids sort by their bytes: a collation that skips hyphens would sort them differently, and lose some between
/// two pages.
pub async fn graphs_list_in_byte_order(stores: Stores) {
    let sorted = ["0", "a", "a-b", "a-c", "a0", "ab", "abc", "b"];
    for (n, id) in sorted.iter().rev().enumerate() {
        graph(&stores, id, n as u128).await;
    }
    done(stores.graph.create_graph(new_graph("other", "aa", 99), None).await);
    assert_eq!(stores.graph.count_graphs("p").await.unwrap(), 8);
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = stores.graph.list_graphs("p", &after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, sorted);
    assert!(stores.graph.list_graphs("p", "", 0).await.unwrap().is_empty());
}

/// New fields, one more version, one more revision, and the revision is in the journal.
pub async fn an_update_is_a_version_and_a_revision(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    let update = change(&row);
    let updated = done(stores.graph.update_graph(update.clone(), None).await);
    let expected = GraphRow {
        display_name: update.display_name.clone(),
        description: update.description.clone(),
        labels: update.labels.clone(),
        revision: 2,
        version: 2,
        updated: time(9),
        ..row
    };
    assert_eq!(updated, expected);
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap(), expected);
    let entries =
        stores.graph.journal(uid(1), Position::after_revision(1), JournalLimit::default()).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].revision, &entries[0].bytes[..]), (2, &b"own fields"[..]));
    assert_eq!(entries[0].actor, "projects/p/apiKeys/other");

    let any_version = GraphUpdate { expected_version: None, base_revision: 2, ..update };
    assert_eq!(done(stores.graph.update_graph(any_version, None).await).version, 3);
}

/// An old version is told apart from an old revision, because only the first is for the client to decide.
pub async fn a_stale_update_writes_nothing(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    append_up_to(&*stores.graph, row.uid, 1, 3).await;
    let before = stores.graph.get_graph("p", "g").await.unwrap();
    refused!(
        stores.graph.update_graph(change(&row), None).await,
        StoreError::Stale { of: Versioned::Revision, current: 3 }
    );
    let old_version = GraphUpdate { expected_version: Some(7), ..change(&before) };
    refused!(
        stores.graph.update_graph(old_version, None).await,
        StoreError::Stale { of: Versioned::Version, current: 1 }
    );
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap(), before);
    let rest = stores.graph.journal(row.uid, Position::after_revision(3), JournalLimit::default()).await;
    assert!(rest.unwrap().is_empty());
}

/// A deleted graph is gone from every method at once; its name is free, and the new graph is another one.
pub async fn a_deleted_graph_is_gone_for_every_reader(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    stores.graph.save_checkpoint(row.uid, 1, vec![Bytes::from_static(b"all")]).await.unwrap();
    assert_eq!(stores.graph.delete_graph("p", "g", Some(1)).await.unwrap(), row);
    a_missing_graph_is_not_found(stores.clone()).await;

    let again = graph(&stores, "g", 2).await;
    assert_eq!((again.uid, again.revision), (uid(2), 1));
    assert_eq!(stores.graph.load_checkpoint(uid(2)).await.unwrap(), None);
    refused!(stores.graph.append(commit(uid(1), 1), None).await, StoreError::NotFound { .. });
}

/// An etag that is not the graph's protects it.
pub async fn a_stale_delete_deletes_nothing(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    refused!(
        stores.graph.delete_graph("p", "g", Some(2)).await,
        StoreError::Stale { of: Versioned::Version, current: 1 }
    );
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap(), row);
    stores.graph.delete_graph("p", "g", None).await.unwrap();
}

/// The sweep removes all that deleted graphs leave, a bounded number of rows a call, and nothing else.
pub async fn a_sweep_removes_in_bounded_steps(stores: Stores) {
    let (gone, stays) = (graph(&stores, "gone", 1).await, graph(&stores, "stays", 2).await);
    append_up_to(&*stores.graph, gone.uid, 1, 90).await;
    append_up_to(&*stores.graph, stays.uid, 1, 5).await;
    let parts = vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")];
    stores.graph.save_checkpoint(gone.uid, 90, parts).await.unwrap();
    assert_eq!(stores.graph.sweep_deleted(10).await.unwrap(), Swept { rows: 0, done: true });

    stores.graph.delete_graph("p", "gone", None).await.unwrap();
    let mut rows = 0;
    loop {
        let swept = stores.graph.sweep_deleted(40).await.unwrap();
        assert!(swept.rows <= 40, "{swept:?}");
        rows += swept.rows;
        if swept.done {
            break;
        }
    }
    assert_eq!(rows, 92);
    let kept = stores.graph.journal(stays.uid, Position::after_revision(0), JournalLimit::default()).await;
    assert_eq!(kept.unwrap().len(), 5);
}

/// What one database would keep and the other not is refused by both, by the field's name.
pub async fn what_cannot_be_kept_is_named(stores: Stores) {
    let with_nul = NewGraph { display_name: "a\0b".into(), ..new_graph("p", "g", 1) };
    refused!(
        stores.graph.create_graph(with_nul, None).await,
        StoreError::Invalid { field: "display_name", .. }
    );
    refused!(stores.graph.get_graph("p", "a\0b").await, StoreError::Invalid { field: "id", .. });
    refused!(stores.graph.list_graphs("p", "\0", 1).await, StoreError::Invalid { field: "after", .. });
    let no_parts = NewGraph { parts: Vec::new(), ..new_graph("p", "g", 1) };
    refused!(stores.graph.create_graph(no_parts, None).await, StoreError::Invalid { field: "parts", .. });
    let row = graph(&stores, "g", 1).await;
    let mut too_large = commit(row.uid, 1);
    too_large.parts.push(Bytes::from(vec![0; MAX_PART_BYTES + 1]));
    refused!(stores.graph.append(too_large, None).await, StoreError::Invalid { field: "parts", .. });
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap(), row);
}

/// Every method says so when there is no such graph.
pub async fn a_missing_graph_is_not_found(stores: Stores) {
    let (store, missing) = (&stores.graph, uid(1));
    let update = GraphUpdate {
        uid: missing,
        expected_version: None,
        base_revision: 1,
        display_name: String::new(),
        description: String::new(),
        labels: BTreeMap::new(),
        parts: vec![Bytes::new()],
        at: time(1),
        actor: String::new(),
    };
    let limit = JournalLimit::default();
    refused!(store.get_graph("p", "g").await, StoreError::NotFound { what: "graph" });
    refused!(store.update_graph(update, None).await, StoreError::NotFound { what: "graph" });
    refused!(store.delete_graph("p", "g", None).await, StoreError::NotFound { what: "graph" });
    refused!(store.append(commit(missing, 1), None).await, StoreError::NotFound { what: "graph" });
    refused!(
        store.journal(missing, Position::after_revision(0), limit).await,
        StoreError::NotFound { what: "graph" }
    );
    refused!(
        store.save_checkpoint(missing, 1, vec![Bytes::new()]).await,
        StoreError::NotFound { what: "graph" }
    );
    refused!(store.load_checkpoint(missing).await, StoreError::NotFound { what: "graph" });
    refused!(store.checkpoint_part(missing, 1, 0).await, StoreError::NotFound { .. });
    refused!(store.trim_journal(missing, 1).await, StoreError::NotFound { what: "graph" });
    assert!(store.list_graphs("p", "", 10).await.unwrap().is_empty());
    assert!(store.revisions(&[missing]).await.unwrap().is_empty());
}
