//! Holds of layouts.

use bytes::Bytes;
use uuid::Uuid;

use super::{done, layouts, members::keep, refused, time, uid};
use crate::{HoldRow, LayoutUpdate, OrphanRow, SavedUnder, StoreError, Stores, Versioned};

async fn layout(stores: &Stores, n: u128) -> Uuid {
    done(stores.layout.create_layout(layouts::new("g", &format!("l{n}"), n), None).await).uid
}

/// While a member's lease holds, nobody else takes its layout; each taking is an epoch.
pub async fn a_layout_has_one_holder(stores: Stores) {
    let store = &stores.placement;
    let layout = layout(&stores, 1).await;
    assert_eq!(store.get_hold(layout).await.unwrap(), None);
    refused!(store.take_hold(uid(99), uid(11), time(0)).await, StoreError::NotFound { what: "layout" });
    keep(&stores, "compute", 11, 0).await;
    let held =
        |holder: u128, epoch| HoldRow { holder: Some(uid(holder)), epoch, saved: SavedUnder::default() };
    assert_eq!(store.take_hold(layout, uid(11), time(0)).await.unwrap(), held(11, 1));
    assert_eq!(store.take_hold(layout, uid(11), time(1)).await.unwrap(), held(11, 2));
    refused!(store.take_hold(layout, uid(12), time(9)).await, StoreError::AlreadyExists { .. });
    assert_eq!(store.get_hold(layout).await.unwrap(), Some(held(11, 2)));
    // Its lease is over.
    assert_eq!(store.take_hold(layout, uid(12), time(10)).await.unwrap(), held(12, 3));
    // That of the second has never begun.
    assert_eq!(store.take_hold(layout, uid(13), time(10)).await.unwrap(), held(13, 4));
    keep(&stores, "compute", 13, 10).await;
    store.leave_hold(layout, 3, false).await.unwrap();
    refused!(store.take_hold(layout, uid(12), time(11)).await, StoreError::AlreadyExists { .. });
    store.leave_hold(layout, 4, false).await.unwrap();
    assert_eq!(store.get_hold(layout).await.unwrap(), Some(HoldRow { holder: None, ..held(13, 4) }));

    // Of many who take at once one has it under each epoch.
    for n in 21..25 {
        keep(&stores, "compute", n, 12).await;
    }
    let takers = (21..25).map(|n| store.take_hold(layout, uid(n), time(12)));
    let taken = futures::future::join_all(takers).await;
    let winners: Vec<_> = taken.iter().filter_map(|taken| taken.as_ref().ok()).collect();
    assert_eq!(winners.iter().map(|hold| hold.epoch).collect::<Vec<_>>(), [5]);
}

/// Neither a save nor a change of the layout is written by who has it no more.
pub async fn what_is_written_under_an_older_epoch_is_refused(stores: Stores) {
    let store = &stores.placement;
    let layout = layout(&stores, 1).await;
    refused!(store.record_save(layout, 1, 1, true).await, StoreError::NotFound { what: "layout" });
    store.take_hold(layout, uid(11), time(0)).await.unwrap();
    assert_eq!(store.record_save(layout, 1, 1, true).await.unwrap(), SavedUnder::default());
    let first = SavedUnder { epoch: 1, number: 1 };
    assert_eq!(store.record_save(layout, 1, 2, true).await.unwrap(), first);
    let pins =
        LayoutUpdate { pins: Some(Bytes::from_static(b"one")), held: Some(1), ..layouts::no_change(1) };
    let row = done(stores.layout.update_layout(pins.clone(), None).await);

    let second = SavedUnder { epoch: 1, number: 2 };
    assert_eq!(store.take_hold(layout, uid(12), time(0)).await.unwrap().saved, second);
    refused!(
        store.record_save(layout, 1, 3, true).await,
        StoreError::Stale { of: Versioned::Epoch, current: 2 }
    );
    let late = LayoutUpdate { pins: Some(Bytes::from_static(b"late")), ..pins };
    refused!(
        stores.layout.update_layout(late, None).await,
        StoreError::Stale { of: Versioned::Epoch, current: 2 }
    );
    assert_eq!(stores.layout.get_layout("p", "g", "l1").await.unwrap(), row);
    assert_eq!(store.get_hold(layout).await.unwrap().unwrap().saved, second);
    assert_eq!(store.record_save(layout, 2, 1, false).await.unwrap(), second);
}

/// Layouts that moved and that nobody has any more, page by page.
pub async fn orphans_are_found(stores: Stores) {
    let store = &stores.placement;
    let mut all = Vec::new();
    for n in 1..=5 {
        all.push(layout(&stores, n).await);
    }
    keep(&stores, "compute", 11, 0).await;
    for layout in &all[..4] {
        store.take_hold(*layout, uid(11), time(0)).await.unwrap();
    }
    // One that rests, one that was given back while it moved, and two that die with their process.
    store.record_save(all[0], 1, 1, false).await.unwrap();
    store.leave_hold(all[1], 1, true).await.unwrap();
    let orphans = |at, after, limit| async move {
        let found = store.orphans(time(at), after, limit).await.unwrap();
        found.into_iter().map(|orphan| orphan.layout).collect::<Vec<_>>()
    };
    assert_eq!(orphans(9, Uuid::nil(), 10).await, [all[1]]);
    assert_eq!(orphans(10, Uuid::nil(), 10).await, all[1..4]);
    assert_eq!(orphans(10, all[1], 1).await, [all[2]]);
    let stopped = LayoutUpdate { desired_state: Some(crate::DesiredState::Stopped), ..layouts::no_change(3) };
    done(stores.layout.update_layout(stopped, None).await);
    let found = store.orphans(time(10), all[1], 10).await.unwrap();
    let last = OrphanRow { layout: all[3], project: "p".into(), graph: "g".into(), id: "l4".into() };
    assert_eq!(found, [last]);
}

/// Nothing is left of a layout that is deleted.
pub async fn holds_go_with_their_layout(stores: Stores) {
    let layout = layout(&stores, 1).await;
    stores.placement.take_hold(layout, uid(11), time(0)).await.unwrap();
    stores.layout.delete_layout("p", "g", "l1", None).await.unwrap();
    assert_eq!(stores.placement.get_hold(layout).await.unwrap(), None);
    refused!(stores.placement.record_save(layout, 1, 1, true).await, StoreError::NotFound { what: "layout" });
}
