//! Letters between the agent services' processes: a question about a host goes to the one that holds its agent's
//! stream, and the answer to the one that asked. Each process has a topic of its own on the bus, so that no other
//! reads along; a letter that is lost is an agent that does not answer.

use std::{sync::Arc, time::Duration};

use prost::Message;
use tokio::sync::oneshot;
use uuid::Uuid;
use weft_bus::Received;
use weft_kit::{Lifecycle, TaskKind};
use weft_proto::weft::agent::v1::{HostAnswer, HostQuestion};

use crate::{
    Error,
    fleet::Entry,
    letter::{Fault, Letter, lock},
    state::State,
};

/// What the way there and back may take besides.
const WAY: Duration = Duration::from_secs(2);

fn topic(process: &str) -> String {
    format!("agent.process.{process}")
}

/// Reads this process's letters for as long as it lives.
pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let state = Arc::clone(state);
    lifecycle.spawn("agent-mail", TaskKind::Background, move |life| {
        let state = Arc::clone(&state);
        async move { read(&state, &life).await }
    });
}

async fn read(state: &Arc<State>, life: &Lifecycle) -> Result<(), String> {
    let mut letters = state.bus.subscribe(&topic(&state.process)).await.map_err(|error| error.to_string())?;
    loop {
        let received = tokio::select! {
            received = letters.recv() => received,
            () = life.draining() => return Ok(()),
        };
        match received {
            Received::Closed => return Ok(()),
            // Whoever waits for what was lost is told that the agent does not answer.
            Received::Lagged(_) => {}
            Received::Message(bytes) => match Letter::decode(bytes) {
                Ok(letter) => open(state, letter),
                Err(error) => tracing::debug!(%error, "a letter of another version"),
            },
        }
    }
}

fn open(state: &Arc<State>, letter: Letter) {
    if letter.asker.is_empty() {
        let asker = Uuid::from_slice(&letter.id).ok().and_then(|id| lock(&state.letters).remove(&id));
        if let Some(asker) = asker {
            // Where nobody waits any more it is late.
            let _ = asker.send(letter);
        }
        return;
    }
    let state = Arc::clone(state);
    state.lifecycle.clone().spawn_future(async move {
        let Letter { id, asker, agent, patience_ms, question, .. } = letter;
        let patience = Duration::from_millis(patience_ms);
        let session = Uuid::from_slice(&agent).ok().and_then(|agent| state.sessions.get(agent));
        let answered = match (session, question) {
            (Some(session), Some(question)) => session.ask(question, patience).await,
            _ => Err(Error::AgentOffline(String::new())),
        };
        let fault = match &answered {
            Ok(_) => Fault::None,
            Err(Error::AgentOffline(_)) => Fault::NotHere,
            Err(Error::AgentSilent) => Fault::Silent,
            Err(Error::HostBusy) => Fault::Busy,
            Err(_) => Fault::Failed,
        };
        send(&state, &asker, &Letter { id, answer: answered.ok(), fault: fault.into(), ..Letter::default() })
            .await;
    });
}

/// Asks an agent whose stream another process holds.
pub(crate) async fn ask(
    state: &State,
    entry: &Entry,
    question: HostQuestion,
    patience: Duration,
) -> Result<HostAnswer, Error> {
    let id = state.ids.uuid();
    let letter = Letter {
        id: id.as_bytes().to_vec(),
        asker: state.process.clone(),
        agent: entry.uid.as_bytes().to_vec(),
        patience_ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
        question: Some(question),
        ..Letter::default()
    };
    let (asker, answer) = oneshot::channel();
    {
        let mut waiting = lock(&state.letters);
        waiting.retain(|_, asker| !asker.is_closed());
        waiting.insert(id, asker);
    }
    send(state, &entry.record.process, &letter).await;
    let Ok(Ok(letter)) = tokio::time::timeout(patience + WAY, answer).await else {
        return Err(Error::AgentSilent);
    };
    let fault = letter.fault();
    letter.answer.ok_or_else(|| match fault {
        Fault::NotHere => Error::AgentOffline(entry.name()),
        Fault::Busy => Error::HostBusy,
        Fault::Failed => Error::unexpected_answer(),
        Fault::Silent | Fault::None => Error::AgentSilent,
    })
}

async fn send(state: &State, process: &str, letter: &Letter) {
    if let Err(error) = state.bus.publish(&topic(process), letter.encode_to_vec().into()).await {
        tracing::debug!(%error, "a letter was not sent");
    }
}
