//! Requests that are made more than once.

use bytes::Bytes;
use futures::future::join_all;

use super::{
    api_keys, command_types, commit, done, graph, layouts, new_graph, new_source, read_all, refused,
    remember, replayed, secrets, signing, time,
};
use crate::{
    GraphUpdate, JournalLimit, LayoutUpdate, Once, Position, Remember, StoreError, Stores, Versioned, Written,
};

/// The repeat of a write gets the remembered answer, and changes nothing, whatever happened in between.
pub async fn a_repeat_gets_the_first_answer(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    let request = remember(1, 1, "first");
    assert_eq!(stores.graph.recall(&request.once).await.unwrap(), None);
    done(stores.graph.append(commit(row.uid, 1), Some(request.clone())).await);
    done(stores.graph.append(commit(row.uid, 2), None).await);

    let repeat = Remember { response: Bytes::from_static(b"another answer"), ..request.clone() };
    assert_eq!(replayed(stores.graph.append(commit(row.uid, 1), Some(repeat)).await), "first");
    assert_eq!(stores.graph.recall(&request.once).await.unwrap().unwrap(), "first");
    let all = read_all(&*stores.graph, row.uid, Position::after_revision(0), JournalLimit::default()).await;
    assert_eq!(all.len(), 3);
}

/// Every writing method that takes a request remembers it.
pub async fn every_write_remembers(stores: Stores) {
    let uid = new_graph("p", "g", 1).uid;
    let update = GraphUpdate {
        uid,
        expected_version: None,
        base_revision: 1,
        display_name: "n".into(),
        description: String::new(),
        labels: std::collections::BTreeMap::new(),
        parts: vec![Bytes::new()],
        at: time(1),
        actor: String::new(),
    };
    let once = |n, answer| Some(remember(n, 1, answer));
    for round in 0..2 {
        macro_rules! check {
            ($answer:literal, $written:expr) => {
                if round == 0 {
                    done($written);
                } else {
                    assert_eq!(replayed($written), $answer);
                }
            };
        }
        check!("created", stores.graph.create_graph(new_graph("p", "g", 1), once(1, "created")).await);
        check!("updated", stores.graph.update_graph(update.clone(), once(2, "updated")).await);
        check!("appended", stores.graph.append(commit(uid, 2), once(3, "appended")).await);
        check!("layout", stores.layout.create_layout(layouts::new("g", "l", 1), once(4, "layout")).await);
        let constrained = LayoutUpdate { constraints: Some(Bytes::new()), ..layouts::no_change(1) };
        check!("constrained", stores.layout.update_layout(constrained, once(90, "constrained")).await);
        check!("source", stores.source.create_source(new_source("s", 1), once(8, "source")).await);
        check!("key", stores.identity.create_api_key(api_keys::new("k", 1), once(5, "key")).await);
        check!("type", stores.command.create_command_type(command_types::new("t", 1), once(9, "type")).await);
        check!("signing", stores.identity.rotate_signing_key(signing::key("k", 0), once(6, "signing")).await);
        check!("secret", stores.secret.create_secret(secrets::new("s", 1), once(10, "secret")).await);
        check!("ticket", stores.identity.add_ticket(signing::ticket(1), once(7, "ticket")).await);
    }
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap().revision, 3);
}

/// The same id for another request is refused; for another caller or method it is another request.
pub async fn a_request_id_is_for_one_request(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    done(stores.graph.append(commit(row.uid, 1), Some(remember(1, 1, "first"))).await);
    let other_content = remember(1, 2, "second");
    refused!(stores.graph.recall(&other_content.once).await, StoreError::Conflict { .. });
    refused!(stores.graph.append(commit(row.uid, 2), Some(other_content)).await, StoreError::Conflict { .. });
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap().revision, 2);

    let request = remember(1, 2, "other caller");
    let other_scope = Remember { once: Once { scope: "another".into(), ..request.once }, ..request };
    done(stores.graph.append(commit(row.uid, 2), Some(other_scope)).await);
}

/// A write that was refused may be tried again with the same id.
pub async fn a_refused_write_remembers_nothing(stores: Stores) {
    let row = graph(&stores, "g", 1).await;
    let request = remember(1, 1, "answer");
    refused!(
        stores.graph.append(commit(row.uid, 5), Some(request.clone())).await,
        StoreError::Stale { of: Versioned::Revision, current: 1 }
    );
    assert_eq!(stores.graph.recall(&request.once).await.unwrap(), None);
    done(stores.graph.append(commit(row.uid, 1), Some(request)).await);
}

/// A client's retry may overtake its first try: one of them writes.
pub async fn of_concurrent_repeats_one_writes(stores: Stores) {
    for n in 1..=4_u128 {
        let new = || new_graph("p", &format!("g{n}"), n);
        let results =
            join_all((0..8).map(|_| stores.graph.create_graph(new(), Some(remember(n, 1, "answer"))))).await;
        let written = results
            .iter()
            .filter(|result| matches!(result, Ok(Written::Done(row)) if row.revision == 1))
            .count();
        let repeats = results.iter().filter(|result| matches!(result, Ok(Written::Replayed(_)))).count();
        assert_eq!((written, repeats), (1, 7), "{results:?}");
    }
}

/// Answers are forgotten by age, a bounded number a call.
pub async fn old_answers_are_forgotten(stores: Stores) {
    for n in 0..10 {
        let request = remember(n, 1, "answer");
        assert_eq!(stores.graph.remember(request, time(n as i64)).await.unwrap(), Written::Done(()));
    }
    assert_eq!(stores.graph.forget_requests(time(0), 100).await.unwrap(), 0);
    assert_eq!(stores.graph.forget_requests(time(5), 3).await.unwrap(), 3);
    assert_eq!(stores.graph.forget_requests(time(5), 100).await.unwrap(), 2);
    for n in 0..10 {
        let known = stores.graph.recall(&remember(n, 1, "").once).await.unwrap();
        assert_eq!(known.is_some(), n >= 5, "{n}");
    }
}

/// Some requests change only what is in memory; they are answered once all the same.
pub async fn an_answer_without_a_write_is_remembered(stores: Stores) {
    let request = remember(1, 1, "answer");
    assert_eq!(stores.layout.remember(request.clone(), time(0)).await.unwrap(), Written::Done(()));
    assert_eq!(replayed(stores.layout.remember(request, time(1)).await), "answer");
    refused!(stores.layout.remember(remember(1, 2, "x"), time(1)).await, StoreError::Conflict { .. });
    let nul =
        Remember { once: Once { scope: "a\0".into(), ..remember(2, 1, "").once }, response: Bytes::new() };
    refused!(stores.layout.remember(nul, time(1)).await, StoreError::Invalid { field: "scope", .. });
}
