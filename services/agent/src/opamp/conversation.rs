//! Answering a collector: what its message changes, and what it is told.

use std::time::Duration;

use prost::Message;
use uuid::Uuid;
use weft_proto::weft::agent::v1::CollectorTransport;
use weft_store::AgentDocument;

use super::{
    report,
    wire::{
        ACCEPTS_CONFIGURATION, AgentIdentification, AgentToServer, Command, ConfigMap, EffectiveConfig,
        ErrorType, REPORT_FULL_STATE, REPORTS_EFFECTIVE, REPORTS_HEALTH, RemoteConfig, RetryInfo,
        SERVER_CAPABILITIES, ServerErrorResponse, ServerToAgent,
    },
};
use crate::{
    Error, domain::record::Record, error::RETRY, fleet::Entry, sessions::Session, state::State, task,
};

/// The document with what a collector is offered.
pub(crate) const OFFERED: &str = "opamp-offered";
/// The document with what it runs with.
pub(crate) const EFFECTIVE: &str = "opamp-effective";
/// Largest configuration of a collector's own that is kept, in bytes.
const LARGEST_EFFECTIVE: usize = 1 << 20;

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
    state: &State,
    session: &Session,
    transport: CollectorTransport,
    said: &AgentToServer,
) -> Result<Reply, Error> {
    let is_full = said.agent_description.is_some()
        && (said.capabilities & REPORTS_EFFECTIVE == 0 || said.effective_config.is_some())
        && (said.capabilities & REPORTS_HEALTH == 0 || said.health.is_some());
    let is_incomplete = session.talk.as_ref().is_some_and(|talk| talk.note(said.sequence_num, is_full));
    let effective = said.effective_config.as_ref().map(Effective::of);
    let now = state.now();
    let changed = state.change_with(
        &session.name,
        Some(session.agent),
        effective.as_ref().map(|effective| effective.document.clone()),
        |record| {
            if record.session != session.digest {
                return Err(Error::Replaced);
            }
            record.agent_mut().collector.get_or_insert_default().set_transport(transport);
            report::take(record, said, now);
            if let Some(effective) = &effective {
                effective.note(record, now.into());
            }
            Ok(())
        },
    );
    changed.await?;
    let leaves = said.agent_disconnect.is_some();
    if leaves {
        task::end(state, &session.name, session.agent, &session.digest, "STOPPED").await?;
    }
    let flags = if is_incomplete && !leaves { REPORT_FULL_STATE } else { 0 };
    Ok(Reply { answer: ServerToAgent { flags, ..to(&said.instance_uid) }, leaves })
}

/// What a collector runs with.
struct Effective {
    hash: Vec<u8>,
    is_too_large: bool,
    document: AgentDocument,
}

impl Effective {
    fn of(told: &EffectiveConfig) -> Self {
        let content = told.config_map.as_ref().map(ConfigMap::encode_to_vec).unwrap_or_default();
        let hash = report::hash(&content);
        let is_too_large = content.len() > LARGEST_EFFECTIVE;
        let content = if is_too_large { Vec::new() } else { content };
        Self { hash, is_too_large, document: AgentDocument { kind: EFFECTIVE, content: content.into() } }
    }

    fn note(&self, record: &mut Record, now: prost_types::Timestamp) {
        if record.effective == self.hash {
            return;
        }
        record.effective.clone_from(&self.hash);
        record.effective_too_large = self.is_too_large;
        record.agent_mut().collector.get_or_insert_default().effective_time = Some(now);
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

/// The configuration that a collector is to be offered, if it has not been sent it and does not have it.
pub(crate) async fn offer(state: &State, session: &Session) -> Result<Option<RemoteConfig>, Error> {
    let entry = state.fleet.get(&session.name).await?;
    let record = &entry.record;
    let is_due = !record.offered.is_empty()
        && record.offered != record.reported
        && can(&entry, ACCEPTS_CONFIGURATION)
        && session.talk.as_ref().is_some_and(|talk| talk.sends(&record.offered));
    if !is_due {
        return Ok(None);
    }
    let Some(content) = state.store.agent_document(entry.uid, OFFERED).await? else { return Ok(None) };
    let config_hash = report::hash(&content);
    Ok(Some(RemoteConfig { config: Some(files(&entry, &content)?), config_hash }))
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
