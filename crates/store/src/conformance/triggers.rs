//! Triggers, their ticks, and what came to them.

use std::collections::BTreeSet;

use bytes::Bytes;
use uuid::Uuid;

use super::{done, refused, remember, replayed, time, uid};
use crate::{
    Accepted, Advance, DeliveryChange, DeliveryKind, DeliveryRow, Dismissal, NewTrigger, StoreError, Stores,
    Tick, TriggerRow, TriggerUpdate, Versioned,
};

/// A trigger to create, with a token and a first tick.
pub(crate) fn new(id: &str, n: u128) -> NewTrigger {
    NewTrigger {
        project: "p".into(),
        id: id.into(),
        uid: uid(n),
        token: Some([n as u8; 32]),
        settings: Bytes::from_static(b"settings \0\xff"),
        next: Some(time(n as i64)),
        place: None,
        at: time(0),
    }
}

fn update(n: u128, expected_version: i64) -> TriggerUpdate {
    let settings = Bytes::from_static(b"new");
    TriggerUpdate {
        uid: uid(n),
        expected_version,
        token: Some([99; 32]),
        settings,
        next: None,
        place: None,
        at: time(9),
    }
}

/// A delivery of the trigger of number 1 that waits from an instant on.
fn delivery(n: u128, dedup: u8, wake: i64) -> DeliveryRow {
    DeliveryRow {
        id: uid(1_000 + n),
        trigger: uid(1),
        dedup: [dedup; 32],
        state: 1,
        kind: DeliveryKind::Taken,
        wake: Some(time(wake)),
        expires: time(100),
        head: Bytes::from_static(b"head \0\xff"),
        event: Bytes::from_static(b"event \0\xff"),
    }
}

/// Every field comes back, by name, identity and token, and a name is taken once in its project.
pub async fn a_trigger_reads_back_as_written(stores: Stores) {
    let created = done(stores.trigger.create_trigger(new("t", 1), None).await);
    let expected = TriggerRow {
        project: "p".into(),
        id: "t".into(),
        uid: uid(1),
        token: Some([1; 32]),
        settings: Bytes::from_static(b"settings \0\xff"),
        next: Some(time(1)),
        place: None,
        version: 1,
        created: time(0),
        updated: time(0),
    };
    assert_eq!(created, expected);
    assert_eq!(stores.trigger.get_trigger("p", "t").await.unwrap(), expected);
    assert_eq!(stores.trigger.find_trigger(uid(1)).await.unwrap(), expected);
    assert_eq!(stores.trigger.trigger_by_token(&[1; 32]).await.unwrap(), expected);
    refused!(stores.trigger.trigger_by_token(&[2; 32]).await, StoreError::NotFound { what: "trigger" });
    refused!(stores.trigger.find_trigger(uid(2)).await, StoreError::NotFound { what: "trigger" });
    let again = NewTrigger { token: None, ..new("t", 2) };
    refused!(
        stores.trigger.create_trigger(again.clone(), None).await,
        StoreError::AlreadyExists { what: "trigger" }
    );
    let bare = NewTrigger { project: "q".into(), next: None, ..again };
    let bare = done(stores.trigger.create_trigger(bare, Some(remember(7, 1, "made"))).await);
    assert_eq!((bare.token, bare.next), (None, None));
    let repeat = stores.trigger.create_trigger(new("u", 3), Some(remember(7, 1, "again"))).await;
    assert_eq!(replayed(repeat), "made");
    refused!(
        stores.trigger.create_trigger(new("a\0", 4), None).await,
        StoreError::Invalid { field: "id", .. }
    );
}

/// By id, by bytes, page by page.
pub async fn triggers_list_in_byte_order(stores: Stores) {
    let sorted = ["a", "a-b", "a0", "b"];
    for (n, id) in (1..).zip(sorted.iter().rev()) {
        done(stores.trigger.create_trigger(new(id, n), None).await);
    }
    let first = stores.trigger.list_triggers("p", "", 3).await.unwrap();
    let rest = stores.trigger.list_triggers("p", &first[2].id, 3).await.unwrap();
    let all: Vec<&str> = first.iter().chain(&rest).map(|row| &row.id[..]).collect();
    assert_eq!(all, sorted);
    assert!(stores.trigger.list_triggers("q", "", 3).await.unwrap().is_empty());
}

/// Of two changes of one version the second is refused, as is its deletion; a deleted one's name is free.
pub async fn a_stale_trigger_write_writes_nothing(stores: Stores) {
    done(stores.trigger.create_trigger(new("t", 1), None).await);
    let changed = done(stores.trigger.update_trigger(update(1, 1), Some(remember(8, 1, "changed"))).await);
    assert_eq!((changed.version, changed.created, changed.updated), (2, time(0), time(9)));
    assert_eq!((&changed.settings[..], changed.token, changed.next), (&b"new"[..], Some([99; 32]), None));
    let repeat = stores.trigger.update_trigger(update(1, 2), Some(remember(8, 1, "again"))).await;
    assert_eq!(replayed(repeat), "changed");
    refused!(
        stores.trigger.update_trigger(update(1, 1), None).await,
        StoreError::Stale { of: Versioned::Version, current: 2 }
    );
    refused!(stores.trigger.update_trigger(update(2, 1), None).await, StoreError::NotFound { .. });
    refused!(
        stores.trigger.delete_trigger("p", "t", Some(1)).await,
        StoreError::Stale { of: Versioned::Version, current: 2 }
    );
    stores.trigger.delete_trigger("p", "t", Some(2)).await.unwrap();
    refused!(stores.trigger.delete_trigger("p", "t", None).await, StoreError::NotFound { what: "trigger" });
    done(stores.trigger.create_trigger(new("t", 5), None).await);
}

/// The earliest first; a tick moves a trigger on and keeps what was due, once, and by who has the triggers.
pub async fn a_tick_happens_once(stores: Stores) {
    for n in [3, 1, 2] {
        done(stores.trigger.create_trigger(new(&format!("t{n}"), n), None).await);
    }
    let due = stores.trigger.due_triggers(time(3), 9).await.unwrap();
    assert_eq!(due.iter().map(|row| row.uid).collect::<Vec<_>>(), [uid(1), uid(2)]);
    assert_eq!(stores.trigger.due_triggers(time(9), 1).await.unwrap()[0].uid, uid(1));
    let first = stores.trigger.own_triggers("one", time(0), time(10)).await.unwrap();
    let tick = |n: u128, due: i64, next: Option<i64>, deliveries: Vec<DeliveryRow>| Tick {
        uid: uid(n),
        due: time(due),
        next: next.map(time),
        deliveries,
    };
    let ticks = vec![
        tick(1, 1, Some(5), vec![delivery(1, 1, 1), delivery(2, 2, 1)]),
        // It was changed meanwhile.
        tick(2, 7, Some(8), vec![delivery(3, 3, 1)]),
        tick(3, 3, None, Vec::new()),
    ];
    let moved = stores.trigger.tick_triggers(first, time(12), ticks.clone()).await.unwrap();
    assert_eq!(moved.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([uid(1), uid(3)]));
    assert_eq!(stores.trigger.find_trigger(uid(1)).await.unwrap().next, Some(time(5)));
    assert_eq!(stores.trigger.find_trigger(uid(1)).await.unwrap().version, 1);
    assert_eq!(stores.trigger.find_trigger(uid(2)).await.unwrap().next, Some(time(2)));
    assert_eq!(stores.trigger.find_trigger(uid(3)).await.unwrap().next, None);
    let kept = stores.trigger.list_deliveries(uid(1), None, 9).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.id).collect::<Vec<_>>(), [uid(1_002), uid(1_001)]);
    // The same again: the trigger has gone on.
    assert!(stores.trigger.tick_triggers(first, time(12), ticks).await.unwrap().is_empty());
    // A time that was kept already is not kept again.
    let same = vec![tick(1, 5, Some(6), vec![delivery(9, 2, 1)])];
    assert_eq!(stores.trigger.tick_triggers(first, time(12), same).await.unwrap(), [uid(1)]);
    assert_eq!(stores.trigger.list_deliveries(uid(1), None, 9).await.unwrap(), kept);
    let second = stores.trigger.own_triggers("two", time(13), time(20)).await.unwrap();
    let late = stores.trigger.tick_triggers(first, time(30), vec![tick(1, 6, None, Vec::new())]).await;
    refused!(late, StoreError::Stale { of: Versioned::Epoch, current } if current == second);
    assert_eq!(stores.trigger.find_trigger(uid(1)).await.unwrap().next, Some(time(6)));
    assert!(stores.trigger.tick_triggers(second, time(30), Vec::new()).await.unwrap().is_empty());
    stores.trigger.leave_triggers(second).await.unwrap();
    assert!(stores.trigger.own_triggers("three", time(14), time(20)).await.unwrap() > second);
}

/// A trigger that watches goes from place to place, and keeps what was there, once, and by who has the triggers.
pub async fn a_trigger_advances_once(stores: Stores) {
    let place = |text: &'static [u8]| Bytes::from_static(text);
    for n in [3, 1, 2] {
        let watching = NewTrigger { place: Some(place(b"0 \0\xff")), next: None, ..new(&format!("t{n}"), n) };
        done(stores.trigger.create_trigger(watching, None).await);
    }
    done(stores.trigger.create_trigger(new("t4", 4), None).await);
    let watching = stores.trigger.watching_triggers(Uuid::nil(), 9).await.unwrap();
    assert_eq!(watching.iter().map(|row| row.uid).collect::<Vec<_>>(), [uid(1), uid(2), uid(3)]);
    assert_eq!(stores.trigger.watching_triggers(uid(1), 1).await.unwrap()[0].uid, uid(2));
    let first = stores.trigger.own_triggers("one", time(0), time(10)).await.unwrap();
    let advance = |n: u128, from: &'static [u8], to: &'static [u8], deliveries| Advance {
        uid: uid(n),
        from: place(from),
        to: place(to),
        deliveries,
    };
    let advances = vec![
        advance(1, b"0 \0\xff", b"1 \0\xff", vec![delivery(1, 1, 1), delivery(2, 2, 1)]),
        // It was changed meanwhile.
        advance(2, b"7", b"8", vec![delivery(3, 3, 1)]),
        // It watches nothing.
        advance(4, b"", b"1", vec![delivery(4, 4, 1)]),
    ];
    let moved = stores.trigger.advance_triggers(first, time(12), advances.clone()).await.unwrap();
    assert_eq!(moved, [uid(1)]);
    let row = stores.trigger.find_trigger(uid(1)).await.unwrap();
    assert_eq!((row.place, row.version), (Some(place(b"1 \0\xff")), 1));
    assert_eq!(stores.trigger.find_trigger(uid(4)).await.unwrap().place, None);
    let kept = stores.trigger.list_deliveries(uid(1), None, 9).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.id).collect::<Vec<_>>(), [uid(1_002), uid(1_001)]);
    // The same again: the trigger has gone on.
    assert!(stores.trigger.advance_triggers(first, time(12), advances).await.unwrap().is_empty());
    // What was kept already is not kept again.
    let same = vec![advance(1, b"1 \0\xff", b"2", vec![delivery(9, 2, 1)])];
    assert_eq!(stores.trigger.advance_triggers(first, time(12), same).await.unwrap(), [uid(1)]);
    assert_eq!(stores.trigger.list_deliveries(uid(1), None, 9).await.unwrap(), kept);
    // A change leaves the place as it is, or gives another one.
    let changed = done(stores.trigger.update_trigger(update(1, 1), None).await);
    assert_eq!(changed.place, Some(place(b"2")));
    let moved = TriggerUpdate { place: Some(place(b"9")), token: None, ..update(1, 2) };
    assert_eq!(done(stores.trigger.update_trigger(moved, None).await).place, Some(place(b"9")));
    let second = stores.trigger.own_triggers("two", time(13), time(20)).await.unwrap();
    let late = vec![advance(1, b"9", b"10", Vec::new())];
    let late = stores.trigger.advance_triggers(first, time(30), late).await;
    refused!(late, StoreError::Stale { of: Versioned::Epoch, current } if current == second);
    assert_eq!(stores.trigger.find_trigger(uid(1)).await.unwrap().place, Some(place(b"9")));
    assert!(stores.trigger.advance_triggers(second, time(30), Vec::new()).await.unwrap().is_empty());
}

/// What comes twice is kept once, also among those that come together, and the repeat is told what the first is.
pub async fn a_delivery_is_kept_once(stores: Stores) {
    let other = DeliveryRow { trigger: uid(2), ..delivery(3, 1, 1) };
    let wanted = vec![delivery(1, 1, 1), delivery(2, 1, 1), other.clone()];
    let accepted = stores.trigger.accept_deliveries(wanted).await.unwrap();
    assert_eq!(accepted, [Accepted::New, Accepted::Known(Box::new(delivery(1, 1, 1))), Accepted::New]);
    let change = DeliveryChange {
        id: uid(1_001),
        state: 2,
        kind: DeliveryKind::Taken,
        wake: None,
        expires: Some(time(200)),
        started: Some(time(3)),
        head: "started".into(),
    };
    stores.trigger.settle_deliveries(vec![change]).await.unwrap();
    let again = stores.trigger.accept_deliveries(vec![delivery(4, 1, 1), delivery(5, 2, 1)]).await.unwrap();
    let Accepted::Known(first) = &again[0] else { panic!("it is a repeat") };
    assert_eq!(
        (first.state, first.wake, &first.head[..], &first.event[..], first.expires),
        (2, None, &b"started"[..], &b"event \0\xff"[..], time(200))
    );
    assert_eq!(again[1], Accepted::New);
    assert_eq!(stores.trigger.get_delivery(uid(1), uid(1_005)).await.unwrap(), delivery(5, 2, 1));
    refused!(
        stores.trigger.get_delivery(uid(2), uid(1_005)).await,
        StoreError::NotFound { what: "delivery" }
    );
    let page = stores.trigger.list_deliveries(uid(1), None, 1).await.unwrap();
    assert_eq!(page, [DeliveryRow { event: Bytes::new(), ..delivery(5, 2, 1) }]);
    let rest = stores.trigger.list_deliveries(uid(1), Some(page[0].id), 9).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.id).collect::<Vec<_>>(), [uid(1_001)]);
    assert_eq!(stores.trigger.list_deliveries(uid(2), None, 9).await.unwrap().len(), 1);
}

/// What waits is found by its time, what is settled waits no more, and the last that was started is known.
pub async fn waiting_deliveries_are_found(stores: Stores) {
    let wanted = vec![delivery(1, 1, 5), delivery(2, 2, 3), delivery(3, 3, 4)];
    stores.trigger.accept_deliveries(wanted).await.unwrap();
    let ids = |rows: Vec<DeliveryRow>| rows.into_iter().map(|row| row.id).collect::<Vec<Uuid>>();
    assert_eq!(ids(stores.trigger.waiting_deliveries(time(5), 9).await.unwrap()), [uid(1_002), uid(1_003)]);
    assert_eq!(ids(stores.trigger.waiting_deliveries(time(9), 1).await.unwrap()), [uid(1_002)]);
    assert_eq!(stores.trigger.last_started_delivery(uid(1)).await.unwrap(), None);
    let change = |n: u128, started: Option<i64>, wake: Option<i64>| DeliveryChange {
        id: uid(1_000 + n),
        state: 2,
        kind: DeliveryKind::Taken,
        wake: wake.map(time),
        expires: None,
        started: started.map(time),
        head: "later".into(),
    };
    let changes = vec![change(1, Some(9), None), change(2, Some(8), None), change(3, None, Some(7))];
    stores.trigger.settle_deliveries(changes).await.unwrap();
    let waiting = stores.trigger.waiting_deliveries(time(9), 9).await.unwrap();
    let later = DeliveryRow { state: 2, head: "later".into(), ..delivery(3, 3, 7) };
    assert_eq!(waiting, [later]);
    let last = stores.trigger.last_started_delivery(uid(1)).await.unwrap().expect("two were");
    // Not the newest one, but the one that was started last.
    assert_eq!(last.id, uid(1_001));
    assert_eq!(stores.trigger.last_started_delivery(uid(2)).await.unwrap(), None);
}

/// What has expired is forgotten, but for what still waits; it may then come again.
pub async fn old_deliveries_are_forgotten(stores: Stores) {
    let wanted = (1..=4).map(|n| DeliveryRow {
        expires: time(n),
        wake: (n == 1).then(|| time(9)),
        ..delivery(n as u128, n as u8, 1)
    });
    stores.trigger.accept_deliveries(wanted.collect()).await.unwrap();
    assert_eq!(stores.trigger.forget_deliveries(time(4), 1).await.unwrap(), 1);
    assert_eq!(stores.trigger.forget_deliveries(time(4), 9).await.unwrap(), 1);
    let left = stores.trigger.list_deliveries(uid(1), None, 9).await.unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [uid(1_004), uid(1_001)]);
    let again = stores.trigger.accept_deliveries(vec![delivery(7, 2, 1)]).await.unwrap();
    assert_eq!(again, [Accepted::New]);
}

/// Dead deliveries are found over all triggers that there are in a project, until somebody looks after them, once.
pub async fn dead_deliveries_are_found_until_they_are_dismissed(stores: Stores) {
    done(stores.trigger.create_trigger(new("t1", 1), None).await);
    done(stores.trigger.create_trigger(new("t2", 2), None).await);
    let elsewhere = NewTrigger { project: "q".into(), ..new("t1", 3) };
    done(stores.trigger.create_trigger(elsewhere, None).await);
    let of = |trigger: u128, row: DeliveryRow| DeliveryRow { trigger: uid(trigger), ..row };
    let wanted =
        vec![delivery(1, 1, 1), delivery(2, 2, 1), of(2, delivery(3, 3, 1)), of(3, delivery(4, 4, 1))];
    stores.trigger.accept_deliveries(wanted).await.unwrap();
    let names = |found: Vec<crate::NamedDelivery>| {
        found.into_iter().map(|found| (found.trigger_id, found.row.id)).collect::<Vec<_>>()
    };
    let all = stores.trigger.project_deliveries("p", None, 9).await.unwrap();
    assert_eq!(all[1].row, DeliveryRow { event: Bytes::new(), ..delivery(2, 2, 1) });
    let expected = [("t2", 1_003), ("t1", 1_002), ("t1", 1_001)].map(|(id, n)| (id.to_owned(), uid(n)));
    assert_eq!(names(all), expected);
    let rest = stores.trigger.project_deliveries("p", Some(uid(1_003)), 1).await.unwrap();
    assert_eq!(names(rest), expected[1..2]);
    assert!(stores.trigger.dead_deliveries("p", None, None, 9).await.unwrap().is_empty());
    let dead = [1, 3, 4].map(|n| DeliveryChange {
        id: uid(1_000 + n),
        state: 4,
        kind: DeliveryKind::Dead,
        wake: None,
        expires: None,
        started: None,
        head: "failed".into(),
    });
    stores.trigger.settle_deliveries(dead.to_vec()).await.unwrap();
    let found = stores.trigger.dead_deliveries("p", None, None, 9).await.unwrap();
    assert_eq!((found[0].row.state, found[0].row.kind), (4, DeliveryKind::Dead));
    assert_eq!(names(found), [expected[0].clone(), expected[2].clone()]);
    let of_one = stores.trigger.dead_deliveries("p", Some(uid(1)), None, 9).await.unwrap();
    assert_eq!(names(of_one), expected[2..]);
    let rest = stores.trigger.dead_deliveries("p", None, Some(uid(1_003)), 9).await.unwrap();
    assert_eq!(names(rest), expected[2..]);
    // One that is not dead stays as it is.
    let dismissals = [1, 2].map(|n| Dismissal { id: uid(1_000 + n), head: "dismissed".into() }).to_vec();
    assert_eq!(stores.trigger.dismiss_deliveries(dismissals.clone()).await.unwrap(), [uid(1_001)]);
    assert!(stores.trigger.dismiss_deliveries(dismissals).await.unwrap().is_empty());
    let kept = stores.trigger.get_delivery(uid(1), uid(1_001)).await.unwrap();
    assert_eq!((&kept.head[..], kept.kind, kept.state), (&b"dismissed"[..], DeliveryKind::Taken, 4));
    assert_eq!(&stores.trigger.get_delivery(uid(1), uid(1_002)).await.unwrap().head[..], b"head \0\xff");
    assert_eq!(names(stores.trigger.dead_deliveries("p", None, None, 9).await.unwrap()), expected[..1]);
    stores.trigger.delete_trigger("p", "t2", None).await.unwrap();
    assert!(stores.trigger.dead_deliveries("p", None, None, 9).await.unwrap().is_empty());
    assert_eq!(stores.trigger.project_deliveries("p", None, 9).await.unwrap().len(), 2);
}

/// Of each project and kind the newest events are kept, and never fewer because of what still waits.
pub async fn events_are_trimmed_to_a_budget(stores: Stores) {
    done(stores.trigger.create_trigger(new("t1", 1), None).await);
    let elsewhere = NewTrigger { project: "q".into(), ..new("t1", 3) };
    done(stores.trigger.create_trigger(elsewhere, None).await);
    let settled = |n: u128, kind: DeliveryKind| DeliveryRow {
        wake: None,
        kind,
        event: Bytes::from(vec![7; 100]),
        ..delivery(n, n as u8, 1)
    };
    let mut wanted = vec![delivery(9, 9, 1)];
    wanted.extend([1, 2, 3].map(|n| settled(n, DeliveryKind::Taken)));
    wanted.extend([4, 5].map(|n| settled(n, DeliveryKind::Dead)));
    wanted.push(DeliveryRow { trigger: uid(3), ..settled(6, DeliveryKind::Taken) });
    stores.trigger.accept_deliveries(wanted).await.unwrap();
    let sizes = async || {
        let mut sizes = Vec::new();
        for n in 1..=5 {
            sizes.push(stores.trigger.get_delivery(uid(1), uid(1_000 + n)).await.unwrap().event.len());
        }
        sizes
    };
    assert_eq!(stores.trigger.trim_events(1_000, 9).await.unwrap(), 0);
    assert_eq!(stores.trigger.trim_events(200, 9).await.unwrap(), 1);
    assert_eq!(sizes().await, [0, 100, 100, 100, 100]);
    // The oldest first, no more than it may at once.
    assert_eq!(stores.trigger.trim_events(150, 1).await.unwrap(), 1);
    assert_eq!(sizes().await, [0, 0, 100, 100, 100]);
    assert_eq!(stores.trigger.trim_events(150, 9).await.unwrap(), 1);
    assert_eq!(sizes().await, [0, 0, 100, 0, 100]);
    assert_eq!(stores.trigger.get_delivery(uid(3), uid(1_006)).await.unwrap().event.len(), 100);
    assert_eq!(stores.trigger.trim_events(0, 9).await.unwrap(), 3);
    assert_eq!(stores.trigger.get_delivery(uid(1), uid(1_009)).await.unwrap(), delivery(9, 9, 1));
    // What was tried again counts once nothing waits for it.
    let change = DeliveryChange {
        id: uid(1_009),
        state: 2,
        kind: DeliveryKind::Taken,
        wake: None,
        expires: None,
        started: None,
        head: "started".into(),
    };
    stores
        .trigger
        .settle_deliveries(vec![DeliveryChange { wake: Some(time(4)), ..change.clone() }])
        .await
        .unwrap();
    assert_eq!(stores.trigger.trim_events(0, 9).await.unwrap(), 0);
    stores.trigger.settle_deliveries(vec![change]).await.unwrap();
    assert_eq!(stores.trigger.trim_events(0, 9).await.unwrap(), 1);
}

/// Whoever is refused again and again leaves no more than so many traces at each trigger.
pub async fn refused_deliveries_are_trimmed_to_a_number(stores: Stores) {
    let refused = |trigger: u128, n: u128| DeliveryRow {
        trigger: uid(trigger),
        wake: None,
        kind: DeliveryKind::Refused,
        ..delivery(n, n as u8, 1)
    };
    let mut wanted: Vec<DeliveryRow> = (1..=5).map(|n| refused(1, n)).collect();
    wanted.extend([refused(2, 6), refused(2, 7), delivery(8, 8, 1)]);
    stores.trigger.accept_deliveries(wanted).await.unwrap();
    assert_eq!(stores.trigger.trim_refused(2, 1).await.unwrap(), 1);
    assert_eq!(stores.trigger.trim_refused(2, 9).await.unwrap(), 2);
    assert_eq!(stores.trigger.trim_refused(2, 9).await.unwrap(), 0);
    let left = async |trigger: u128| {
        let rows = stores.trigger.list_deliveries(uid(trigger), None, 9).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(left(1).await, [uid(1_008), uid(1_005), uid(1_004)]);
    assert_eq!(left(2).await, [uid(1_007), uid(1_006)]);
}
