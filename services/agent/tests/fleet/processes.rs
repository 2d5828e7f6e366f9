//! Several processes that share a fleet, and what becomes of it when one is gone.

use std::time::Duration;

use tonic::Code;
use weft_proto::weft::agent::v1::{
    AgentState, DeleteAgentRequest, GetStatisticsRequest, attach_agent_response::Event,
};

use crate::world::{PROJECT, World, quick, why};

#[tokio::test]
async fn an_agent_is_seen_and_reached_from_every_process() {
    let world = World::new().await;
    let (here, there) = (world.process(quick()).await, world.process(quick()).await);
    let host = here.joined("a").await;
    let mut line = host.attach(&here, "").await.expect("it attaches");
    there.until(&host.name, |agent| agent.state() == AgentState::Online).await;
    let request = there.by_admin(GetStatisticsRequest { parent: PROJECT.into() });
    let statistics = there.client.clone().get_statistics(request).await.expect("counted").into_inner();
    assert_eq!((statistics.agent_count, statistics.connected_count), (1, 1));
    assert_eq!(statistics.states["online"], 1);
    let request = there.by_admin(DeleteAgentRequest { name: host.name.clone(), etag: String::new() });
    there.client.clone().delete_agent(request).await.expect("removed");
    assert_eq!(why(&line.end().await), (Code::NotFound, "AGENT_NOT_FOUND".into()));
}

#[tokio::test]
async fn a_drained_process_hands_its_agents_over() {
    let world = World::new().await;
    let (here, there) = (world.process(quick()).await, world.process(quick()).await);
    let host = here.joined("a").await;
    let mut line = host.attach(&here, "").await.expect("it attaches");
    here.life.drain();
    assert_eq!(why(&line.end().await), (Code::Unavailable, "DRAINING".into()));
    let mut line = host.attach(&there, &line.session).await.expect("the same program, elsewhere");
    assert!(!line.resumed, "what was not acknowledged is sent anew");
    assert!(matches!(line.hear().await.expect("what is set").event, Some(Event::Settings(_))));
    let agent = there.get(&host.name).await;
    assert_eq!((agent.state(), agent.key_conflict), (AgentState::Online, None));
    here.life.shut_down(Duration::from_secs(5)).await;
    assert_eq!(there.get(&host.name).await.state(), AgentState::Online);
}

#[tokio::test]
async fn agents_of_a_process_that_was_killed_come_back_once_or_are_offline() {
    let world = World::new().await;
    let killed = world.process(quick()).await;
    let (back, gone) = (killed.joined("back").await, killed.joined("gone").await);
    let line = back.attach(&killed, "").await.expect("it attaches");
    let lost = gone.attach(&killed, "").await.expect("it attaches");
    // Nothing of it runs any more, and the store still has its sessions.
    killed.life.shut_down(Duration::ZERO).await;
    let next = world.process(quick()).await;
    let line = back.attach(&next, &line.session).await.expect("it comes back");
    assert!(!line.resumed, "the session's memory died with its process");
    let agent = next.until(&gone.name, |agent| agent.state() == AgentState::Offline).await;
    assert_eq!(agent.state_reason, "CONNECTION_LOST");
    let agent = next.get(&back.name).await;
    assert_eq!((agent.state(), agent.key_conflict), (AgentState::Online, None));
    drop(lost);
}
