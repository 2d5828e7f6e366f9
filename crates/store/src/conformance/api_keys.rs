//! API keys.

use super::{done, refused, time, uid};
use crate::{ApiKeyRow, KeyUse, NewApiKey, StoreError, Stores};

/// A key to create, whose digest is a number.
pub(crate) fn new(id: &str, n: u8) -> NewApiKey {
    NewApiKey {
        project: "p".into(),
        id: id.into(),
        uid: uid(n.into()),
        display_name: "Key".into(),
        role: 2,
        scopes: vec!["graph.read".into(), "graph.write".into()],
        digest: [n; 32],
        expires: Some(time(1_000)),
        at: time(0),
        creator: "projects/mesh/apiKeys/admin".into(),
    }
}

/// Every field comes back, by name and by digest; what is absent is absent.
pub async fn a_key_reads_back_by_name_and_digest(stores: Stores) {
    let created = done(stores.identity.create_api_key(new("k", 1), None).await);
    let expected = ApiKeyRow {
        project: "p".into(),
        id: "k".into(),
        uid: uid(1),
        display_name: "Key".into(),
        role: 2,
        scopes: vec!["graph.read".into(), "graph.write".into()],
        digest: [1; 32],
        created: time(0),
        expires: Some(time(1_000)),
        revoked: None,
        last_used: None,
        creator: "projects/mesh/apiKeys/admin".into(),
    };
    assert_eq!(created, expected);
    assert_eq!(stores.identity.get_api_key("p", "k").await.unwrap(), expected);
    assert_eq!(stores.identity.api_key_by_digest(&[1; 32]).await.unwrap(), expected);
    let bare = NewApiKey { expires: None, scopes: Vec::new(), ..new("bare", 2) };
    let bare = done(stores.identity.create_api_key(bare, None).await);
    assert_eq!((bare.expires, bare.scopes), (None, Vec::new()));
    refused!(stores.identity.get_api_key("q", "k").await, StoreError::NotFound { what: "API key" });
    refused!(stores.identity.api_key_by_digest(&[9; 32]).await, StoreError::NotFound { what: "API key" });
}

/// Neither a name nor a digest is given twice.
pub async fn names_and_digests_are_unique(stores: Stores) {
    done(stores.identity.create_api_key(new("k", 1), None).await);
    refused!(
        stores.identity.create_api_key(new("k", 2), None).await,
        StoreError::AlreadyExists { what: "API key" }
    );
    let same_digest = NewApiKey { digest: [1; 32], ..new("other", 3) };
    refused!(
        stores.identity.create_api_key(same_digest, None).await,
        StoreError::AlreadyExists { what: "API key" }
    );
    done(stores.identity.create_api_key(NewApiKey { project: "q".into(), ..new("k", 4) }, None).await);
}

/// By bytes, page by page, revoked ones included.
pub async fn keys_list_in_byte_order(stores: Stores) {
    let sorted = ["0", "a", "a-b", "a0", "b"];
    for (n, id) in (1..).zip(sorted.iter().rev()) {
        done(stores.identity.create_api_key(new(id, n), None).await);
    }
    stores.identity.revoke_api_key("p", "a-b", time(1)).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = stores.identity.list_api_keys("p", &after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, sorted);
}

/// A key is revoked once; the second time changes nothing.
pub async fn revoking_keeps_the_first_time(stores: Stores) {
    done(stores.identity.create_api_key(new("k", 1), None).await);
    for at in [time(5), time(6)] {
        let row = stores.identity.revoke_api_key("p", "k", at).await.unwrap();
        assert_eq!(row.revoked, Some(time(5)));
    }
    assert_eq!(stores.identity.api_key_by_digest(&[1; 32]).await.unwrap().revoked, Some(time(5)));
    refused!(
        stores.identity.revoke_api_key("p", "x", time(5)).await,
        StoreError::NotFound { what: "API key" }
    );
}

/// Processes report uses late and out of order.
pub async fn use_times_only_move_forward(stores: Stores) {
    for n in 1..=2 {
        done(stores.identity.create_api_key(new(&format!("k{n}"), n), None).await);
    }
    let uses = [(1, 5), (2, 3), (1, 4), (77, 9)].map(|(n, at)| KeyUse { uid: uid(n), at: time(at) });
    stores.identity.touch_api_keys(&uses).await.unwrap();
    stores.identity.touch_api_keys(&[KeyUse { uid: uid(2), at: time(1) }]).await.unwrap();
    stores.identity.touch_api_keys(&[]).await.unwrap();
    for (id, at) in [("k1", 5), ("k2", 3)] {
        assert_eq!(stores.identity.get_api_key("p", id).await.unwrap().last_used, Some(time(at)), "{id}");
    }
}
