//! Asking an agent about its host: over the stream that it keeps open, wherever that ends.

use std::{sync::Arc, time::Duration};

use weft_kit::span;
use weft_proto::weft::agent::v1::{
    HostAnswer, HostQuestion, HostRefusal, HostRefusalReason, host_answer::Outcome, host_question::Ask,
};

use crate::{Error, domain::name, fleet::Entry, mail, state::State};

/// How long an agent has to answer what takes no time by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Whoever can be asked has this capability; what its configuration has opened is `host:` and a word.
const CAPABILITY: &str = "host";

/// What is asked.
pub(crate) struct Question {
    /// The agent's resource name.
    pub(crate) agent: String,
    /// What its configuration must have opened for it: `processes`, not `host:processes`.
    pub(crate) opened: &'static str,
    /// How long the answer may take.
    pub(crate) patience: Duration,
    pub(crate) ask: Ask,
}

/// The agent's answer; what it refuses is an error.
pub(crate) async fn ask(state: &Arc<State>, question: Question) -> Result<Outcome, Error> {
    let Question { agent, opened, patience, ask } = question;
    let question = HostQuestion { id: 0, timeout: Some(span::of(patience)), ask: Some(ask) };
    let mut entry = state.fleet.get(&agent).await?;
    may_be_asked(&entry, &agent, opened)?;
    let mut answered = put(state, &entry, question.clone(), patience).await;
    if matches!(answered, Err(Error::AgentOffline(_))) {
        // It has gone to another process, of which this one has not heard.
        state.fleet.catch_up(i64::MAX).await?;
        entry = state.fleet.get(&agent).await?;
        may_be_asked(&entry, &agent, opened)?;
        answered = put(state, &entry, question, patience).await;
    }
    outcome(answered?, &agent)
}

/// What an agent that has it open is not able to do is not asked for at all.
fn may_be_asked(entry: &Entry, name: &str, opened: &str) -> Result<(), Error> {
    let agent = entry.record.agent();
    if agent.session.is_none() {
        return Err(Error::AgentOffline(name.to_owned()));
    }
    if !agent.capabilities.iter().any(|capability| capability == CAPABILITY) {
        return Err(Error::AgentTooOld(name.to_owned()));
    }
    let is_open = |capability: &String| {
        capability.strip_prefix(CAPABILITY).and_then(|rest| rest.strip_prefix(':')) == Some(opened)
    };
    if !agent.capabilities.iter().any(is_open) {
        return Err(Error::HostNotAllowed(name.to_owned(), opened.to_owned()));
    }
    Ok(())
}

/// Here, or at the process that holds its stream.
async fn put(
    state: &Arc<State>,
    entry: &Entry,
    question: HostQuestion,
    patience: Duration,
) -> Result<HostAnswer, Error> {
    if let Some(session) = state.sessions.get(entry.uid) {
        return session.ask(question, patience).await;
    }
    let process = &entry.record.process;
    if process.is_empty() || *process == state.process {
        return Err(Error::AgentOffline(entry.name()));
    }
    mail::ask(state, entry, question, patience).await
}

fn outcome(answer: HostAnswer, agent: &str) -> Result<Outcome, Error> {
    match answer.outcome {
        Some(Outcome::Refusal(refusal)) => Err(refused(refusal, agent)),
        Some(outcome) => Ok(outcome),
        None => Err(Error::unexpected_answer()),
    }
}

fn refused(refusal: HostRefusal, agent: &str) -> Error {
    let reason = refusal.reason();
    let HostRefusal { message, subject, .. } = refusal;
    match reason {
        HostRefusalReason::NotKnown => Error::AgentTooOld(agent.to_owned()),
        HostRefusalReason::NotAllowed => Error::HostNotAllowed(agent.to_owned(), subject),
        HostRefusalReason::Invalid if subject == "request_id" => Error::RequestIdReused,
        HostRefusalReason::Invalid => weft_kit::Problem::bad_field(subject, message).into(),
        HostRefusalReason::Denied => Error::HostDenied(message),
        HostRefusalReason::Busy => Error::HostBusy,
        HostRefusalReason::NotFound if name::is_knowledge_file(&subject) => {
            Error::KnowledgeFileNotFound(subject)
        }
        HostRefusalReason::NotFound => Error::ServiceNotFound(subject),
        HostRefusalReason::Exists => Error::ServiceExists(subject),
        HostRefusalReason::Stale => Error::EtagMismatch(subject),
        HostRefusalReason::Failed | HostRefusalReason::Unspecified => Error::HostFailed(message),
    }
}
