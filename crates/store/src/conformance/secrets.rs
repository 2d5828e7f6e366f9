//! Secrets: what is said of them, and their sealed values.

use bytes::Bytes;

use super::{done, refused, time, uid};
use crate::{NewSecret, SealedSecret, SecretRow, SecretUpdate, StoreError, Stores, Versioned};

/// A secret to create.
pub(crate) fn new(id: &str, n: u128) -> NewSecret {
    NewSecret {
        project: "p".into(),
        id: id.into(),
        uid: uid(n),
        settings: Bytes::from_static(b"settings \0\xff"),
        sealed: Bytes::from_static(b"sealed \0\xff"),
        at: time(0),
    }
}

fn update(n: u128, expected_version: i64, sealed: Option<&'static [u8]>) -> SecretUpdate {
    let sealed = sealed.map(Bytes::from_static);
    SecretUpdate { uid: uid(n), expected_version, settings: Bytes::from_static(b"new"), sealed, at: time(9) }
}

/// Every field comes back, the value only to who asks for it, and a name is taken once in its project.
pub async fn a_secret_reads_back_as_written(stores: Stores) {
    let created = done(stores.secret.create_secret(new("t", 1), None).await);
    let expected = SecretRow {
        project: "p".into(),
        id: "t".into(),
        uid: uid(1),
        settings: Bytes::from_static(b"settings \0\xff"),
        version: 1,
        created: time(0),
        updated: time(0),
    };
    assert_eq!(created, expected);
    assert_eq!(stores.secret.get_secret("p", "t").await.unwrap(), expected);
    let sealed = Bytes::from_static(b"sealed \0\xff");
    assert_eq!(
        stores.secret.sealed_secret("p", "t").await.unwrap(),
        SealedSecret { uid: uid(1), settings: expected.settings, sealed }
    );
    refused!(stores.secret.get_secret("q", "t").await, StoreError::NotFound { what: "secret" });
    refused!(stores.secret.sealed_secret("q", "t").await, StoreError::NotFound { what: "secret" });
    refused!(
        stores.secret.create_secret(new("t", 2), None).await,
        StoreError::AlreadyExists { what: "secret" }
    );
    refused!(stores.secret.create_secret(new("a\0", 4), None).await, StoreError::Invalid { field: "id", .. });
}

/// By id, by bytes, page by page, of one project.
pub async fn secrets_list_in_byte_order(stores: Stores) {
    let sorted = ["a", "a-b", "a0", "b"];
    for (n, id) in (1..).zip(sorted.iter().rev()) {
        done(stores.secret.create_secret(new(id, n), None).await);
    }
    done(stores.secret.create_secret(NewSecret { project: "q".into(), ..new("s", 9) }, None).await);
    let mut seen: Vec<String> = Vec::new();
    loop {
        let after = seen.last().map_or("", String::as_str);
        let page = stores.secret.list_secrets("p", after, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, sorted);
}

/// A change without a value keeps it; of two changes of one version the second is refused, as is its deletion; a
/// deleted one's name is free.
pub async fn a_stale_secret_write_writes_nothing(stores: Stores) {
    done(stores.secret.create_secret(new("t", 1), None).await);
    let sealed = async || stores.secret.sealed_secret("p", "t").await.unwrap().sealed;
    let changed = stores.secret.update_secret(update(1, 1, None)).await.unwrap();
    assert_eq!((changed.version, changed.created, changed.updated), (2, time(0), time(9)));
    assert_eq!((changed.settings, sealed().await), ("new".into(), Bytes::from_static(b"sealed \0\xff")));
    refused!(
        stores.secret.update_secret(update(1, 1, Some(b"stale"))).await,
        StoreError::Stale { of: Versioned::Version, current: 2 }
    );
    assert_eq!(stores.secret.update_secret(update(1, 2, Some(b"other"))).await.unwrap().version, 3);
    assert_eq!(sealed().await, "other");
    refused!(stores.secret.update_secret(update(2, 1, None)).await, StoreError::NotFound { .. });
    refused!(
        stores.secret.delete_secret("p", "t", Some(1)).await,
        StoreError::Stale { of: Versioned::Version, current: 3 }
    );
    stores.secret.delete_secret("p", "t", Some(3)).await.unwrap();
    refused!(stores.secret.delete_secret("p", "t", None).await, StoreError::NotFound { what: "secret" });
    done(stores.secret.create_secret(new("t", 5), None).await);
}
