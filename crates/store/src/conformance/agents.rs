//! Agents, and the fleet's revisions.

use bytes::Bytes;
use futures::future::join_all;

use super::{
    done,
    enrollments::{agent, token},
    refused, time, uid,
};
use crate::{AgentDocument, AgentRow, AgentUpdate, Seen, StoreError, Stores, Versioned};

/// A token and agents `a1`, `a2` and so on.
async fn fleet(stores: &Stores, count: u8) -> Vec<AgentRow> {
    done(stores.agent.create_enrollment_token(token("t", 1, 100), None).await);
    let mut rows = Vec::new();
    for n in 1..=count {
        rows.push(stores.agent.enroll_agent(agent(&format!("a{n}"), n, 1)).await.unwrap());
    }
    rows
}

fn change(row: &AgentRow, record: &'static [u8]) -> AgentUpdate {
    AgentUpdate {
        uid: row.uid,
        expected_revision: row.revision,
        record: Bytes::from_static(record),
        last_seen: None,
        document: None,
    }
}

/// Every field comes back, and each change is a revision.
pub async fn agents_read_back_by_revision(stores: Stores) {
    assert_eq!(stores.agent.fleet().await.unwrap().revision, 0);
    let rows = fleet(&stores, 3).await;
    let expected = AgentRow {
        project: "p".into(),
        id: "a1".into(),
        uid: uid(1_001),
        public_key: [1; 32],
        token_uid: uid(1),
        revision: 1,
        record: Bytes::from_static(b"record \0\xff"),
        last_seen: None,
        created: time(1),
        deleted: None,
    };
    assert_eq!(rows[0], expected);
    let update = AgentUpdate { last_seen: Some(time(4)), ..change(&rows[0], b"new") };
    let updated = stores.agent.update_agent(update).await.unwrap();
    let expected =
        AgentRow { revision: 4, record: Bytes::from_static(b"new"), last_seen: Some(time(4)), ..expected };
    assert_eq!(updated, expected);
    let updated = stores.agent.update_agent(change(&updated, b"")).await.unwrap();
    assert_eq!((updated.revision, updated.last_seen), (5, Some(time(4))));
    let after = |revision, limit| stores.agent.agents_after(revision, limit);
    let ids = |rows: Vec<AgentRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(after(0, 10).await.unwrap()), ["a2", "a3", "a1"]);
    assert_eq!(ids(after(0, 1).await.unwrap()), ["a2"]);
    assert_eq!(after(3, 10).await.unwrap(), [updated]);
    assert_eq!(after(5, 10).await.unwrap(), []);
}

/// Of several that change the same one wins; the others are told the revision that there is now.
pub async fn of_concurrent_changes_one_wins(stores: Stores) {
    let row = fleet(&stores, 1).await.remove(0);
    let results = join_all((0..6).map(|_| stores.agent.update_agent(change(&row, b"new")))).await;
    let current = results.iter().find_map(|result| result.as_ref().ok()).unwrap().revision;
    for result in results.into_iter().filter(Result::is_err) {
        refused!(result, StoreError::Stale { of: Versioned::Revision, current: now } if now == current);
    }
    // What was refused is no revision.
    assert_eq!(stores.agent.fleet().await.unwrap().revision, current);
    assert_eq!(current, 2);
}

/// Its id and its key can be used again; it itself is gone.
pub async fn a_removed_agent_frees_its_names(stores: Stores) {
    let row = fleet(&stores, 1).await.remove(0);
    refused!(stores.agent.delete_agent(row.uid, 7, time(5)).await, StoreError::Stale { current: 1, .. });
    let gone = stores.agent.delete_agent(row.uid, 1, time(5)).await.unwrap();
    assert_eq!((gone.revision, gone.deleted, gone.record.len()), (2, Some(time(5)), 0));
    refused!(stores.agent.delete_agent(row.uid, 2, time(6)).await, StoreError::NotFound { what: "agent" });
    refused!(stores.agent.update_agent(change(&gone, b"x")).await, StoreError::NotFound { what: "agent" });
    let again = crate::NewAgent { uid: uid(5_000), ..agent("a1", 1, 1) };
    assert_eq!(stores.agent.enroll_agent(again).await.unwrap().uid, uid(5_000));
}

/// A document is kept with the change that it comes with, or not at all, and goes with its agent.
pub async fn documents_go_with_their_agent(stores: Stores) {
    let row = fleet(&stores, 2).await.remove(0);
    let with = |row: &AgentRow, kind, content: &'static [u8]| AgentUpdate {
        document: Some(AgentDocument { kind, content: Bytes::from_static(content) }),
        ..change(row, b"new")
    };
    let read = |kind| stores.agent.agent_document(row.uid, kind);
    assert_eq!(read("offered").await.unwrap(), None);
    let second = stores.agent.update_agent(with(&row, "offered", b"one \0\xff")).await.unwrap();
    let third = stores.agent.update_agent(with(&second, "effective", b"")).await.unwrap();
    assert_eq!(read("offered").await.unwrap(), Some(Bytes::from_static(b"one \0\xff")));
    assert_eq!(read("effective").await.unwrap(), Some(Bytes::new()));
    // What is refused keeps nothing.
    refused!(
        stores.agent.update_agent(with(&second, "offered", b"late")).await,
        StoreError::Stale { of: Versioned::Revision, .. }
    );
    let last = stores.agent.update_agent(with(&third, "offered", b"two")).await.unwrap();
    assert_eq!(read("offered").await.unwrap(), Some(Bytes::from_static(b"two")));
    assert_eq!(stores.agent.agent_document(uid(1_002), "offered").await.unwrap(), None, "another agent's");
    stores.agent.delete_agent(last.uid, last.revision, time(5)).await.unwrap();
    assert_eq!(read("offered").await.unwrap(), None);
}

/// Followers learn of a removal for as long as it is kept, and then that they cannot.
pub async fn removals_are_told_until_they_are_forgotten(stores: Stores) {
    let rows = fleet(&stores, 3).await;
    for (row, at) in rows.iter().zip([5, 6]) {
        stores.agent.delete_agent(row.uid, row.revision, time(at)).await.unwrap();
    }
    let told = stores.agent.agents_after(3, 10).await.unwrap();
    assert_eq!(told.iter().map(|row| row.deleted).collect::<Vec<_>>(), [Some(time(5)), Some(time(6))]);
    assert_eq!(stores.agent.purge_agents(time(5), 10).await.unwrap(), 0);
    assert_eq!(stores.agent.fleet().await.unwrap().forgotten, 0);
    assert_eq!(stores.agent.purge_agents(time(9), 1).await.unwrap(), 1);
    assert_eq!(stores.agent.fleet().await.unwrap().forgotten, 4);
    assert_eq!(stores.agent.purge_agents(time(9), 10).await.unwrap(), 1);
    let fleet = stores.agent.fleet().await.unwrap();
    assert_eq!((fleet.revision, fleet.forgotten), (5, 5));
    assert_eq!(stores.agent.agents_after(0, 10).await.unwrap().len(), 1);
}

/// Processes report late and out of order; nothing that was seen is a revision.
pub async fn seen_times_only_move_forward(stores: Stores) {
    let rows = fleet(&stores, 2).await;
    let seen =
        [(1_001, 5), (1_002, 3), (1_001, 4), (77, 9)].map(|(n, at)| Seen { uid: uid(n), at: time(at) });
    stores.agent.touch_agents(&seen).await.unwrap();
    stores.agent.touch_agents(&[Seen { uid: uid(1_002), at: time(1) }]).await.unwrap();
    stores.agent.touch_agents(&[]).await.unwrap();
    let late = AgentUpdate { last_seen: Some(time(2)), ..change(&rows[0], b"r") };
    assert_eq!(stores.agent.update_agent(late).await.unwrap().last_seen, Some(time(5)));
    let rows = stores.agent.agents_after(0, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.last_seen).collect::<Vec<_>>(), [Some(time(3)), Some(time(5))]);
}

/// A reader that follows by revision while many write misses nobody's last change.
pub async fn revisions_become_visible_in_order(stores: Stores) {
    let rows = fleet(&stores, 8).await;
    let writers = join_all(rows.iter().map(|row| async {
        let mut row = row.clone();
        for _ in 0..10 {
            row = stores.agent.update_agent(change(&row, b"next")).await.unwrap();
        }
        row.revision
    }));
    let reader = async {
        let (mut at, mut newest) = (0, std::collections::HashMap::new());
        while at < 88 {
            for row in stores.agent.agents_after(at, 5).await.unwrap() {
                at = row.revision;
                newest.insert(row.uid, row.revision);
            }
            tokio::task::yield_now().await;
        }
        newest
    };
    let (written, newest) = futures::future::join(writers, reader).await;
    let read: Vec<_> = rows.iter().map(|row| newest[&row.uid]).collect();
    assert_eq!(read, written);
}
