//! Signing keys and tickets.

use bytes::Bytes;
use futures::future::join_all;

use super::{done, refused, time, uid};
use crate::{NewSigningKey, NewTicket, Redemption, StoreError, Stores};

/// A signing key made at a second.
pub(crate) fn key(kid: &str, at: i64) -> NewSigningKey {
    NewSigningKey {
        kid: kid.into(),
        private: Bytes::from(format!("sealed {kid}")),
        public: Bytes::from(format!("public {kid}")),
        at: time(at),
    }
}

/// A ticket that is good for 60 seconds, whose digest is a number.
pub(crate) fn ticket(n: u8) -> NewTicket {
    NewTicket {
        digest: [n; 32],
        principal: Bytes::from(format!("principal {n}")),
        expires: time(60),
        at: time(0),
    }
}

fn redemption(n: u8, at: i64, request: Option<u128>) -> Redemption {
    Redemption { digest: [n; 32], at: time(at), request_id: request.map(uid) }
}

/// Processes that start together on an empty database sign with one key.
pub async fn the_first_key_is_the_same_for_all(stores: Stores) {
    assert!(stores.identity.signing_keys().await.unwrap().is_empty());
    let kids = ["a", "b", "c", "d", "e", "f"];
    let keys = join_all(kids.map(|kid| stores.identity.ensure_signing_key(key(kid, 0)))).await;
    let first = keys[0].as_ref().unwrap().clone();
    for key in keys {
        assert_eq!(key.unwrap(), first);
    }
    assert_eq!(first.private, format!("sealed {}", first.kid));
    assert_eq!(first.public, format!("public {}", first.kid));
    assert_eq!((first.created, first.retired), (time(0), None));
    assert_eq!(stores.identity.signing_keys().await.unwrap(), [first]);
}

/// After a rotation one key signs; the others can still be checked against.
pub async fn a_rotation_retires_the_others(stores: Stores) {
    stores.identity.ensure_signing_key(key("a", 0)).await.unwrap();
    done(stores.identity.rotate_signing_key(key("b", 1), None).await);
    let newest = done(stores.identity.rotate_signing_key(key("c", 2), None).await);
    assert_eq!(newest.retired, None);
    let keys = stores.identity.signing_keys().await.unwrap();
    let shape: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.retired)).collect();
    assert_eq!(shape, [("c", None), ("b", Some(time(2))), ("a", Some(time(1)))]);
    assert_eq!(stores.identity.ensure_signing_key(key("d", 3)).await.unwrap(), newest);

    refused!(
        stores.identity.rotate_signing_key(key("a", 4), None).await,
        StoreError::AlreadyExists { what: "signing key" }
    );
    assert_eq!(stores.identity.signing_keys().await.unwrap(), keys);
}

/// A key that is retired stays so; when none is left, the next is made.
pub async fn a_key_retires_once(stores: Stores) {
    stores.identity.ensure_signing_key(key("a", 0)).await.unwrap();
    for at in [1, 2] {
        assert_eq!(stores.identity.retire_signing_key("a", time(at)).await.unwrap().retired, Some(time(1)));
    }
    refused!(
        stores.identity.retire_signing_key("x", time(1)).await,
        StoreError::NotFound { what: "signing key" }
    );
    assert_eq!(stores.identity.ensure_signing_key(key("b", 3)).await.unwrap().kid, "b");
}

/// Only keys that were retired long enough ago go.
pub async fn retired_keys_are_forgotten(stores: Stores) {
    for (at, kid) in (0..).zip(["a", "b", "c"]) {
        done(stores.identity.rotate_signing_key(key(kid, at), None).await);
    }
    assert_eq!(stores.identity.forget_signing_keys(time(1)).await.unwrap(), 0);
    assert_eq!(stores.identity.forget_signing_keys(time(2)).await.unwrap(), 1);
    assert_eq!(stores.identity.forget_signing_keys(time(1_000)).await.unwrap(), 1);
    let left: Vec<_> = stores.identity.signing_keys().await.unwrap().into_iter().map(|key| key.kid).collect();
    assert_eq!(left, ["c"]);
}

/// A ticket gives its principal to the first who comes, and to nobody else.
pub async fn a_ticket_is_good_once(stores: Stores) {
    done(stores.identity.add_ticket(ticket(1), None).await);
    refused!(stores.identity.add_ticket(ticket(1), None).await, StoreError::AlreadyExists { what: "ticket" });
    refused!(
        stores.identity.redeem_ticket(redemption(2, 1, None)).await,
        StoreError::NotFound { what: "ticket" }
    );
    assert_eq!(stores.identity.redeem_ticket(redemption(1, 1, None)).await.unwrap(), "principal 1");
    refused!(stores.identity.redeem_ticket(redemption(1, 1, None)).await, StoreError::Conflict { .. });
    refused!(stores.identity.redeem_ticket(redemption(1, 1, Some(1))).await, StoreError::Conflict { .. });
}

/// The same request may come again while its client waits for the answer, even after the ticket has expired.
pub async fn a_repeated_redemption_is_harmless_for_a_minute(stores: Stores) {
    done(stores.identity.add_ticket(ticket(1), None).await);
    for at in [30, 31, 89] {
        let principal = stores.identity.redeem_ticket(redemption(1, at, Some(7))).await.unwrap();
        assert_eq!(principal, "principal 1", "{at}");
    }
    refused!(stores.identity.redeem_ticket(redemption(1, 31, Some(8))).await, StoreError::Conflict { .. });
    refused!(stores.identity.redeem_ticket(redemption(1, 31, None)).await, StoreError::Conflict { .. });
    refused!(stores.identity.redeem_ticket(redemption(1, 90, Some(7))).await, StoreError::Conflict { .. });
}

/// Two browsers with one ticket: one gets in.
pub async fn of_concurrent_redemptions_one_wins(stores: Stores) {
    for n in 1..=4 {
        done(stores.identity.add_ticket(ticket(n), None).await);
        let results =
            join_all((0..8).map(|request| stores.identity.redeem_ticket(redemption(n, 1, Some(request)))))
                .await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        for result in results.into_iter().filter(Result::is_err) {
            refused!(result, StoreError::Conflict { .. });
        }
    }
}

/// Expired tickets are as if they had never been, and are removed a bounded number a call.
pub async fn expired_tickets_are_refused_and_purged(stores: Stores) {
    for n in 1..=5 {
        let expires = time(i64::from(n) * 10);
        done(stores.identity.add_ticket(NewTicket { expires, ..ticket(n) }, None).await);
    }
    refused!(
        stores.identity.redeem_ticket(redemption(1, 10, None)).await,
        StoreError::NotFound { what: "ticket" }
    );
    assert_eq!(stores.identity.purge_tickets(time(40), 2).await.unwrap(), 2);
    assert_eq!(stores.identity.purge_tickets(time(40), 100).await.unwrap(), 1);
    assert_eq!(stores.identity.redeem_ticket(redemption(4, 39, None)).await.unwrap(), "principal 4");
}
