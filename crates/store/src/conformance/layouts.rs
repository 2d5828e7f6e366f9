//! Layouts.

use bytes::Bytes;
use uuid::Uuid;

use super::{done, refused, time, uid};
use crate::{DesiredState, LayoutRow, LayoutUpdate, NewLayout, StoreError, Stores, Versioned};

/// A layout to create in the graph of that name.
pub(crate) fn new(graph: &str, id: &str, n: u128) -> NewLayout {
    NewLayout {
        project: "p".into(),
        graph: graph.into(),
        graph_uid: uid(1_000),
        id: id.into(),
        uid: uid(n),
        dimensions: 2,
        parameters: Bytes::from_static(b"parameters"),
        seed: u64::MAX - 1,
        desired_state: DesiredState::Running,
        at: time(0),
    }
}

pub(crate) fn no_change(n: u128) -> LayoutUpdate {
    LayoutUpdate {
        uid: uid(n),
        expected_version: None,
        parameters: None,
        desired_state: None,
        pins: None,
        constraints: None,
        expected_constraints_version: None,
        held: None,
        at: time(9),
    }
}

/// Every field comes back, a seed above the largest signed number too.
pub async fn a_layout_reads_back_as_written(stores: Stores) {
    let created = done(stores.layout.create_layout(new("g", "l", 1), None).await);
    assert_eq!(
        created,
        LayoutRow {
            project: "p".into(),
            graph: "g".into(),
            graph_uid: uid(1_000),
            id: "l".into(),
            uid: uid(1),
            dimensions: 2,
            parameters: Bytes::from_static(b"parameters"),
            seed: u64::MAX - 1,
            desired_state: DesiredState::Running,
            pins: Bytes::new(),
            version: 1,
            constraints: Bytes::new(),
            constraints_version: 0,
            created: time(0),
            updated: time(0),
        }
    );
    assert_eq!(stores.layout.get_layout("p", "g", "l").await.unwrap(), created);
    refused!(stores.layout.get_layout("p", "g", "m").await, StoreError::NotFound { what: "layout" });
    refused!(stores.layout.get_layout("p", "g", "\0").await, StoreError::Invalid { field: "id", .. });
}

/// A taken id is refused in its graph, and free in others.
pub async fn an_id_is_taken_once_in_a_graph(stores: Stores) {
    done(stores.layout.create_layout(new("g", "l", 1), None).await);
    refused!(
        stores.layout.create_layout(new("g", "l", 2), None).await,
        StoreError::AlreadyExists { what: "layout" }
    );
    done(stores.layout.create_layout(new("h", "l", 3), None).await);
}

/// By graph and id, by bytes, page by page, of one graph or of all.
pub async fn layouts_list_in_byte_order(stores: Stores) {
    let sorted = [("a", "x"), ("a", "x-y"), ("a", "x0"), ("a-b", "a"), ("a0", "a"), ("b", "x")];
    for (n, (graph, id)) in sorted.iter().rev().enumerate() {
        done(stores.layout.create_layout(new(graph, id, n as u128), None).await);
    }
    for (graph, expected) in [(None, &sorted[..]), (Some("a"), &sorted[..3]), (Some("c"), &[])] {
        let mut seen: Vec<(String, String)> = Vec::new();
        loop {
            let after = seen.last().map_or(("", ""), |(graph, id)| (graph, id));
            let page = stores.layout.list_layouts("p", graph, after, 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 2);
            seen.extend(page.into_iter().map(|row| (row.graph, row.id)));
        }
        let seen: Vec<_> = seen.iter().map(|(graph, id)| (graph.as_str(), id.as_str())).collect();
        assert_eq!(seen, expected);
    }
    assert!(stores.layout.list_layouts("q", None, ("", ""), 10).await.unwrap().is_empty());
    assert!(stores.layout.list_layouts("p", Some("a"), ("b", "x"), 10).await.unwrap().is_empty());
    assert_eq!(stores.layout.list_layouts("p", Some("b"), ("a", "x"), 10).await.unwrap().len(), 1);
}

/// What an update does not name stays; only new parameters make a new version.
pub async fn an_update_writes_only_what_it_names(stores: Stores) {
    let row = done(stores.layout.create_layout(new("g", "l", 1), None).await);
    assert_eq!(done(stores.layout.update_layout(no_change(1), None).await), row);

    let pinned = LayoutUpdate { pins: Some(Bytes::from_static(b"pins")), ..no_change(1) };
    let pinned_row = LayoutRow { pins: Bytes::from_static(b"pins"), ..row };
    assert_eq!(done(stores.layout.update_layout(pinned, None).await), pinned_row);

    let stopped = LayoutUpdate { desired_state: Some(DesiredState::Stopped), ..no_change(1) };
    let stopped_row = LayoutRow { desired_state: DesiredState::Stopped, ..pinned_row };
    assert_eq!(done(stores.layout.update_layout(stopped, None).await), stopped_row);

    let tuned = LayoutUpdate { parameters: Some(Bytes::new()), expected_version: Some(1), ..no_change(1) };
    let tuned_row = LayoutRow { parameters: Bytes::new(), version: 2, updated: time(9), ..stopped_row };
    assert_eq!(done(stores.layout.update_layout(tuned, None).await), tuned_row);
    assert_eq!(stores.layout.get_layout("p", "g", "l").await.unwrap(), tuned_row);
}

/// An old version is refused by update and delete, and nothing is written.
pub async fn a_stale_layout_write_writes_nothing(stores: Stores) {
    let row = done(stores.layout.create_layout(new("g", "l", 1), None).await);
    let stale = LayoutUpdate {
        expected_version: Some(3),
        parameters: Some(Bytes::from_static(b"lost")),
        ..no_change(1)
    };
    refused!(
        stores.layout.update_layout(stale, None).await,
        StoreError::Stale { of: Versioned::Version, current: 1 }
    );
    refused!(
        stores.layout.delete_layout("p", "g", "l", Some(3)).await,
        StoreError::Stale { of: Versioned::Version, current: 1 }
    );
    assert_eq!(stores.layout.get_layout("p", "g", "l").await.unwrap(), row);
    refused!(stores.layout.update_layout(no_change(2), None).await, StoreError::NotFound { what: "layout" });
    assert_eq!(stores.layout.delete_layout("p", "g", "l", Some(1)).await.unwrap(), row);
    refused!(stores.layout.delete_layout("p", "g", "l", None).await, StoreError::NotFound { what: "layout" });
}

/// Constraints count their own versions, and a stale write of them writes nothing.
pub async fn constraints_have_versions_of_their_own(stores: Stores) {
    let row = done(stores.layout.create_layout(new("g", "l", 1), None).await);
    let first = LayoutUpdate {
        constraints: Some(Bytes::from_static(b"first")),
        expected_constraints_version: Some(0),
        ..no_change(1)
    };
    let first_row = LayoutRow { constraints: Bytes::from_static(b"first"), constraints_version: 1, ..row };
    assert_eq!(done(stores.layout.update_layout(first.clone(), None).await), first_row);
    refused!(
        stores.layout.update_layout(first, None).await,
        StoreError::Stale { of: Versioned::Version, current: 1 }
    );
    assert_eq!(stores.layout.get_layout("p", "g", "l").await.unwrap(), first_row);
    let none = LayoutUpdate { constraints: Some(Bytes::new()), ..no_change(1) };
    let none_row = LayoutRow { constraints: Bytes::new(), constraints_version: 2, ..first_row };
    assert_eq!(done(stores.layout.update_layout(none, None).await), none_row);
    assert_eq!(stores.layout.delete_layout("p", "g", "l", Some(1)).await.unwrap(), none_row);
}

/// A process that starts finds what it should run, in all projects, page by page.
pub async fn running_layouts_of_all_projects_are_found(stores: Stores) {
    for n in 1..=7_u128 {
        let desired_state = if n % 3 == 0 { DesiredState::Stopped } else { DesiredState::Running };
        let layout = NewLayout { project: format!("p{n}"), desired_state, ..new("g", "l", n) };
        done(stores.layout.create_layout(layout, None).await);
    }
    let (mut seen, mut after) = (Vec::new(), Uuid::nil());
    loop {
        let page = stores.layout.running_layouts(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.uid;
        seen.extend(page.iter().map(|row| row.uid));
    }
    assert_eq!(seen, [1, 2, 4, 5, 7].map(uid));
}

/// The layouts of a graph go together.
pub async fn layouts_go_with_their_graph(stores: Stores) {
    for n in 1..=3 {
        done(stores.layout.create_layout(new("g", &format!("l{n}"), n), None).await);
    }
    done(stores.layout.create_layout(NewLayout { graph_uid: uid(2_000), ..new("h", "l", 4) }, None).await);
    assert_eq!(stores.layout.delete_layouts_of(uid(1_000)).await.unwrap(), 3);
    assert_eq!(stores.layout.delete_layouts_of(uid(1_000)).await.unwrap(), 0);
    assert_eq!(stores.layout.list_layouts("p", None, ("", ""), 10).await.unwrap().len(), 1);
}
