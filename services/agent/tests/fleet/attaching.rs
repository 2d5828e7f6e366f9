//! An agent's stream: states, heartbeats, resuming, settings.

use std::time::Duration;

use prost_types::Timestamp;
use tonic::Code;
use weft_proto::weft::agent::v1::{
    Agent, AgentFacts, AgentState, DeleteAgentRequest, EndMaintenanceRequest, Goodbye, Heartbeat,
    StartMaintenanceRequest, UpdateAgentRequest, attach_agent_request::Action, attach_agent_response::Event,
};

use crate::world::{World, quick, refused, why};

fn heartbeat(at_seconds: i64, problems: &[&str]) -> Action {
    Action::Heartbeat(Heartbeat {
        send_time: Some(Timestamp { seconds: at_seconds, nanos: 0 }),
        round_trip_duration: Some(prost_types::Duration { seconds: 0, nanos: 2_000_000 }),
        problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
    })
}

#[tokio::test]
async fn an_agent_is_online_degraded_and_offline_as_it_says() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let host = process.joined("a").await;
    let now = i64::try_from(world.clock.unix_seconds()).expect("this century");
    let mut line = host.attach(&process, "").await.expect("it attaches");
    let agent = process.get(&host.name).await;
    assert_eq!((agent.state(), &*agent.state_reason), (AgentState::Online, "CONNECTED"));
    assert_eq!(agent.session.as_ref().map(|session| session.process_id), Some(7));

    for (beat, state, reason) in [
        (heartbeat(now, &[]), AgentState::Online, "CONNECTED"),
        (heartbeat(now, &["disk full"]), AgentState::Degraded, "PROBLEMS_REPORTED"),
        (heartbeat(now + 3_600, &[]), AgentState::Degraded, "CLOCK_OFF"),
        (heartbeat(now - 3_600, &[]), AgentState::Degraded, "CLOCK_OFF"),
        (heartbeat(now, &[]), AgentState::Online, "CONNECTED"),
    ] {
        line.say(0, 0, beat).await;
        while !matches!(line.hear().await.expect("answered").event, Some(Event::HeartbeatAnswer(_))) {}
        let agent = process.until(&host.name, |agent| agent.state_reason == reason).await;
        assert_eq!(agent.state(), state);
    }
    let agent = process.get(&host.name).await;
    assert_eq!(agent.round_trip_duration.map(|round_trip| round_trip.nanos), Some(2_000_000));
    // Beats that change nothing are no revisions.
    line.say(0, 0, heartbeat(now, &[])).await;
    while !matches!(line.hear().await.expect("answered").event, Some(Event::HeartbeatAnswer(_))) {}
    assert_eq!(process.get(&host.name).await.revision, agent.revision);

    line.say(0, 0, Action::Goodbye(Goodbye {})).await;
    let agent = process.until(&host.name, |agent| agent.session.is_none()).await;
    assert_eq!((agent.state(), &*agent.state_reason), (AgentState::Offline, "STOPPED"));
    assert_eq!(agent.last_seen_time.map(|seen| seen.seconds), Some(now));
}

#[tokio::test]
async fn a_lost_connection_is_resumed_and_an_older_one_ends() {
    let world = World::new().await;
    let options = weft_agent::Options { reconnect_grace: Duration::from_secs(30), ..quick() };
    let process = world.process(options).await;
    let host = process.joined("a").await;
    let mut line = host.attach(&process, "").await.expect("it attaches");
    assert!(!line.resumed);
    let revision = process.get(&host.name).await.revision;
    let settings = line.hear().await.expect("what is set");
    assert_eq!(settings.sequence, 1);
    line.say(1, 0, Action::Facts(AgentFacts { version: "1.1.0".into(), ..host.facts.clone() })).await;
    process.until(&host.name, |agent| agent.version == "1.1.0").await;

    // The network is gone, and the server has not noticed yet: what was not acknowledged comes again.
    let mut next = host.attach(&process, &line.session).await.expect("it resumes");
    assert!(next.resumed);
    assert_eq!(why(&line.end().await), (Code::Aborted, "SESSION_REPLACED".into()));
    let again = next.hear().await.expect("again");
    assert_eq!((again.sequence, again.event), (1, settings.event));
    // A frame that had arrived is not taken twice.
    next.say(1, 1, Action::Facts(AgentFacts { version: "0.0.1".into(), ..host.facts.clone() })).await;
    next.say(2, 1, Action::Facts(AgentFacts { version: "1.2.0".into(), ..host.facts.clone() })).await;
    let agent = process.until(&host.name, |agent| agent.version == "1.2.0").await;
    assert_eq!(agent.state(), AgentState::Online);
    assert!(agent.key_conflict.is_none());
    assert!(agent.revision > revision);
    // A gap is a fault of the agent.
    next.say(9, 1, Action::Facts(AgentFacts::default())).await;
    assert_eq!(why(&next.end().await), (Code::InvalidArgument, "OUT_OF_TURN".into()));
}

#[tokio::test]
async fn one_that_does_not_come_back_is_offline() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let host = process.joined("a").await;
    drop(host.attach(&process, "").await.expect("it attaches"));
    let agent = process.until(&host.name, |agent| agent.state() == AgentState::Offline).await;
    assert_eq!(agent.state_reason, "CONNECTION_LOST");
    // Without a heartbeat a connection is none.
    let options = weft_agent::Options { heartbeat_interval: Duration::from_millis(50), ..quick() };
    let other = world.process(options).await;
    let mut line = host.attach(&other, "").await.expect("it attaches");
    assert_eq!(why(&line.end().await), (Code::Unavailable, "NO_HEARTBEAT".into()));
    other.until(&host.name, |agent| agent.state_reason == "NO_HEARTBEAT").await;
}

#[tokio::test]
async fn people_set_things_and_the_agent_hears_of_them() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let host = process.joined("a").await;
    let mut line = host.attach(&process, "").await.expect("it attaches");
    line.hear().await.expect("what is set at first");
    let mut client = process.client.clone();
    let wanted = Agent {
        name: host.name.clone(),
        labels: [("rack".to_owned(), "7".to_owned())].into(),
        etag: process.get(&host.name).await.etag,
        ..Agent::default()
    };
    let update = |agent: &Agent| {
        process.by_admin(UpdateAgentRequest { agent: Some(agent.clone()), update_mask: None })
    };
    let updated = client.update_agent(update(&wanted)).await.expect("nobody was faster").into_inner();
    assert_eq!(updated.labels["rack"], "7");
    let stale = Agent { display_name: "x".into(), ..wanted };
    refused(client.update_agent(update(&stale)).await, Code::Aborted, "ETAG_MISMATCH");
    let Some(Event::Settings(settings)) = line.hear().await.expect("told").event else {
        panic!("no settings")
    };
    assert_eq!(settings.labels["rack"], "7");

    let start = StartMaintenanceRequest { name: host.name.clone(), reason: "new disk".into() };
    let agent = client.start_maintenance(process.by_admin(start)).await.expect("taken out").into_inner();
    assert_eq!((agent.state(), &*agent.state_reason), (AgentState::Maintenance, "MAINTENANCE"));
    let maintenance = agent.maintenance.expect("it says who and why");
    assert_eq!((&*maintenance.reason, &*maintenance.creator), ("new disk", "projects/mesh/apiKeys/admin"));
    let Some(Event::Settings(settings)) = line.hear().await.expect("told").event else {
        panic!("no settings")
    };
    assert!(settings.in_maintenance);
    let end = EndMaintenanceRequest { name: host.name.clone() };
    let agent = client.end_maintenance(process.by_admin(end)).await.expect("back").into_inner();
    assert_eq!(agent.state(), AgentState::Online);

    let delete = DeleteAgentRequest { name: host.name.clone(), etag: String::new() };
    client.delete_agent(process.by_admin(delete)).await.expect("removed");
    assert_eq!(why(&line.end().await), (Code::NotFound, "AGENT_NOT_FOUND".into()));
    refused(host.credential(&process).await, Code::Unauthenticated, "PROOF_INVALID");
}
