//! Command types.

use bytes::Bytes;

use super::{done, refused, time, uid};
use crate::{CommandTypeRow, CommandTypeUpdate, NewCommandType, StoreError, Stores, Versioned};

/// A type to create.
pub(crate) fn new(id: &str, n: u128) -> NewCommandType {
    NewCommandType {
        project: "p".into(),
        id: id.into(),
        uid: uid(n),
        settings: Bytes::from_static(b"settings \0\xff"),
        at: time(0),
    }
}

fn update(n: u128, expected_version: i64) -> CommandTypeUpdate {
    CommandTypeUpdate { uid: uid(n), expected_version, settings: Bytes::from_static(b"new"), at: time(9) }
}

/// Every field comes back, and a name is taken once in its project.
pub async fn a_command_type_reads_back_as_written(stores: Stores) {
    let created = done(stores.command.create_command_type(new("t", 1), None).await);
    let expected = CommandTypeRow {
        project: "p".into(),
        id: "t".into(),
        uid: uid(1),
        settings: Bytes::from_static(b"settings \0\xff"),
        version: 1,
        created: time(0),
        updated: time(0),
    };
    assert_eq!(created, expected);
    assert_eq!(stores.command.get_command_type("p", "t").await.unwrap(), expected);
    let missing = StoreError::NotFound { what: "command type" };
    let found = stores.command.get_command_type("q", "t").await.unwrap_err();
    assert_eq!(found.to_string(), missing.to_string());
    refused!(
        stores.command.create_command_type(new("t", 2), None).await,
        StoreError::AlreadyExists { what: "command type" }
    );
    let elsewhere = NewCommandType { project: "q".into(), ..new("t", 3) };
    done(stores.command.create_command_type(elsewhere, None).await);
    refused!(stores.command.get_command_type("p", "\0").await, StoreError::Invalid { field: "id", .. });
    refused!(
        stores.command.create_command_type(new("a\0", 4), None).await,
        StoreError::Invalid { field: "id", .. }
    );
}

/// By id, by bytes, page by page.
pub async fn command_types_list_in_byte_order(stores: Stores) {
    let sorted = ["a", "a-b", "a0", "b"];
    for (n, id) in (0..).zip(sorted.iter().rev()) {
        done(stores.command.create_command_type(new(id, n), None).await);
    }
    let mut seen: Vec<String> = Vec::new();
    loop {
        let after = seen.last().map_or("", String::as_str);
        let page = stores.command.list_command_types("p", after, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, sorted);
    assert!(stores.command.list_command_types("q", "", 3).await.unwrap().is_empty());
}

/// Of two changes of one version the second is refused, as is its deletion; a deleted type's name is free.
pub async fn a_stale_command_type_write_writes_nothing(stores: Stores) {
    done(stores.command.create_command_type(new("t", 1), None).await);
    let changed = stores.command.update_command_type(update(1, 1)).await.unwrap();
    assert_eq!((changed.version, changed.created, changed.updated), (2, time(0), time(9)));
    assert_eq!(changed.settings, "new");
    refused!(
        stores.command.update_command_type(update(1, 1)).await,
        StoreError::Stale { of: Versioned::Version, current: 2 }
    );
    refused!(
        stores.command.update_command_type(update(2, 1)).await,
        StoreError::NotFound { what: "command type" }
    );
    refused!(
        stores.command.delete_command_type("p", "t", Some(1)).await,
        StoreError::Stale { of: Versioned::Version, current: 2 }
    );
    stores.command.delete_command_type("p", "t", Some(2)).await.unwrap();
    refused!(
        stores.command.delete_command_type("p", "t", None).await,
        StoreError::NotFound { what: "command type" }
    );
    done(stores.command.create_command_type(new("t", 5), None).await);
}
