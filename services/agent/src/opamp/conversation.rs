//! Answering a collector: what its message changes, and what it is told.

use std::{sync::Arc, time::Duration};

use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use weft_proto::weft::agent::v1::CollectorTransport;

use super::{
    effective::Effective,
    report,
    talk::Talk,
    wire::{
        ACCEPTS_CONFIGURATION, AgentIdentification, AgentToServer, Command, ConfigMap, ErrorType,
        REPORT_FULL_STATE, REPORTS_EFFECTIVE, REPORTS_HEALTH, RemoteConfig, RetryInfo, SERVER_CAPABILITIES,
        ServerErrorResponse, ServerToAgent,
    },
};
use crate::{
    Error, domain::record::Record, error::RETRY, fleet::Entry, sessions::Session, state::State, task,
};

/// The document with what a collector is offered.
pub(crate) const OFFERED: &str = "opamp-offered";

/// The uid in a message.
///
/// # Errors
/// What is wrong with it, for the collector.
pub(crate) fn instance(said: &AgentToServer) -> Result<Uuid, String> {
    let uid =
        Uuid::from_slice(&said.instance_uid).map_err(|_| "instance_uid must have 16 bytes".to_owned())?;
    if uid.is_nil() { Err("instance_uid is nothing but zeros".to_owned()) } else { Ok(uid) }
}

/// What a collector is told about a message, and whether it is going.
pub(crate) struct Reply {
    pub(crate) answer: ServerToAgent,
    pub(crate) leaves: bool,
}

/// Takes a collector's message.
pub(crate) async fn take(
    state: &Arc<State>,
    session: &Arc<Session>,
    transport: CollectorTransport,
    said: &AgentToServer,
) -> Result<Reply, Error> {
    let is_full = said.agent_description.is_some()
        && (said.capabilities & REPORTS_EFFECTIVE == 0 || said.effective_config.is_some())
        && (said.capabilities & REPORTS_HEALTH == 0 || said.health.is_some());
    let leaves = said.agent_disconnect.is_some();
    let mut effective = said.effective_config.as_ref().map(Effective::of);
    if leaves {
        effective = effective.or_else(|| session.talk.as_ref().and_then(Talk::waited));
    } else if let Some(told) = effective.take() {
        effective = due(state, session, told).await?;
    }
    let now = state.now();
    change(state, session, effective.as_ref(), |record| {
        record.agent_mut().collector.get_or_insert_default().set_transport(transport);
        report::take(record, said, now);
    })
    .await?;
    // Only now: a message that could not be kept is one that is missing.
    let is_incomplete = session.talk.as_ref().is_some_and(|talk| talk.note(said.sequence_num, is_full));
    if leaves {
        task::end(state, &session.name, session.agent, &session.digest, "STOPPED").await?;
    }
    let flags = if is_incomplete && !leaves { REPORT_FULL_STATE } else { 0 };
    Ok(Reply { answer: ServerToAgent { flags, ..to(&said.instance_uid) }, leaves })
}

/// Changes what is kept of the collector whose session it is, and with that what it runs with.
async fn change(
    state: &State,
    session: &Session,
    effective: Option<&Effective>,
    change: impl Fn(&mut Record) + Send + Sync,
) -> Result<(), Error> {
    let now = state.now();
    let document = effective.map(|effective| effective.document.clone());
    let changed = state.change_with(&session.name, Some(session.agent), document, |record| {
        if record.session != session.digest {
            return Err(Error::Replaced);
        }
        change(record);
        if let Some(effective) = effective {
            effective.note(record, now.into());
        }
        Ok(())
    });
    changed.await.map(drop)
}

/// What a collector runs with, if it is to be written down now. What is written down already is not; and what comes too
/// soon after the last is by and by, the newest of it.
async fn due(
    state: &Arc<State>,
    session: &Arc<Session>,
    told: Effective,
) -> Result<Option<Effective>, Error> {
    let Some(talk) = &session.talk else { return Ok(Some(told)) };
    if state.fleet.get(&session.name).await?.record.effective == told.hash {
        talk.is_written();
        return Ok(None);
    }
    match talk.write(told) {
        Ok(told) => Ok(Some(told)),
        Err(None) => Ok(None),
        Err(Some(at)) => {
            let (state, session) = (Arc::clone(state), Arc::clone(session));
            state.lifecycle.clone().spawn_future(async move {
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = state.lifecycle.draining() => {}
                }
                let Some(told) = session.talk.as_ref().and_then(Talk::waited) else { return };
                if let Err(error) = change(&state, &session, Some(&told), |_| {}).await {
                    tracing::debug!(%error, agent = %session.name, "what a collector runs with was not kept");
                }
            });
            Ok(None)
        }
    }
}

/// The restart that a collector is to be told of, if there is one: it is told now, and once.
pub(crate) async fn restart(
    state: &State,
    session: &Session,
    instance: &[u8],
) -> Result<Option<ServerToAgent>, Error> {
    let entry = state.fleet.get(&session.name).await?;
    if entry.record.restart.is_empty() {
        return Ok(None);
    }
    let wanted = entry.record.restart.clone();
    let now = state.now().into();
    let told = state.change(&session.name, Some(session.agent), |record| {
        if record.session != session.digest || record.restart != wanted {
            return Err(Error::Replaced);
        }
        record.restart.clear();
        let collector = record.agent_mut().collector.get_or_insert_default();
        collector.restart_request_time = None;
        collector.restart_time = Some(now);
        Ok(())
    });
    match told.await {
        Ok(_) => {
            tracing::info!(agent = %session.name, "a collector is told to restart");
            Ok(Some(ServerToAgent { command: Some(Command { r#type: 0 }), ..to(instance) }))
        }
        // Another connection has told it.
        Err(Error::Replaced) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The configuration that a collector is to be offered, if it does not have it. On a connection it is sent once; who comes
/// by is sent it each time until it says how it stands with it, because nobody learns which answers arrive.
pub(crate) async fn offer(state: &State, session: &Session) -> Result<Option<RemoteConfig>, Error> {
    let entry = state.fleet.get(&session.name).await?;
    let record = &entry.record;
    let Some(talk) = &session.talk else { return Ok(None) };
    let is_due = !record.offered.is_empty()
        && record.offered != record.reported
        && can(&entry, ACCEPTS_CONFIGURATION)
        && (session.comes_by() || !talk.has_sent(&record.offered));
    if !is_due {
        return Ok(None);
    }
    let Some(content) = state.store.agent_document(entry.uid, OFFERED).await? else { return Ok(None) };
    let config_hash = report::hash(&content);
    if config_hash != record.offered {
        // It was replaced meanwhile: the newer one is told of when the record with it is read.
        return Ok(None);
    }
    let offer = RemoteConfig { config: Some(files(&entry, &content)?), config_hash };
    talk.sends(&record.offered);
    Ok(Some(offer))
}

/// The files of a document.
pub(crate) fn files(entry: &Entry, content: &[u8]) -> Result<ConfigMap, Error> {
    ConfigMap::decode(content).map_err(|error| {
        Error::Store(weft_store::StoreError::Corrupt {
            table: "agent_documents",
            column: "content",
            row: entry.uid.to_string(),
            reason: error.to_string(),
        })
    })
}

/// Whether a collector can do something.
pub(crate) fn can(entry: &Entry, capability: &str) -> bool {
    entry.record.agent().capabilities.iter().any(|there| there == capability)
}

/// A message to an instance.
pub(crate) fn to(instance: &[u8]) -> ServerToAgent {
    ServerToAgent {
        instance_uid: instance.to_vec(),
        capabilities: SERVER_CAPABILITIES,
        ..ServerToAgent::default()
    }
}

/// What says how an instance is to call itself.
pub(crate) fn renamed(answer: ServerToAgent, instance: Uuid) -> ServerToAgent {
    let new_instance_uid = instance.as_bytes().to_vec();
    ServerToAgent { agent_identification: Some(AgentIdentification { new_instance_uid }), ..answer }
}

/// What tells a program that another one has the name by which it calls itself. By the new one it is to say everything:
/// nothing of what it said was kept.
pub(crate) fn taken(said: &AgentToServer, instance: Uuid) -> ServerToAgent {
    renamed(ServerToAgent { flags: REPORT_FULL_STATE, ..to(&said.instance_uid) }, instance)
}

/// The uid that an answer of HTTP gives an instance: the same where a message comes once more because that answer was
/// lost. Who has asked would be two agents otherwise.
pub(crate) fn derived_instance(token: &[u8; 32], said: &AgentToServer) -> Uuid {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"weft opamp instance v1\0")
        .chain_update(token)
        .chain_update(&said.instance_uid)
        .chain_update(said.sequence_num.to_be_bytes())
        .finalize()
        .into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A new uid for an instance (UUID version 7, as OpAMP wants it).
pub(crate) fn new_instance(state: &State) -> Uuid {
    let millis = u64::try_from(state.now().as_micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &state.ids.bytes()).into_uuid()
}

/// What tells a collector that its message was not taken.
pub(crate) fn refusal(instance: &[u8], kind: ErrorType, why: &str) -> ServerToAgent {
    let retry_info =
        (kind == ErrorType::Unavailable).then(|| RetryInfo { retry_after_nanoseconds: nanos(RETRY) });
    let response = ServerErrorResponse { r#type: kind.into(), error_message: why.to_owned(), retry_info };
    // Who it is to is left out where that was not to be read.
    let instance = if instance.len() == 16 { instance } else { &[] };
    ServerToAgent { error_response: Some(response), ..to(instance) }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
