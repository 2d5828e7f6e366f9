//! GetCollectorConfiguration and UpdateCollectorConfiguration: what a collector runs with, and is to run with.
//!
//! What is in a configuration is the collector's business, and may be secret: it is in no log.

use std::collections::HashMap;

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::agent::v1::{
    AgentKind, CollectorConfiguration, ConfigurationFile, ConfigurationStatus,
    GetCollectorConfigurationRequest, UpdateCollectorConfigurationRequest,
};
use weft_store::AgentDocument;

use crate::{
    Error,
    domain::record::Record,
    fleet::Entry,
    opamp::{
        conversation::{OFFERED, files},
        effective::EFFECTIVE,
        report,
        wire::{ACCEPTS_CONFIGURATION, ConfigFile, ConfigMap},
    },
    state::State,
};

/// Largest configuration that can be offered, in bytes.
const LARGEST: usize = 512 << 10;
/// What its name ends with.
const LAST: &str = "/collectorConfiguration";

pub(crate) async fn get(
    state: &State,
    call: Call<GetCollectorConfigurationRequest>,
) -> Result<CollectorConfiguration, Error> {
    let entry = state.fleet.get(agent_of(&call.message.name)).await?;
    is_collector(&entry.record, &entry.name())?;
    message(state, &entry).await
}

pub(crate) async fn update(
    state: &State,
    call: Call<UpdateCollectorConfigurationRequest>,
) -> Result<CollectorConfiguration, Error> {
    let request = call.message;
    let wanted = request.collector_configuration.unwrap_or_default();
    let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
    if let Some(path) = paths.iter().find(|path| !matches!(path.as_str(), "*" | "files")) {
        return Err(Error::field("update_mask", format!("{path:?} cannot be changed")));
    }
    let agent = agent_of(&wanted.name);
    if paths.is_empty() && wanted.files.is_empty() {
        // Nothing is named that should change: what is offered is taken back by saying so.
        let entry = state.fleet.get(agent).await?;
        is_collector(&entry.record, agent)?;
        return message(state, &entry).await;
    }
    let content = offered(wanted.files)?;
    let hash = if content.is_empty() { Vec::new() } else { report::hash(&content) };
    let (now, creator) = (state.now().into(), call.caller.name.to_string());
    let document = AgentDocument { kind: OFFERED, content: content.into() };
    let changed = state.change_with(agent, None, Some(document), |record| {
        is_collector(record, agent)?;
        if record.offered == hash {
            // Also where it is the answer to this very request that was lost.
            return Ok(());
        }
        if !wanted.etag.is_empty() && wanted.etag != etag(record) {
            return Err(Error::EtagMismatch(wanted.name.clone()));
        }
        let takes = |capability: &String| capability == ACCEPTS_CONFIGURATION;
        if !hash.is_empty() && !record.agent().capabilities.iter().any(takes) {
            return Err(Error::CollectorCannot(agent.to_owned(), "configurations"));
        }
        record.offered.clone_from(&hash);
        record.agent_mut().collector.get_or_insert_default().configuration =
            (!hash.is_empty()).then(|| ConfigurationStatus {
                hash: hex(&hash),
                offer_time: Some(now),
                creator: creator.clone(),
                ..ConfigurationStatus::default()
            });
        report::settle(record);
        Ok(())
    });
    let entry = changed.await?;
    tracing::info!(%agent, by = %call.caller.name, hash = %hex(&hash), "a collector is offered a configuration");
    message(state, &entry).await
}

/// The files in the order of their names: the same files have the same bytes.
fn offered(files: HashMap<String, ConfigurationFile>) -> Result<Vec<u8>, Error> {
    let file = |file: ConfigurationFile| ConfigFile {
        body: file.content.into_bytes(),
        content_type: file.content_type,
    };
    let config_map = files.into_iter().map(|(name, there)| (name, file(there))).collect();
    let content = ConfigMap { config_map }.encode_to_vec();
    if content.len() > LARGEST {
        return Err(Error::field("collector_configuration.files", "have more than 512 KiB together"));
    }
    Ok(content)
}

async fn message(state: &State, entry: &Entry) -> Result<CollectorConfiguration, Error> {
    let read = async |kind| {
        let content = state.store.agent_document(entry.uid, kind).await?.unwrap_or_default();
        Ok::<_, Error>(report::shown(files(entry, &content)?))
    };
    let collector = entry.record.agent().collector.clone().unwrap_or_default();
    Ok(CollectorConfiguration {
        name: format!("{}{LAST}", entry.name()),
        files: read(OFFERED).await?,
        status: collector.configuration,
        effective_files: read(EFFECTIVE).await?,
        effective_too_large: entry.record.effective_too_large,
        effective_time: collector.effective_time,
        etag: etag(&entry.record),
    })
}

/// That of nothing is `none`, so that it can be asked for too.
fn etag(record: &Record) -> String {
    if record.offered.is_empty() { "none".to_owned() } else { hex(&record.offered) }
}

fn is_collector(record: &Record, name: &str) -> Result<(), Error> {
    if record.agent().kind() == AgentKind::Collector {
        return Ok(());
    }
    Err(Error::NotACollector(name.to_owned()))
}

/// The agent's name in that of its configuration.
fn agent_of(name: &str) -> &str {
    name.strip_suffix(LAST).unwrap_or(name)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> ConfigurationFile {
        ConfigurationFile { content: content.into(), content_type: "text/yaml".into() }
    }

    #[test]
    fn the_same_files_are_the_same_offer() {
        let names: Vec<String> = (0..20).map(|n| format!("f{n}")).collect();
        let one = names.iter().map(|name| (name.clone(), file(name))).collect();
        let other = names.iter().rev().map(|name| (name.clone(), file(name))).collect();
        assert_eq!(offered(one).expect("small"), offered(other).expect("small"));
        assert!(offered(HashMap::new()).expect("nothing").is_empty());
        let large = HashMap::from([("a".to_owned(), file(&"x".repeat(LARGEST)))]);
        assert!(matches!(offered(large), Err(Error::BadField { .. })));
    }

    #[test]
    fn names_and_hashes_have_their_form() {
        assert_eq!(agent_of("projects/p/agents/a/collectorConfiguration"), "projects/p/agents/a");
        assert_eq!((hex(&[0, 171]), etag(&Record::default())), ("00ab".to_owned(), "none".to_owned()));
    }
}
