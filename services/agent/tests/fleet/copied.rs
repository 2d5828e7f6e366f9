//! A key that is used from two places.

use tonic::Code;
use weft_proto::weft::agent::v1::{
    AgentState, ClearKeyConflictRequest, ProbeAnswer, attach_agent_request::Action,
    attach_agent_response::Event,
};

use crate::world::{Host, Line, Process, World, quick, refused, soon};

/// A copy of an agent's key on another host.
fn copy(host: &Host) -> Host {
    let mut thief = host.clone();
    thief.facts.host.get_or_insert_default().hostname = "elsewhere".into();
    thief
}

/// Answers probes, as programs do, while something else goes on.
async fn answering<T>(line: &mut Line, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            heard = line.hear() => {
                if matches!(heard.expect("it stays connected").event, Some(Event::Probe(_))) {
                    line.say(0, 0, Action::ProbeAnswer(ProbeAnswer {})).await;
                }
            }
        }
    }
}

async fn is_noticed(here: &Process, there: &Process) {
    let host = here.joined("a").await;
    let mut line = host.attach(here, "").await.expect("the first");
    let second = soon(answering(&mut line, copy(&host).attach(there, ""))).await;
    refused(second, Code::FailedPrecondition, "KEY_USED_TWICE");
    let agent = here.until(&host.name, |agent| agent.state() == AgentState::Degraded).await;
    assert_eq!(agent.state_reason, "KEY_USED_TWICE");
    let conflict = agent.key_conflict.expect("both are told of");
    assert_eq!(conflict.held.map(|seat| seat.hostname).as_deref(), Some("a"));
    assert_eq!(conflict.refused.map(|seat| seat.hostname).as_deref(), Some("elsewhere"));
    assert_eq!(conflict.count, 1);

    let clear = here.by_admin(ClearKeyConflictRequest { name: host.name.clone() });
    let agent = here.client.clone().clear_key_conflict(clear).await.expect("seen to").into_inner();
    assert_eq!(agent.state(), AgentState::Online);
}

#[tokio::test]
async fn a_copied_key_is_noticed_and_the_second_program_refused() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    is_noticed(&process, &process).await;
}

#[tokio::test]
async fn a_copied_key_is_noticed_at_another_process() {
    let world = World::new().await;
    let (here, there) = (world.process(quick()).await, world.process(quick()).await);
    is_noticed(&here, &there).await;
}

#[tokio::test]
async fn a_program_that_does_not_answer_is_no_conflict() {
    let world = World::new().await;
    let options = weft_agent::Options { probe_timeout: std::time::Duration::from_millis(200), ..quick() };
    let process = world.process(options).await;
    let host = process.joined("a").await;
    // The host lost its power: nothing closes the connection, and nothing answers on it.
    let _silent = host.attach(&process, "").await.expect("the first");
    let line = host.attach(&process, "").await.expect("the same host, started anew");
    assert!(!line.resumed);
    let agent = process.get(&host.name).await;
    assert_eq!((agent.state(), agent.key_conflict), (AgentState::Online, None));
}
