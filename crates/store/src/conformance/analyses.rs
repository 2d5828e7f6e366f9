//! Analyses.

use bytes::Bytes;
use uuid::Uuid;

use super::{done, refused, remember, replayed, time, uid};
use crate::{AnalysisRow, AnalysisState, NewAnalysis, StoreError, Stores, Timestamp};

/// An analysis to create in the graph of that name.
fn new(graph: &str, id: &str, n: u128, at: i64) -> NewAnalysis {
    NewAnalysis {
        project: "p".into(),
        graph: graph.into(),
        graph_uid: uid(1_000),
        id: id.into(),
        uid: uid(n),
        settings: Bytes::from_static(b"settings \0\xff"),
        creator: "projects/p/apiKeys/k".into(),
        at: time(at),
    }
}

async fn create(stores: &Stores, id: &str, n: u128, at: i64) -> AnalysisRow {
    done(stores.analysis.create_analysis(new("g", id, n, at), None).await)
}

async fn claim(stores: &Stores, owner: u128, at: i64) -> Option<AnalysisRow> {
    stores.analysis.claim_analysis(uid(owner), time(at), time(at + 10)).await.unwrap()
}

fn report(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Every field comes back; a repeat of the request gets the first answer.
pub async fn an_analysis_reads_back_as_written(stores: Stores) {
    let repeat = || stores.analysis.create_analysis(new("g", "a", 1, 0), Some(remember(7, 7, "first")));
    let created = done(repeat().await);
    assert_eq!(
        created,
        AnalysisRow {
            project: "p".into(),
            graph: "g".into(),
            graph_uid: uid(1_000),
            id: "a".into(),
            uid: uid(1),
            settings: Bytes::from_static(b"settings \0\xff"),
            creator: "projects/p/apiKeys/k".into(),
            state: AnalysisState::Pending,
            attempts: 0,
            owner: Uuid::nil(),
            lease_until: time(0),
            cancel_asked: false,
            report: Bytes::new(),
            created: time(0),
            started: None,
            ended: None,
        }
    );
    assert_eq!(replayed(repeat().await), "first");
    assert_eq!(stores.analysis.get_analysis("p", "g", "a").await.unwrap(), created);
    refused!(stores.analysis.get_analysis("p", "g", "b").await, StoreError::NotFound { what: "analysis" });
    refused!(stores.analysis.get_analysis("p", "g", "\0").await, StoreError::Invalid { field: "id", .. });
    let bad = NewAnalysis { creator: "\0".into(), ..new("g", "b", 2, 0) };
    refused!(stores.analysis.create_analysis(bad, None).await, StoreError::Invalid { field: "creator", .. });
}

/// A taken id is refused in its graph, and free in others.
pub async fn an_id_of_an_analysis_is_taken_once(stores: Stores) {
    create(&stores, "a", 1, 0).await;
    refused!(
        stores.analysis.create_analysis(new("g", "a", 2, 0), None).await,
        StoreError::AlreadyExists { what: "analysis" }
    );
    done(stores.analysis.create_analysis(new("h", "a", 3, 0), None).await);
}

/// The newest first, of the same instant by uid, page by page, of one graph or of all.
pub async fn analyses_list_newest_first(stores: Stores) {
    for (n, graph, at) in [(1, "g", 0), (2, "h", 1), (3, "g", 2), (4, "g", 2), (5, "h", -9)] {
        done(stores.analysis.create_analysis(new(graph, &format!("a{n}"), n, at), None).await);
    }
    for (graph, expected) in [(None, &[4, 3, 2, 1, 5][..]), (Some("g"), &[4, 3, 1]), (Some("x"), &[])] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = stores.analysis.list_analyses("p", graph, before, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 2);
            before = Some((last.created, last.uid));
            seen.extend(page.iter().map(|row| row.uid));
        }
        assert_eq!(seen, expected.iter().map(|n| uid(*n)).collect::<Vec<_>>());
    }
    assert!(stores.analysis.list_analyses("q", None, None, 10).await.unwrap().is_empty());
}

/// The oldest first; nobody else gets it until its lease has run out, and then its first owner has lost it.
pub async fn an_analysis_has_one_owner(stores: Stores) {
    create(&stores, "later", 2, 5).await;
    create(&stores, "first", 1, 0).await;
    let first = claim(&stores, 100, 10).await.unwrap();
    assert_eq!((first.uid, first.state, first.attempts), (uid(1), AnalysisState::Running, 1));
    assert_eq!((first.owner, first.lease_until, first.started), (uid(100), time(20), Some(time(10))));
    assert_eq!(claim(&stores, 200, 11).await.unwrap().uid, uid(2));
    assert_eq!(claim(&stores, 200, 12).await, None);
    assert_eq!(stores.analysis.count_open_analyses("p").await.unwrap(), 2);

    let renew = |owner, text| stores.analysis.renew_analysis(uid(1), uid(owner), time(30), report(text));
    let renewed = renew(100, "half").await.unwrap();
    assert_eq!((renewed.lease_until, &renewed.report[..]), (time(30), &b"half"[..]));
    refused!(renew(200, "stolen").await, StoreError::NotFound { what: "analysis" });
    // A lease holds up to its instant.
    assert_eq!(claim(&stores, 200, 20).await, None);

    let taken = claim(&stores, 300, 22).await.unwrap();
    assert_eq!((taken.uid, taken.attempts), (uid(2), 2));
    let taken = claim(&stores, 300, 31).await.unwrap();
    assert_eq!((taken.uid, taken.attempts, &taken.report[..]), (uid(1), 2, &b"half"[..]));
    refused!(renew(100, "late").await, StoreError::NotFound { what: "analysis" });
    let late =
        stores.analysis.end_analysis(uid(1), uid(100), AnalysisState::Succeeded, report("late"), time(32));
    refused!(late.await, StoreError::NotFound { what: "analysis" });
}

/// Of several that claim at once nobody gets what another has.
pub async fn of_concurrent_claims_each_gets_another(stores: Stores) {
    for n in 0..4 {
        create(&stores, &format!("a{n}"), n, 0).await;
    }
    let claims = futures::future::join_all((0..8).map(|owner| claim(&stores, 100 + owner, 1))).await;
    let mut uids: Vec<Uuid> = claims.into_iter().flatten().map(|row| row.uid).collect();
    // One that looked while another was at the same row may have come away with nothing.
    while let Some(row) = claim(&stores, 200, 1).await {
        uids.push(row.uid);
    }
    uids.sort_unstable();
    assert_eq!(uids, (0..4).map(uid).collect::<Vec<_>>());
}

/// How it ended is kept; it is not begun, cancelled, given back or ended again.
pub async fn an_ended_analysis_stays(stores: Stores) {
    create(&stores, "a", 1, 0).await;
    claim(&stores, 100, 1).await.unwrap();
    let end = |state| stores.analysis.end_analysis(uid(1), uid(100), state, report("result"), time(2));
    refused!(end(AnalysisState::Running).await, StoreError::Invalid { field: "state", .. });
    refused!(end(AnalysisState::Pending).await, StoreError::Invalid { field: "state", .. });
    let ended = end(AnalysisState::Failed).await.unwrap();
    assert_eq!(
        (ended.state, ended.ended, &ended.report[..]),
        (AnalysisState::Failed, Some(time(2)), &b"result"[..])
    );
    assert_eq!(ended.owner, Uuid::nil());
    refused!(end(AnalysisState::Succeeded).await, StoreError::NotFound { .. });
    refused!(stores.analysis.release_analysis(uid(1), uid(100)).await, StoreError::NotFound { .. });
    assert_eq!(stores.analysis.cancel_analysis(uid(1), time(3)).await.unwrap(), ended);
    assert_eq!(claim(&stores, 200, 1_000).await, None);
    assert_eq!(stores.analysis.count_open_analyses("p").await.unwrap(), 0);
    assert_eq!(stores.analysis.get_analysis("p", "g", "a").await.unwrap(), ended);
}

/// One that waits ends at once; of one that runs its owner is told.
pub async fn a_cancellation_is_seen_by_its_owner(stores: Stores) {
    create(&stores, "runs", 1, 0).await;
    create(&stores, "waits", 2, 1).await;
    claim(&stores, 100, 2).await.unwrap();
    let asked = stores.analysis.cancel_analysis(uid(1), time(3)).await.unwrap();
    assert_eq!((asked.state, asked.cancel_asked, asked.ended), (AnalysisState::Running, true, None));
    let waited = stores.analysis.cancel_analysis(uid(2), time(3)).await.unwrap();
    assert_eq!((waited.state, waited.cancel_asked), (AnalysisState::Cancelled, true));
    assert_eq!(waited.ended, Some(time(3)));
    let renewed = stores.analysis.renew_analysis(uid(1), uid(100), time(9), report("")).await.unwrap();
    assert!(renewed.cancel_asked);
    assert_eq!(claim(&stores, 200, 4).await, None);
    refused!(
        stores.analysis.cancel_analysis(uid(3), time(3)).await,
        StoreError::NotFound { what: "analysis" }
    );
}

/// What its owner could not end is begun anew, and that does not count.
pub async fn what_is_given_back_waits_again(stores: Stores) {
    let row = create(&stores, "a", 1, 0).await;
    claim(&stores, 100, 1).await.unwrap();
    refused!(stores.analysis.release_analysis(uid(1), uid(200)).await, StoreError::NotFound { .. });
    stores.analysis.renew_analysis(uid(1), uid(100), time(9), report("half")).await.unwrap();
    stores.analysis.release_analysis(uid(1), uid(100)).await.unwrap();
    let given_back = stores.analysis.get_analysis("p", "g", "a").await.unwrap();
    assert_eq!(given_back, AnalysisRow { lease_until: time(9), ..row });
    assert_eq!(claim(&stores, 200, 2).await.unwrap().attempts, 1);
}

/// By graph, and by age once they have ended.
pub async fn forgotten_analyses_are_gone(stores: Stores) {
    for n in 1..=3 {
        create(&stores, &format!("a{n}"), n, 0).await;
    }
    let other = NewAnalysis { graph_uid: uid(2_000), ..new("h", "a", 4, 0) };
    done(stores.analysis.create_analysis(other, None).await);
    let mut of_graph = stores.analysis.analyses_of(uid(1_000), 10).await.unwrap();
    of_graph.sort_unstable();
    assert_eq!(of_graph, [1, 2, 3].map(uid));
    assert_eq!(stores.analysis.analyses_of(uid(1_000), 2).await.unwrap().len(), 2);

    stores.analysis.cancel_analysis(uid(2), time(5)).await.unwrap();
    assert!(stores.analysis.ended_analyses(time(5), 10).await.unwrap().is_empty());
    assert_eq!(stores.analysis.ended_analyses(Timestamp::MAX, 10).await.unwrap(), [uid(2)]);

    stores.analysis.delete_analysis(uid(2)).await.unwrap();
    refused!(stores.analysis.delete_analysis(uid(2)).await, StoreError::NotFound { what: "analysis" });
    assert_eq!(stores.analysis.analyses_of(uid(1_000), 10).await.unwrap().len(), 2);
}
