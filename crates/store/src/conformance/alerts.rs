//! Alert rules, silences, and how far the alerts of rules are.

use bytes::Bytes;
use uuid::Uuid;

use super::{done, refused, time, uid};
use crate::{
    AlertSettingKind::{Rule, Silence},
    AlertSettingRow, AlertSettingUpdate, AlertStateRow, NewAlertSetting, StoreError, Stores, Versioned,
};

/// A rule to create.
pub(crate) fn new(id: &str, n: u128) -> NewAlertSetting {
    NewAlertSetting {
        kind: Rule,
        project: "p".into(),
        id: id.into(),
        uid: uid(n),
        settings: Bytes::from_static(b"settings \0\xff"),
        at: time(0),
    }
}

fn update(n: u128, expected_version: i64) -> AlertSettingUpdate {
    AlertSettingUpdate { uid: uid(n), expected_version, settings: Bytes::from_static(b"new"), at: time(9) }
}

/// Every field comes back, and a name is taken once in its project, by rules and silences apart.
pub async fn a_setting_reads_back_as_written(stores: Stores) {
    let created = done(stores.alert.create_alert_setting(new("t", 1), None).await);
    let expected = AlertSettingRow {
        kind: Rule,
        project: "p".into(),
        id: "t".into(),
        uid: uid(1),
        settings: Bytes::from_static(b"settings \0\xff"),
        version: 1,
        created: time(0),
        updated: time(0),
    };
    assert_eq!(created, expected);
    assert_eq!(stores.alert.get_alert_setting(Rule, "p", "t").await.unwrap(), expected);
    refused!(
        stores.alert.get_alert_setting(Silence, "p", "t").await,
        StoreError::NotFound { what: "silence" }
    );
    refused!(
        stores.alert.create_alert_setting(new("t", 2), None).await,
        StoreError::AlreadyExists { what: "alert rule" }
    );
    let silence = NewAlertSetting { kind: Silence, ..new("t", 3) };
    assert_eq!(done(stores.alert.create_alert_setting(silence, None).await).kind, Silence);
    refused!(
        stores.alert.create_alert_setting(new("a\0", 4), None).await,
        StoreError::Invalid { field: "id", .. }
    );
}

/// By id, by bytes, page by page; and all of all projects by uid.
pub async fn settings_list_in_byte_order(stores: Stores) {
    let sorted = ["a", "a-b", "a0", "b"];
    for (n, id) in (1..).zip(sorted.iter().rev()) {
        done(stores.alert.create_alert_setting(new(id, n), None).await);
    }
    let silence = NewAlertSetting { kind: Silence, project: "q".into(), ..new("s", 9) };
    done(stores.alert.create_alert_setting(silence, None).await);
    let mut seen: Vec<String> = Vec::new();
    loop {
        let after = seen.last().map_or("", String::as_str);
        let page = stores.alert.list_alert_settings(Rule, "p", after, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, sorted);
    assert!(stores.alert.list_alert_settings(Silence, "p", "", 3).await.unwrap().is_empty());
    let first = stores.alert.every_alert_setting(Uuid::nil(), 3).await.unwrap();
    let rest = stores.alert.every_alert_setting(first[2].uid, 9).await.unwrap();
    let all: Vec<Uuid> = first.iter().chain(&rest).map(|row| row.uid).collect();
    assert_eq!(all, [1, 2, 3, 4, 9].map(uid));
}

/// Of two changes of one version the second is refused, as is its deletion; a deleted one's name is free.
pub async fn a_stale_setting_write_writes_nothing(stores: Stores) {
    done(stores.alert.create_alert_setting(new("t", 1), None).await);
    let changed = stores.alert.update_alert_setting(update(1, 1)).await.unwrap();
    assert_eq!((changed.version, changed.created, changed.updated), (2, time(0), time(9)));
    assert_eq!(changed.settings, "new");
    refused!(
        stores.alert.update_alert_setting(update(1, 1)).await,
        StoreError::Stale { of: Versioned::Version, current: 2 }
    );
    refused!(stores.alert.update_alert_setting(update(2, 1)).await, StoreError::NotFound { .. });
    refused!(
        stores.alert.delete_alert_setting(Rule, "p", "t", Some(1)).await,
        StoreError::Stale { of: Versioned::Version, current: 2 }
    );
    stores.alert.delete_alert_setting(Rule, "p", "t", Some(2)).await.unwrap();
    refused!(
        stores.alert.delete_alert_setting(Rule, "p", "t", None).await,
        StoreError::NotFound { what: "alert rule" }
    );
    done(stores.alert.create_alert_setting(new("t", 5), None).await);
}

/// An older owner of the log writes nothing, a state replaces the one before, and goes with its rule.
pub async fn the_state_of_a_rule_is_written_by_who_has_the_log(stores: Stores) {
    let state = |n: u128, content: &'static [u8]| AlertStateRow {
        rule: uid(n),
        content: Bytes::from_static(content),
    };
    for n in 1..=3 {
        done(stores.alert.create_alert_setting(new(&format!("r{n}"), n), None).await);
    }
    let first = stores.telemetry.own_telemetry_log("one", time(0), time(10)).await.unwrap();
    for n in 1..=3 {
        stores.alert.keep_alert_state(first.epoch, state(n, b"pending")).await.unwrap();
    }
    let second = stores.telemetry.own_telemetry_log("two", time(11), time(20)).await.unwrap();
    refused!(stores.alert.keep_alert_state(first.epoch, state(1, b"old")).await, StoreError::Stale { .. });
    stores.alert.keep_alert_state(second.epoch, state(1, b"firing")).await.unwrap();
    refused!(
        stores.alert.keep_alert_state(second.epoch, state(7, b"x")).await,
        StoreError::NotFound { what: "alert rule" }
    );
    stores.alert.delete_alert_setting(Rule, "p", "r2", None).await.unwrap();
    let page = stores.alert.alert_states(Uuid::nil(), 1).await.unwrap();
    assert_eq!(page, [state(1, b"firing")]);
    assert_eq!(stores.alert.alert_states(page[0].rule, 9).await.unwrap(), [state(3, b"pending")]);
}
