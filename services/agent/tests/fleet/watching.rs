//! Lists and watches.

use std::time::Duration;

use tonic::Code;
use weft_proto::weft::agent::v1::{
    DeleteAgentRequest, ListAgentsRequest, StartMaintenanceRequest, WatchAgentsRequest,
    watch_agents_response::Event,
};

use crate::world::{PROJECT, Process, World, quick, refused, soon};

/// What a watch tells until it has caught up: agents, removals, and the revision.
async fn caught_up(process: &Process, after: Option<i64>) -> (Vec<String>, Vec<String>, i64) {
    let request = process.by_admin(WatchAgentsRequest { parent: PROJECT.into(), after_revision: after });
    let mut events = process.client.clone().watch_agents(request).await.expect("watched").into_inner();
    let (mut agents, mut removed) = (Vec::new(), Vec::new());
    loop {
        match soon(events.message()).await.expect("told").expect("it goes on").event {
            Some(Event::Changes(changes)) => {
                agents.extend(changes.agents.into_iter().map(|agent| agent.name));
                removed.extend(changes.removed_agents);
            }
            Some(Event::CaughtUpRevision(revision)) => return (agents, removed, revision),
            None => panic!("an event of another version"),
        }
    }
}

#[tokio::test]
async fn a_watch_goes_on_from_any_revision_with_nothing_lost_or_doubled() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let (a, b) = (process.joined("a").await, process.joined("b").await);
    let (agents, removed, revision) = caught_up(&process, Some(0)).await;
    assert_eq!((agents, removed), (vec![a.name.clone(), b.name.clone()], vec![]));
    assert_eq!(caught_up(&process, None).await, (vec![], vec![], revision));

    let request = process.by_admin(WatchAgentsRequest { parent: PROJECT.into(), after_revision: None });
    let mut live = process.client.clone().watch_agents(request).await.expect("watched").into_inner();
    let caught = soon(live.message()).await.expect("told").expect("it goes on");
    assert_eq!(caught.event, Some(Event::CaughtUpRevision(revision)));
    let start = StartMaintenanceRequest { name: a.name.clone(), reason: String::new() };
    process.client.clone().start_maintenance(process.by_admin(start)).await.expect("taken out");
    let Some(Event::Changes(changes)) = soon(live.message()).await.expect("told").expect("more").event else {
        panic!("no change");
    };
    assert_eq!(changes.agents[0].state_reason, "MAINTENANCE");
    let delete = DeleteAgentRequest { name: b.name.clone(), etag: String::new() };
    process.client.clone().delete_agent(process.by_admin(delete)).await.expect("removed");
    let (agents, removed, newest) = caught_up(&process, Some(revision)).await;
    assert_eq!((agents, removed), (vec![a.name.clone()], vec![b.name]));
    let future =
        process.by_admin(WatchAgentsRequest { parent: PROJECT.into(), after_revision: Some(newest + 1) });
    refused(process.client.clone().watch_agents(future).await, Code::OutOfRange, "REVISION_IN_FUTURE");

    // Once removals are forgotten, who knows only of before must begin anew.
    world.clock.advance(Duration::from_hours(24));
    world.stores.agent.purge_agents(world.clock.now().into(), 10).await.expect("forgotten");
    let fresh = world.process(quick()).await;
    let old = fresh.by_admin(WatchAgentsRequest { parent: PROJECT.into(), after_revision: Some(revision) });
    refused(fresh.client.clone().watch_agents(old).await, Code::OutOfRange, "FLEET_COMPACTED");
    assert_eq!(caught_up(&fresh, Some(0)).await.0, [a.name]);
}

#[tokio::test]
async fn lists_are_filtered_ordered_and_paged() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    for hostname in ["c", "a", "d", "b"] {
        process.joined(hostname).await;
    }
    let list = async |filter: &str, order_by: &str, page_token: &str| {
        let request = ListAgentsRequest {
            parent: PROJECT.into(),
            page_size: 3,
            page_token: page_token.into(),
            filter: filter.into(),
            order_by: order_by.into(),
        };
        process.client.clone().list_agents(process.by_admin(request)).await.map(tonic::Response::into_inner)
    };
    let ids = |agents: &[weft_proto::weft::agent::v1::Agent]| {
        agents
            .iter()
            .map(|agent| agent.name.rsplit('/').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    for (order_by, first, second) in
        [("", "abc", "d"), ("hostname desc", "dcb", "a"), ("state, hostname desc", "dcb", "a")]
    {
        let page = list("", order_by, "").await.expect("a page");
        assert_eq!((ids(&page.agents).concat(), page.match_count), (first.to_owned(), 4), "{order_by}");
        let page = list("", order_by, &page.next_page_token).await.expect("the next");
        assert_eq!(
            (ids(&page.agents).concat(), &*page.next_page_token),
            (second.to_owned(), ""),
            "{order_by}"
        );
    }
    for (filter, matching) in [
        ("hostname = a OR hostname = d", "ad"),
        ("state = offline AND cpu_count >= 2 AND NOT b", "acd"),
        ("connected = true", ""),
        ("labels.site:*", ""),
        ("state_reason = never_connected hostname = \"c\"", "c"),
    ] {
        assert_eq!(
            ids(&list(filter, "", "").await.expect("it is right").agents).concat(),
            matching,
            "{filter}"
        );
    }
    refused(list("colour = red", "", "").await, Code::InvalidArgument, "INVALID_FIELD");
    refused(list("", "colour", "").await, Code::InvalidArgument, "INVALID_FIELD");
}
