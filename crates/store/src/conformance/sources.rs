//! Creating, finding, listing, changing and deleting sources.

use bytes::Bytes;
use futures::future::{join, join_all};

use super::{done, graph, new_source, refreshes, refused, source, time, uid};
use crate::{MAX_PART_BYTES, NewSource, SourceRow, SourceUpdate, StoreError, Stores, Timestamp, Versioned};

fn change(n: u128, expected_version: Option<i64>) -> SourceUpdate {
    SourceUpdate { uid: uid(n), expected_version, settings: Bytes::from_static(b"changed"), at: time(9) }
}

/// Every field comes back, and times to the microsecond, also those at the ends of their range.
pub async fn a_source_reads_back_as_written(stores: Stores) {
    graph(&stores, "g", 1).await;
    let times = [Timestamp::MIN, Timestamp::from_micros(-1), time(0), Timestamp::MAX];
    for (n, at) in (100..).zip(times) {
        let id = format!("s{n}");
        let created = done(stores.source.create_source(NewSource { at, ..new_source(&id, n) }, None).await);
        let expected = SourceRow {
            graph_uid: uid(1),
            id: id.clone(),
            uid: uid(n),
            settings: Bytes::from_static(b"settings \0\xff"),
            version: 1,
            created: at,
            updated: at,
            last_refresh: None,
        };
        assert_eq!(created, expected);
        assert_eq!(stores.source.get_source(uid(1), &id).await.unwrap(), expected);
        let listed = stores.source.list_sources(uid(1), "", 10).await.unwrap();
        assert_eq!(listed.last(), Some(&expected));
    }
}

/// A taken id is refused in its graph, and free in others.
pub async fn an_id_is_taken_once_in_a_graph(stores: Stores) {
    let first = source(&stores).await;
    graph(&stores, "h", 2).await;
    refused!(
        stores.source.create_source(new_source("s", 101), None).await,
        StoreError::AlreadyExists { what: "source" }
    );
    done(stores.source.create_source(NewSource { graph_uid: uid(2), ..new_source("s", 102) }, None).await);
    assert_eq!(stores.source.get_source(uid(1), "s").await.unwrap(), first);
    for (n, count) in [(1, 1), (2, 1), (3, 0)] {
        assert_eq!(stores.source.count_sources(uid(n)).await.unwrap(), count, "graph {n}");
    }
}

/// Creations of one id at the same time leave one source.
pub async fn of_concurrent_source_creations_one_wins(stores: Stores) {
    graph(&stores, "g", 1).await;
    let results = join_all((100..108).map(|n| stores.source.create_source(new_source("s", n), None))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results {
        if result.is_err() {
            refused!(result, StoreError::AlreadyExists { .. });
        }
    }
    assert_eq!(stores.source.count_sources(uid(1)).await.unwrap(), 1);
}

/// Ids sort by their bytes, page by page, each with its own newest refresh.
pub async fn sources_list_in_byte_order(stores: Stores) {
    graph(&stores, "g", 1).await;
    graph(&stores, "h", 2).await;
    let sorted = ["0", "a", "a-b", "a-c", "a0", "ab", "abc", "b"];
    for (n, id) in (100..).zip(sorted.iter().rev()) {
        done(stores.source.create_source(new_source(id, n), None).await);
    }
    done(stores.source.create_source(NewSource { graph_uid: uid(2), ..new_source("aa", 200) }, None).await);
    // The sources "b", "abc", "ab": as many refreshes as their place.
    for n in 100..103 {
        for number in 1..=n - 99 {
            refreshes::run(&stores, n, i64::try_from(number).unwrap()).await;
        }
    }
    let mut seen: Vec<(String, Option<i64>)> = Vec::new();
    loop {
        let after = seen.last().map_or("", |(id, _)| id);
        let page = stores.source.list_sources(uid(1), after, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        seen.extend(page.into_iter().map(|row| (row.id, row.last_refresh.map(|refresh| refresh.number))));
    }
    let expected = sorted.map(|id| {
        let number = match id {
            "b" => Some(1),
            "abc" => Some(2),
            "ab" => Some(3),
            _ => None,
        };
        (id.to_owned(), number)
    });
    assert_eq!(seen, expected);
    assert!(stores.source.list_sources(uid(1), "", 0).await.unwrap().is_empty());
    assert!(stores.source.list_sources(uid(3), "", 10).await.unwrap().is_empty());
}

/// New settings are one more version, and nothing else changes.
pub async fn an_update_of_settings_is_a_version(stores: Stores) {
    let row = source(&stores).await;
    let refresh = refreshes::run(&stores, 100, 1).await;
    let expected = SourceRow {
        settings: Bytes::from_static(b"changed"),
        version: 2,
        updated: time(9),
        last_refresh: Some(refresh),
        ..row
    };
    assert_eq!(stores.source.update_source(change(100, Some(1))).await.unwrap(), expected);
    assert_eq!(stores.source.get_source(uid(1), "s").await.unwrap(), expected);
    let any_version = SourceUpdate { settings: Bytes::new(), ..change(100, None) };
    let emptied = SourceRow { settings: Bytes::new(), version: 3, ..expected };
    assert_eq!(stores.source.update_source(any_version).await.unwrap(), emptied);
}

/// An old version is refused by update and delete, and nothing is written; of several updates on one version
/// one wins.
pub async fn a_stale_source_write_writes_nothing(stores: Stores) {
    let row = source(&stores).await;
    refused!(
        stores.source.update_source(change(100, Some(2))).await,
        StoreError::Stale { of: Versioned::Version, current: 1 }
    );
    refused!(
        stores.source.delete_source(uid(1), "s", Some(2)).await,
        StoreError::Stale { of: Versioned::Version, current: 1 }
    );
    assert_eq!(stores.source.get_source(uid(1), "s").await.unwrap(), row);

    let results = join_all((0..8).map(|_| stores.source.update_source(change(100, Some(1))))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results {
        if result.is_err() {
            refused!(result, StoreError::Stale { of: Versioned::Version, current: 2 });
        }
    }
}

/// A deleted source is given as it was, and is gone with its history at once; its id is free, and the new one
/// begins anew.
pub async fn a_deleted_source_is_gone_with_its_refreshes(stores: Stores) {
    source(&stores).await;
    done(stores.source.create_source(new_source("t", 101), None).await);
    refreshes::run(&stores, 101, 1).await;
    refreshes::run(&stores, 100, 1).await;
    let last_refresh = stores.source.begin_refresh(refreshes::new(100, 10)).await.unwrap();
    let row = stores.source.get_source(uid(1), "s").await.unwrap();
    assert_eq!(row.last_refresh, Some(refreshes::begun(last_refresh)));
    assert_eq!(stores.source.delete_source(uid(1), "s", Some(1)).await.unwrap(), row);
    a_missing_source_is_not_found_in(&stores).await;

    let again = done(stores.source.create_source(new_source("s", 102), None).await);
    assert_eq!((again.version, again.last_refresh), (1, None));
    assert_eq!(refreshes::run(&stores, 102, 1).await.number, 1);
    assert_eq!(stores.source.list_refreshes(uid(101), 0, 10).await.unwrap().len(), 1);
}

/// With its graph a source is gone at once, with its history; it cannot be created in a graph that is gone.
pub async fn sources_go_with_their_graph(stores: Stores) {
    source(&stores).await;
    done(stores.source.create_source(new_source("t", 101), None).await);
    graph(&stores, "h", 2).await;
    let stays = NewSource { graph_uid: uid(2), ..new_source("s", 200) };
    let stays = done(stores.source.create_source(stays, None).await);
    refreshes::begun(stores.source.begin_refresh(refreshes::new(100, 0)).await.unwrap());
    refreshes::run(&stores, 101, 1).await;

    // A refused deletion takes nothing with it.
    refused!(stores.graph.delete_graph("p", "g", Some(2)).await, StoreError::Stale { .. });
    assert_eq!(stores.source.count_sources(uid(1)).await.unwrap(), 2);

    stores.graph.delete_graph("p", "g", None).await.unwrap();
    a_missing_source_is_not_found_in(&stores).await;
    assert!(stores.source.list_sources(uid(1), "", 10).await.unwrap().is_empty());
    assert_eq!(stores.source.count_sources(uid(1)).await.unwrap(), 0);
    assert!(stores.source.list_refreshes(uid(101), 0, 10).await.unwrap().is_empty());
    for graph_uid in [uid(1), uid(3)] {
        refused!(
            stores.source.create_source(NewSource { graph_uid, ..new_source("s", 102) }, None).await,
            StoreError::NotFound { what: "graph" }
        );
    }
    assert_eq!(stores.source.get_source(uid(2), "s").await.unwrap(), stays);
}

/// Whichever of a creation and the deletion of its graph comes first, nothing is left.
pub async fn no_source_outlives_a_graph_that_is_deleted_meanwhile(stores: Stores) {
    for n in 1..=8 {
        let id = format!("g{n}");
        graph(&stores, &id, n).await;
        let creations = join_all((0..4).map(|place| {
            let source = NewSource { graph_uid: uid(n), ..new_source(&format!("s{place}"), 100 * n + place) };
            stores.source.create_source(source, None)
        }));
        let (created, deleted) = join(creations, stores.graph.delete_graph("p", &id, None)).await;
        deleted.unwrap();
        for result in created {
            if result.is_err() {
                refused!(result, StoreError::NotFound { what: "graph" });
            }
        }
        assert_eq!(stores.source.count_sources(uid(n)).await.unwrap(), 0);
    }
}

/// What one database would keep and the other not is refused by both, by the field's name.
pub async fn what_no_source_can_keep_is_named(stores: Stores) {
    let row = source(&stores).await;
    let large = Bytes::from(vec![0; MAX_PART_BYTES + 1]);
    let store = &stores.source;
    refused!(
        store.create_source(new_source("a\0b", 101), None).await,
        StoreError::Invalid { field: "id", .. }
    );
    let too_large = NewSource { settings: large.clone(), ..new_source("t", 101) };
    refused!(store.create_source(too_large, None).await, StoreError::Invalid { field: "settings", .. });
    let too_large = SourceUpdate { settings: large, ..change(100, None) };
    refused!(store.update_source(too_large).await, StoreError::Invalid { field: "settings", .. });
    refused!(store.get_source(uid(1), "\0").await, StoreError::Invalid { field: "id", .. });
    refused!(store.delete_source(uid(1), "\0", None).await, StoreError::Invalid { field: "id", .. });
    refused!(store.list_sources(uid(1), "\0", 1).await, StoreError::Invalid { field: "after", .. });
    assert_eq!(store.list_sources(uid(1), "", 10).await.unwrap(), [row]);

    let largest = Bytes::from(vec![7; MAX_PART_BYTES]);
    let source = NewSource { settings: largest.clone(), ..new_source("t", 101) };
    done(store.create_source(source, None).await);
    assert_eq!(store.get_source(uid(1), "t").await.unwrap().settings, largest);
}

/// Every method says so when there is no such source.
pub async fn a_missing_source_is_not_found(stores: Stores) {
    a_missing_source_is_not_found_in(&stores).await;
    graph(&stores, "g", 1).await;
    a_missing_source_is_not_found_in(&stores).await;
}

/// That there is no source "s" in the graph of number 1, and none of number 100.
async fn a_missing_source_is_not_found_in(stores: &Stores) {
    let store = &stores.source;
    refused!(store.get_source(uid(1), "s").await, StoreError::NotFound { what: "source" });
    refused!(store.update_source(change(100, None)).await, StoreError::NotFound { what: "source" });
    refused!(store.delete_source(uid(1), "s", None).await, StoreError::NotFound { what: "source" });
    let refresh = refreshes::new(100, 0);
    refused!(store.begin_refresh(refresh).await, StoreError::NotFound { what: "source" });
    refreshes::missing(stores, 100, 1).await;
    assert!(store.list_refreshes(uid(100), 0, 10).await.unwrap().is_empty());
}
