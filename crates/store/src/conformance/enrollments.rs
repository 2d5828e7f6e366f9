//! Enrolment tokens, and joining with them.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::join_all;

use super::{done, refused, time, uid};
use crate::{EnrollmentTokenRow, NewAgent, NewEnrollmentToken, StoreError, Stores};

const UNKNOWN: &str = "enrollment token";

/// A token to create, whose digest is a number.
pub(crate) fn token(id: &str, n: u8, max_uses: i32) -> NewEnrollmentToken {
    NewEnrollmentToken {
        project: "p".into(),
        id: id.into(),
        uid: uid(n.into()),
        display_name: "Rack 7".into(),
        digest: [n; 32],
        max_uses,
        labels: BTreeMap::from([("site".into(), "north".into())]),
        at: time(0),
        expires: time(1_000),
        creator: "projects/p/apiKeys/k".into(),
    }
}

/// An agent that joins with the token of number `token`; its key is a number too.
pub(crate) fn agent(id: &str, n: u8, token: u8) -> NewAgent {
    NewAgent {
        token_digest: [token; 32],
        project: "p".into(),
        id: id.into(),
        uid: uid(1_000 + u128::from(n)),
        public_key: [n; 32],
        record: Bytes::from_static(b"record \0\xff"),
        at: time(1),
    }
}

async fn uses(stores: &Stores, n: u8) -> i32 {
    stores.agent.enrollment_token_by_digest(&[n; 32]).await.unwrap().use_count
}

/// Every field comes back; neither an id nor a digest is given twice.
pub async fn a_token_reads_back_as_written(stores: Stores) {
    let created = done(stores.agent.create_enrollment_token(token("t", 1, 3), None).await);
    let expected = EnrollmentTokenRow {
        project: "p".into(),
        id: "t".into(),
        uid: uid(1),
        display_name: "Rack 7".into(),
        digest: [1; 32],
        max_uses: 3,
        use_count: 0,
        labels: BTreeMap::from([("site".into(), "north".into())]),
        created: time(0),
        expires: time(1_000),
        revoked: None,
        creator: "projects/p/apiKeys/k".into(),
    };
    assert_eq!(created, expected);
    assert_eq!(stores.agent.enrollment_token_by_digest(&[1; 32]).await.unwrap(), expected);
    for taken in [token("t", 2, 1), NewEnrollmentToken { digest: [1; 32], ..token("u", 3, 1) }] {
        refused!(
            stores.agent.create_enrollment_token(taken, None).await,
            StoreError::AlreadyExists { what: UNKNOWN }
        );
    }
    refused!(stores.agent.enrollment_token_by_digest(&[9; 32]).await, StoreError::NotFound { what: UNKNOWN });
}

/// By bytes, page by page, revoked ones included; a token is revoked once.
pub async fn tokens_list_in_byte_order(stores: Stores) {
    let sorted = ["0", "a", "a-b", "a0", "b"];
    for (n, id) in (1..).zip(sorted.iter().rev()) {
        done(stores.agent.create_enrollment_token(token(id, n, 1), None).await);
    }
    for at in [time(5), time(6)] {
        let row = stores.agent.revoke_enrollment_token("p", "a-b", at).await.unwrap();
        assert_eq!(row.revoked, Some(time(5)));
    }
    refused!(
        stores.agent.revoke_enrollment_token("q", "a-b", time(5)).await,
        StoreError::NotFound { what: UNKNOWN }
    );
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = stores.agent.list_enrollment_tokens("p", &after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, sorted);
    assert_eq!(stores.agent.purge_enrollment_tokens(time(1_000), 10).await.unwrap(), 0);
    assert_eq!(stores.agent.purge_enrollment_tokens(time(1_001), 3).await.unwrap(), 3);
    assert_eq!(stores.agent.purge_enrollment_tokens(time(1_001), 10).await.unwrap(), 2);
}

/// As many as it says, and no more.
pub async fn a_token_lets_in_so_many(stores: Stores) {
    done(stores.agent.create_enrollment_token(token("t", 1, 2), None).await);
    for n in 1..=2 {
        stores.agent.enroll_agent(agent(&format!("a{n}"), n, 1)).await.unwrap();
    }
    refused!(
        stores.agent.enroll_agent(agent("a3", 3, 1)).await,
        StoreError::Conflict { reason: "enrollment token is used up" }
    );
    assert_eq!(uses(&stores, 1).await, 2);
}

/// Two that come at once do not share the last use, and one that comes twice at once counts once.
pub async fn of_concurrent_uses_so_many_win(stores: Stores) {
    done(stores.agent.create_enrollment_token(token("t", 1, 3), None).await);
    let many = (1..=8).map(|n| stores.agent.enroll_agent(agent(&format!("a{n}"), n, 1)));
    let joined = join_all(many).await.into_iter().flatten().count();
    assert_eq!((joined, uses(&stores, 1).await), (3, 3));

    done(stores.agent.create_enrollment_token(token("once", 2, 1), None).await);
    let same = (0..4_u8).map(|n| {
        let again = NewAgent { uid: uid(2_000 + u128::from(n)), ..agent("same", 77, 2) };
        stores.agent.enroll_agent(again)
    });
    let uids: Vec<_> = join_all(same).await.into_iter().map(|row| row.unwrap().uid).collect();
    assert!(uids.windows(2).all(|pair| pair[0] == pair[1]), "{uids:?}");
    assert_eq!(uses(&stores, 2).await, 1);
}

/// A repeat gives the agent as it is, whatever has become of the token.
pub async fn who_is_in_stays_in(stores: Stores) {
    done(stores.agent.create_enrollment_token(token("t", 1, 1), None).await);
    let first = stores.agent.enroll_agent(agent("a", 1, 1)).await.unwrap();
    stores.agent.revoke_enrollment_token("p", "t", time(2)).await.unwrap();
    let again = NewAgent { at: time(9_000), uid: uid(7), ..agent("other", 1, 1) };
    assert_eq!(stores.agent.enroll_agent(again).await.unwrap(), first);
    assert_eq!(stores.agent.fleet().await.unwrap().revision, first.revision);
}

/// Neither a revoked, nor an expired, nor another project's token, nor none.
pub async fn revoked_and_expired_tokens_let_nobody_in(stores: Stores) {
    for (id, n) in [("revoked", 1), ("expired", 2), ("other", 3)] {
        done(stores.agent.create_enrollment_token(token(id, n, 5), None).await);
    }
    stores.agent.revoke_enrollment_token("p", "revoked", time(0)).await.unwrap();
    let late = NewAgent { at: time(1_000), ..agent("b", 2, 2) };
    let elsewhere = NewAgent { project: "q".into(), ..agent("c", 3, 3) };
    for refused in [agent("a", 1, 1), late, elsewhere, agent("d", 4, 99)] {
        refused!(stores.agent.enroll_agent(refused).await, StoreError::NotFound { what: UNKNOWN });
    }
    for n in 1..=3 {
        assert_eq!(uses(&stores, n).await, 0);
    }
}

/// An id or a key that somebody has is refused, and the token is as good as before.
pub async fn taken_names_and_keys_use_nothing_up(stores: Stores) {
    done(stores.agent.create_enrollment_token(token("t", 1, 5), None).await);
    done(stores.agent.create_enrollment_token(token("u", 2, 5), None).await);
    stores.agent.enroll_agent(agent("a", 1, 1)).await.unwrap();
    refused!(stores.agent.enroll_agent(agent("a", 2, 2)).await, StoreError::AlreadyExists { what: "agent" });
    refused!(
        stores.agent.enroll_agent(agent("b", 1, 2)).await,
        StoreError::AlreadyExists { what: "agent key" }
    );
    assert_eq!((uses(&stores, 1).await, uses(&stores, 2).await), (1, 0));
}
