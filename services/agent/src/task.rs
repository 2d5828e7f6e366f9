//! What runs in the background: following the other processes, seeing who is gone, writing down who was seen,
//! and forgetting.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;
use weft_bus::Received;
use weft_kit::{Lifecycle, TaskKind};
use weft_proto::weft::agent::v1::AgentState;
use weft_store::{Seen, Timestamp};

use crate::{
    Error,
    notices::{Notice, TOPIC},
    state::State,
};

/// Most rows that one statement forgets.
const FORGOTTEN_AT_ONCE: u32 = 1_000;
/// Answers to a request id are kept for so long.
const REQUESTS_KEPT: Duration = Duration::from_hours(25);
/// Expired tokens can be looked at for so long.
const TOKENS_KEPT: Duration = Duration::from_hours(30 * 24);

pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let follower = Arc::clone(state);
    lifecycle.spawn("agent-notices", TaskKind::Background, move |life| {
        let state = Arc::clone(&follower);
        async move { follow(&state, &life).await }
    });
    let keeper = Arc::clone(state);
    lifecycle.spawn("agent-sessions", TaskKind::Background, move |life| {
        let state = Arc::clone(&keeper);
        async move { keep(&state, &life).await }
    });
    let seen = Arc::clone(state);
    lifecycle.spawn("agent-housekeeping", TaskKind::Background, move |life| {
        let state = Arc::clone(&seen);
        async move { house(&state, &life).await }
    });
}

/// Listens to the other processes.
async fn follow(state: &Arc<State>, life: &Lifecycle) -> Result<(), String> {
    let mut notices = state.bus.subscribe(TOPIC).await.map_err(|error| error.to_string())?;
    // What was written before this process listened.
    state.fleet.catch_up(i64::MAX).await.map_err(|error| error.to_string())?;
    loop {
        let received = tokio::select! {
            received = notices.recv() => received,
            () = life.draining() => return Ok(()),
        };
        let caught_up = match received {
            Received::Closed => return Ok(()),
            Received::Lagged(_) => state.fleet.catch_up(i64::MAX).await,
            Received::Message(bytes) => match serde_json::from_slice(&bytes) {
                Ok(notice) => obey(state, notice).await,
                Err(error) => {
                    tracing::debug!(%error, "a notice of another version");
                    Ok(())
                }
            },
        };
        caught_up.map_err(|error| error.to_string())?;
    }
}

async fn obey(state: &Arc<State>, notice: Notice) -> Result<(), Error> {
    match notice {
        Notice::Revision(revision) => {
            let before = state.fleet.revision();
            state.fleet.catch_up(revision).await?;
            if state.fleet.revision() > before {
                apply_elsewhere(state);
            }
        }
        Notice::Probe { agent, question } => {
            if let Some(session) = state.sessions.get(agent) {
                let state = Arc::clone(state);
                state.lifecycle.clone().spawn_future(async move {
                    if session.answers(state.options.probe_timeout).await {
                        Notice::Alive { question }.tell(&*state.bus).await;
                    }
                });
            }
        }
        Notice::Alive { question } => answer(state, question, String::new()),
        Notice::Moved { agent, process } if process != state.process => {
            if let Some(session) = state.sessions.get(agent) {
                state.sessions.remove(&session);
                session.end(Error::Replaced);
            }
        }
        Notice::Moved { .. } => {}
        Notice::Roll { question } => {
            Notice::Here { question, process: state.process.clone() }.tell(&*state.bus).await;
        }
        Notice::Here { question, process } => answer(state, question, process),
    }
    Ok(())
}

/// What another process has changed of agents that are connected here: one that was removed is told so, the
/// others what was set.
pub(crate) fn apply_elsewhere(state: &State) {
    let there: std::collections::HashMap<_, _> =
        state.fleet.all().into_iter().map(|entry| (entry.uid, entry)).collect();
    for session in state.sessions.all() {
        if let Some(entry) = there.get(&session.agent) {
            state.tell_agent(entry);
        } else {
            state.sessions.remove(&session);
            session.end(Error::AgentNotFound(session.name.clone()));
        }
    }
}

fn answer(state: &State, question: Uuid, process: String) {
    let questions = state.questions.lock().expect("nobody panics with it");
    if let Some(asker) = questions.get(&question) {
        // Where nobody waits any more the answer is late.
        let _ = asker.send(process);
    }
}

/// Asks the other processes, and gives their answers as they come, for as long as the receiver is kept.
pub(crate) async fn ask(
    state: &State,
    question: Uuid,
    notice: Notice,
    patience: Duration,
    mut is_enough: impl FnMut(&str) -> bool,
) -> Vec<String> {
    let (asker, mut answers) = mpsc::unbounded_channel();
    state.questions.lock().expect("nobody panics with it").insert(question, asker);
    notice.tell(&*state.bus).await;
    let deadline = Instant::now() + patience;
    let mut all = Vec::new();
    while let Ok(Some(process)) = tokio::time::timeout_at(deadline, answers.recv()).await {
        let enough = is_enough(&process);
        all.push(process);
        if enough {
            break;
        }
    }
    state.questions.lock().expect("nobody panics with it").remove(&question);
    all
}

/// Sees which sessions are over: those here whose program does not come back, and those of processes that are
/// gone.
async fn keep(state: &State, life: &Lifecycle) -> Result<(), String> {
    let grace = state.options.reconnect_grace;
    let pause = (grace / 4).clamp(Duration::from_millis(20), Duration::from_secs(5));
    // Since when a process does not answer.
    let mut missing: std::collections::HashMap<String, Instant> = std::collections::HashMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = life.draining() => return Ok(()),
        }
        for session in state.sessions.all() {
            if session.is_connected() {
                continue;
            }
            // It does not come back while it is given up.
            let _one_at_a_time = state.attaching(session.agent).lock().await;
            if let Some(reason) = session.given_up(grace) {
                let ended = end(state, &session.name, session.agent, &session.digest, reason).await;
                ended.map_err(|error| error.to_string())?;
                state.sessions.remove(&session);
            }
        }
        let foreign: HashSet<String> = state
            .fleet
            .all()
            .iter()
            .map(|entry| entry.record.process.clone())
            .filter(|process| !process.is_empty() && *process != state.process)
            .collect();
        missing.retain(|process, _| foreign.contains(process));
        if foreign.is_empty() {
            continue;
        }
        let question = state.ids.uuid();
        let mut unheard = foreign.len() + 1;
        let here = ask(state, question, Notice::Roll { question }, pause, |_| {
            unheard -= 1;
            unheard == 0
        })
        .await;
        if !here.contains(&state.process) {
            // Not even its own voice comes back: the bus is down, and says nothing about the others.
            missing.clear();
            continue;
        }
        for process in foreign {
            if here.contains(&process) {
                missing.remove(&process);
            } else if missing.entry(process.clone()).or_insert_with(Instant::now).elapsed() >= grace {
                missing.remove(&process);
                bury(state, &process).await.map_err(|error| error.to_string())?;
            }
        }
    }
}

/// Ends all sessions of a process that is gone.
async fn bury(state: &State, process: &str) -> Result<(), Error> {
    for entry in state.fleet.all().iter().filter(|entry| entry.record.process == process) {
        let name = entry.name();
        let changed = state.change(&name, Some(entry.uid), |record| {
            if record.process == process {
                record.leave("CONNECTION_LOST");
            }
            Ok(())
        });
        match changed.await {
            Ok(_) | Err(Error::AgentNotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Ends a session in the store, if it is still the agent's.
pub(crate) async fn end(
    state: &State,
    name: &str,
    uid: Uuid,
    digest: &[u8; 32],
    reason: &str,
) -> Result<(), Error> {
    let changed = state.change(name, Some(uid), |record| {
        if record.session == digest {
            record.leave(reason);
        }
        Ok(())
    });
    match changed.await {
        Ok(_) | Err(Error::AgentNotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn house(state: &State, life: &Lifecycle) -> Result<(), String> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(state.options.seen_interval) => {}
            () = life.draining() => {
                write_seen(state).await.map_err(|error| error.to_string())?;
                return Ok(());
            }
        }
        let done = async {
            write_seen(state).await?;
            remove_stale(state).await?;
            forget(state).await
        };
        done.await.map_err(|error: Error| error.to_string())?;
    }
}

async fn write_seen(state: &State) -> Result<(), Error> {
    let sessions = state.sessions.all();
    let seen: Vec<_> = sessions
        .iter()
        .filter_map(|session| Some(Seen { uid: session.agent, at: session.take_news()? }))
        .collect();
    if !seen.is_empty() {
        state.store.touch_agents(&seen).await?;
    }
    Ok(())
}

/// Removes agents that have been Offline for too long, where that is wanted.
async fn remove_stale(state: &State) -> Result<(), Error> {
    let patience = state.options.remove_offline_after;
    if patience.is_zero() {
        return Ok(());
    }
    let now = state.now();
    for entry in state.fleet.all() {
        let agent = entry.record.agent();
        let since = agent.state_time.as_ref().map_or(now, Timestamp::from);
        if agent.state() == AgentState::Offline && since.after(patience) <= now {
            match state.store.delete_agent(entry.uid, entry.revision, now).await {
                Ok(row) => {
                    tracing::info!(agent = %entry.name(), "an agent that was offline for too long is removed");
                    state.written(&row).await?;
                }
                // It has changed, or somebody else was faster.
                Err(weft_store::StoreError::Stale { .. } | weft_store::StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

async fn forget(state: &State) -> Result<(), Error> {
    let before = |kept: Duration| -> Timestamp { (state.clock.now() - kept).into() };
    state.store.purge_agents(before(state.options.removals_kept), FORGOTTEN_AT_ONCE).await?;
    state.store.purge_enrollment_tokens(before(TOKENS_KEPT), FORGOTTEN_AT_ONCE).await?;
    state.store.forget_requests(before(REQUESTS_KEPT), FORGOTTEN_AT_ONCE).await?;
    state.fleet.forget().await
}
