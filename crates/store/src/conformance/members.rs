//! Members of services.

use super::{refused, time, uid};
use crate::{MemberRow, StoreError, Stores};

fn member(n: u128, draining: bool) -> MemberRow {
    MemberRow { uid: uid(n), address: format!("http://host-{n}:8080"), draining }
}

/// Keeps a member for ten seconds.
pub(super) async fn keep(stores: &Stores, service: &str, n: u128, at: i64) {
    stores.member.keep_member(service, member(n, false), time(at), time(at + 10)).await.expect("it is kept");
}

/// A member is there until its lease is over or it leaves, and may come back.
pub async fn members_are_kept_until_their_lease_is_over(stores: Stores) {
    let store = &stores.member;
    let (one, two) = (member(1, false), member(2, true));
    let keep = async |member: &MemberRow, at, until| {
        store.keep_member("a", member.clone(), time(at), time(until)).await.unwrap()
    };
    assert_eq!(keep(&two, 0, 10).await, std::slice::from_ref(&two));
    assert_eq!(keep(&one, 5, 15).await, [one.clone(), two.clone()]);
    let one_drains = member(1, true);
    assert_eq!(keep(&one_drains, 10, 20).await, [one_drains], "the lease of the other was over");
    store.remove_member(uid(1)).await.unwrap();
    store.remove_member(uid(1)).await.unwrap();
    assert_eq!(keep(&two, 11, 21).await, [two]);
    let bad = MemberRow { address: "\0".into(), ..one };
    refused!(
        store.keep_member("a", bad, time(12), time(22)).await,
        StoreError::Invalid { field: "address", .. }
    );
}

/// Those of one service are not told to another.
pub async fn members_are_of_their_service(stores: Stores) {
    let store = &stores.member;
    let (one, two) = (member(1, false), member(2, false));
    assert_eq!(
        store.keep_member("a", one.clone(), time(0), time(10)).await.unwrap(),
        std::slice::from_ref(&one)
    );
    assert_eq!(store.keep_member("b", two.clone(), time(0), time(10)).await.unwrap(), [two]);
    assert_eq!(store.keep_member("a", one.clone(), time(1), time(11)).await.unwrap(), [one]);
}
