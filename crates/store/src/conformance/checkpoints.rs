//! Checkpoints, and the journal that they allow to be trimmed.

use bytes::Bytes;
use futures::future::join_all;

use super::{append_up_to, graph, read_all, refused};
use crate::{Checkpoint, JournalLimit, Position, StoreError, Stores, Versioned};

fn parts(revision: u8, count: usize) -> Vec<Bytes> {
    (0..count).map(|part| Bytes::from(vec![revision, part as u8])).collect()
}

/// The newest checkpoint is the one that is read; whoever reads the one before is told to start again.
pub async fn a_checkpoint_replaces_the_one_before(stores: Stores) {
    let (store, uid) = (&stores.graph, graph(&stores, "g", 1).await.uid);
    append_up_to(&**store, uid, 1, 5).await;
    assert_eq!(store.load_checkpoint(uid).await.unwrap(), None);

    store.save_checkpoint(uid, 2, parts(2, 3)).await.unwrap();
    assert_eq!(
        store.load_checkpoint(uid).await.unwrap(),
        Some(Checkpoint { revision: 2, part_count: 3, bytes: 6 })
    );
    assert_eq!(&store.checkpoint_part(uid, 2, 1).await.unwrap()[..], [2, 1]);
    refused!(store.checkpoint_part(uid, 2, 3).await, StoreError::NotFound { what: "checkpoint part" });
    refused!(store.checkpoint_part(uid, 2, -1).await, StoreError::NotFound { what: "checkpoint part" });

    store.save_checkpoint(uid, 5, parts(5, 2)).await.unwrap();
    assert_eq!(
        store.load_checkpoint(uid).await.unwrap(),
        Some(Checkpoint { revision: 5, part_count: 2, bytes: 4 })
    );
    refused!(
        store.checkpoint_part(uid, 2, 1).await,
        StoreError::Stale { of: Versioned::Checkpoint, current: 5 }
    );
    assert_eq!(&store.checkpoint_part(uid, 5, 1).await.unwrap()[..], [5, 1]);
}

/// A late saver does not put the graph back.
pub async fn an_older_checkpoint_changes_nothing(stores: Stores) {
    let (store, uid) = (&stores.graph, graph(&stores, "g", 1).await.uid);
    append_up_to(&**store, uid, 1, 5).await;
    store.save_checkpoint(uid, 4, parts(4, 2)).await.unwrap();
    for revision in [2, 4] {
        store.save_checkpoint(uid, revision, parts(9, 5)).await.unwrap();
    }
    let now = store.load_checkpoint(uid).await.unwrap();
    assert_eq!(now, Some(Checkpoint { revision: 4, part_count: 2, bytes: 4 }));
    assert_eq!(&store.checkpoint_part(uid, 4, 1).await.unwrap()[..], [4, 1]);
}

/// A checkpoint of a revision that is not there would hide revisions that are to come.
pub async fn a_checkpoint_needs_its_revision(stores: Stores) {
    let (store, uid) = (&stores.graph, graph(&stores, "g", 1).await.uid);
    for revision in [-1, 0, 2] {
        refused!(
            store.save_checkpoint(uid, revision, parts(1, 1)).await,
            StoreError::Invalid { field: "revision", .. }
        );
    }
    refused!(store.save_checkpoint(uid, 1, Vec::new()).await, StoreError::Invalid { field: "parts", .. });
    assert_eq!(store.load_checkpoint(uid).await.unwrap(), None);
}

/// Nothing is removed that a checkpoint does not stand in for.
pub async fn trimming_needs_a_checkpoint(stores: Stores) {
    let (store, uid) = (&stores.graph, graph(&stores, "g", 1).await.uid);
    append_up_to(&**store, uid, 1, 5).await;
    refused!(store.trim_journal(uid, 1).await, StoreError::Conflict { .. });
    store.save_checkpoint(uid, 3, parts(3, 1)).await.unwrap();
    refused!(store.trim_journal(uid, 4).await, StoreError::Conflict { .. });
    assert_eq!(read_all(&**store, uid, Position::after_revision(0), JournalLimit::default()).await.len(), 5);
    assert_eq!(store.trim_journal(uid, 3).await.unwrap(), 3);
}

/// Reading from before a trimmed journal's beginning is refused with the place where it begins; reading from
/// there has no gap.
pub async fn a_trimmed_journal_says_where_it_begins(stores: Stores) {
    let (store, uid) = (&stores.graph, graph(&stores, "g", 1).await.uid);
    append_up_to(&**store, uid, 1, 200).await;
    store.save_checkpoint(uid, 190, parts(1, 1)).await.unwrap();
    assert_eq!(store.trim_journal(uid, 150).await.unwrap(), 150);
    assert_eq!(store.trim_journal(uid, 150).await.unwrap(), 0);
    assert_eq!(store.trim_journal(uid, 100).await.unwrap(), 0);
    assert_eq!(store.get_graph("p", "g").await.unwrap().oldest_revision, 151);

    let limit = JournalLimit::default();
    for revision in [0, 1, 149] {
        refused!(
            store.journal(uid, Position::after_revision(revision), limit).await,
            StoreError::Compacted { oldest: 151 }
        );
    }
    let rest = read_all(&**store, uid, Position::after_revision(150), limit).await;
    assert_eq!(rest.iter().map(|entry| entry.revision).collect::<Vec<_>>(), (151..=200).collect::<Vec<_>>());
    append_up_to(&**store, uid, 200, 201).await;
    store.save_checkpoint(uid, 201, parts(2, 1)).await.unwrap();
    assert_eq!(store.trim_journal(uid, 201).await.unwrap(), 51);
    assert!(store.journal(uid, Position::after_revision(201), limit).await.unwrap().is_empty());
    append_up_to(&**store, uid, 201, 202).await;
    assert_eq!(read_all(&**store, uid, Position::after_revision(201), limit).await.len(), 1);
}

/// Savers at the same time, as several processes may be: what counts in the end is one of theirs, whole.
pub async fn concurrent_checkpoints_leave_one_whole(stores: Stores) {
    let (store, uid) = (&stores.graph, graph(&stores, "g", 1).await.uid);
    append_up_to(&**store, uid, 1, 8).await;
    let saved = join_all((1..=8_u8).map(|n| {
        // Two savers for each revision, with another number of parts each.
        let revision = i64::from(n.div_ceil(2)) + 4;
        store.save_checkpoint(uid, revision, parts(n, usize::from(n) + 2))
    }))
    .await;
    for result in saved {
        result.unwrap();
    }
    let now = store.load_checkpoint(uid).await.unwrap().unwrap();
    assert_eq!(now.revision, 8);
    let first = store.checkpoint_part(uid, 8, 0).await.unwrap();
    assert!(first[0] == 7 || first[0] == 8, "{first:?}");
    assert_eq!(now.part_count, i32::from(first[0]) + 2);
    for part in 0..now.part_count {
        assert_eq!(&store.checkpoint_part(uid, 8, part).await.unwrap()[..], [first[0], part as u8]);
    }
    refused!(store.checkpoint_part(uid, 8, now.part_count).await, StoreError::NotFound { .. });
}
