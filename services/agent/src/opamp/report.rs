//! What a collector says, as what is kept of it: bounded, and in this mesh's words.

use std::collections::HashMap;

use prost::Message;
use sha2::{Digest, Sha256};
use weft_kit::auth;
use weft_proto::weft::agent::v1::{
    Collector, ComponentHealth, ConfigurationFile, ConfigurationState, HostFacts,
};
use weft_store::Timestamp;

use super::wire::{
    self, AgentDescription, AgentToServer, CAPABILITIES, ConfigMap, RemoteConfigStatuses, Value,
};
use crate::{domain::record::Record, rpc::token_message::PREFIX};

/// Attributes of each kind that are kept.
const ATTRIBUTES: usize = 64;
/// Bytes of all attributes of a kind together.
const ATTRIBUTES_ROOM: usize = 4 << 10;
/// What those begin with that are not kept: command lines, which quote secrets.
const UNKEPT: &str = "process.command";
/// Bytes of an attribute's name, and of its value.
const TEXT: usize = 255;
/// Parts whose health is kept.
const COMPONENTS: usize = 64;
/// Bytes of all of them together.
const COMPONENTS_ROOM: usize = 8 << 10;
/// Parts that are looked at for that.
const LOOKED_AT: usize = 2_048;
/// Levels of parts.
const LEVELS: usize = 8;
/// Bytes of what is wrong with a part.
const FAULT: usize = 500;
/// Bytes of why a configuration could not be used.
const REASON: usize = 1_000;
/// What is wrong with an agent has as many lines.
const PROBLEMS: usize = 16;

/// SHA-256 of a configuration. The same files have the same.
pub(crate) fn hash(files: &[u8]) -> Vec<u8> {
    Sha256::digest(files).to_vec()
}

/// Takes what a message says, all but the effective configuration.
pub(crate) fn take(record: &mut Record, said: &AgentToServer, now: Timestamp) {
    let agent = record.agent_mut();
    if said.capabilities != 0 {
        let able = CAPABILITIES.iter().filter(|(bit, _)| said.capabilities & bit != 0);
        agent.capabilities = able.map(|(_, name)| (*name).to_owned()).collect();
    }
    let collector = agent.collector.get_or_insert_default();
    if let Some(health) = &said.health {
        collector.health = components(health);
    }
    if let Some(description) = &said.agent_description {
        describe(collector, description);
        let told = |name: &str| {
            let of = |attributes: &HashMap<String, String>| attributes.get(name).cloned();
            of(&collector.identifying_attributes).or_else(|| of(&collector.attributes)).unwrap_or_default()
        };
        agent.version = told("service.version");
        let description = told("os.description");
        agent.host = Some(HostFacts {
            hostname: told("host.name"),
            os: os(&told("os.type")),
            os_version: if description.is_empty() { told("os.version") } else { description },
            architecture: architecture(&told("host.arch")),
            ..HostFacts::default()
        });
    }
    if let Some(status) = &said.remote_config_status {
        let text = cut(&status.error_message, REASON);
        let is_news = record.reported != status.last_remote_config_hash
            || record.reported_status != status.status
            || record.reported_error != text;
        if is_news {
            record.reported.clone_from(&status.last_remote_config_hash);
            record.reported.truncate(64);
            record.reported_status = status.status;
            record.reported_error = text;
            record.reported_micros = now.as_micros();
        }
    }
    settle(record);
}

/// Brings what follows from the rest up to date: how far the offered configuration is, and what is wrong.
pub(crate) fn settle(record: &mut Record) {
    let is_about_it = !record.offered.is_empty() && record.reported == record.offered;
    let (status, error) = (record.reported_status, record.reported_error.clone());
    let reported = Timestamp::from_micros(record.reported_micros);
    let is_connected = record.agent().session.is_some();
    let agent = record.agent_mut();
    let Some(collector) = &mut agent.collector else { return };
    if let Some(configuration) = &mut collector.configuration {
        let state = match RemoteConfigStatuses::try_from(status) {
            Ok(RemoteConfigStatuses::Applied) if is_about_it => ConfigurationState::Applied,
            Ok(RemoteConfigStatuses::Applying) if is_about_it => ConfigurationState::Applying,
            Ok(RemoteConfigStatuses::Failed) if is_about_it => ConfigurationState::Failed,
            _ => ConfigurationState::Offered,
        };
        let has_failed = state == ConfigurationState::Failed;
        configuration.set_state(state);
        configuration.error_message = if has_failed { error } else { String::new() };
        configuration.report_time = is_about_it.then(|| reported.into());
    }
    if is_connected {
        agent.problems = problems(collector);
    }
}

/// What is wrong, in lines for people.
fn problems(collector: &Collector) -> Vec<String> {
    let mut lines = Vec::new();
    for part in collector.health.iter().filter(|part| !part.healthy) {
        let what = if part.last_error.is_empty() { &part.status } else { &part.last_error };
        let what = if what.is_empty() { "is not well" } else { what };
        let line = if part.path.is_empty() {
            what.to_owned()
        } else {
            format!("{}: {what}", part.path.join(" › "))
        };
        lines.push(cut(&line, TEXT));
    }
    let configuration = collector.configuration.as_ref();
    if let Some(failed) = configuration.filter(|there| there.state() == ConfigurationState::Failed) {
        lines.insert(0, cut(&format!("the configuration was not applied: {}", failed.error_message), TEXT));
    }
    lines.truncate(PROBLEMS);
    lines
}

fn describe(collector: &mut Collector, description: &AgentDescription) {
    collector.identifying_attributes = attributes(&description.identifying_attributes);
    collector.attributes = attributes(&description.non_identifying_attributes);
}

fn attributes(told: &[wire::KeyValue]) -> HashMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => cut(text, TEXT),
        Value::Bool(is) => is.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
    };
    let mut room = ATTRIBUTES_ROOM;
    told.iter()
        .filter(|pair| !pair.key.starts_with(UNKEPT))
        .filter_map(|pair| {
            let value = pair.value.as_ref()?.value.as_ref()?;
            Some((cut(&pair.key, TEXT), text(value)))
        })
        .filter(|(key, value)| fits(&mut room, key.len() + value.len()))
        .take(ATTRIBUTES)
        .collect()
}

/// Whether something with so many bytes has room; it is taken then. What it is wrapped in takes some, too.
fn fits(room: &mut usize, bytes: usize) -> bool {
    let left = room.checked_sub(bytes + 8);
    *room = left.unwrap_or(*room);
    left.is_some()
}

/// A text attribute that identifies a collector.
pub(crate) fn identity<'s>(said: &'s AgentToServer, name: &str) -> &'s str {
    let Some(description) = &said.agent_description else { return "" };
    let pairs = description.identifying_attributes.iter().chain(&description.non_identifying_attributes);
    let value = pairs.filter(|pair| pair.key == name).find_map(|pair| pair.value.as_ref()?.value.as_ref());
    if let Some(Value::String(text)) = value { text } else { "" }
}

/// The health of a collector and its parts: all that are not well before others, where they are too many.
fn components(health: &wire::ComponentHealth) -> Vec<ComponentHealth> {
    let mut found = Vec::new();
    let mut next = vec![(Vec::new(), health)];
    while let Some((path, part)) = next.pop() {
        if path.len() < LEVELS {
            for (name, below) in &part.parts {
                if found.len() + next.len() < LOOKED_AT {
                    let mut path: Vec<String> = path.clone();
                    path.push(cut(name, TEXT));
                    next.push((path, below));
                }
            }
        }
        found.push(ComponentHealth {
            path,
            healthy: part.healthy,
            status: cut(&part.status, TEXT),
            last_error: cut(&part.last_error, FAULT),
            start_time: nanos(part.start_time_unix_nano),
            status_time: nanos(part.status_time_unix_nano),
        });
    }
    found.sort_by(|one, other| {
        (!one.path.is_empty(), one.healthy, &one.path).cmp(&(
            !other.path.is_empty(),
            other.healthy,
            &other.path,
        ))
    });
    let mut room = COMPONENTS_ROOM;
    found.retain(|part| fits(&mut room, part.encoded_len()));
    found.truncate(COMPONENTS);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn nanos(unix: u64) -> Option<prost_types::Timestamp> {
    let micros = i64::try_from(unix / 1_000).ok().filter(|micros| *micros > 0)?;
    Some(Timestamp::from_micros(micros).into())
}

/// Operating systems by the names that agents of our own give them.
fn os(told: &str) -> String {
    if told == "darwin" { "macos".to_owned() } else { cut(told, 64) }
}

/// Architectures by the names that agents of our own give them.
fn architecture(told: &str) -> String {
    match told {
        "amd64" => "x86_64".to_owned(),
        "arm64" => "aarch64".to_owned(),
        other => cut(other, 64),
    }
}

/// No more than so many bytes of a text.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    text[..ends.take_while(|end| *end <= most).last().unwrap_or(0)].to_owned()
}

/// What stands for a collector's key: nobody can come by a private key for it, and whoever has another token has another.
pub(crate) fn key(token: &[u8; 32], instance: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"weft opamp agent v1\0")
        .chain_update(token)
        .chain_update(instance)
        .finalize()
        .into()
}

/// The digest by which an enrolment token is known; none of what cannot be one.
pub(crate) fn token(secret: &str) -> Option<[u8; 32]> {
    secret.starts_with(PREFIX).then(|| auth::digest(secret))
}

/// Files of a configuration as they are shown.
pub(crate) fn shown(files: ConfigMap) -> HashMap<String, ConfigurationFile> {
    let file = |file: wire::ConfigFile| ConfigurationFile {
        content: String::from_utf8_lossy(&file.body).into_owned(),
        content_type: file.content_type,
    };
    files.config_map.into_iter().map(|(name, there)| (name, file(there))).collect()
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::agent::v1::{Agent, AgentSession, ConfigurationStatus};

    use super::*;
    use crate::opamp::wire::{AnyValue, KeyValue, RemoteConfigStatus};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }) }
    }

    fn text(key: &str, value: &str) -> KeyValue {
        pair(key, Value::String(value.into()))
    }

    fn part(healthy: bool, status: &str, parts: Vec<(&str, wire::ComponentHealth)>) -> wire::ComponentHealth {
        wire::ComponentHealth {
            healthy,
            status: status.into(),
            parts: parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect(),
            ..wire::ComponentHealth::default()
        }
    }

    fn connected() -> Record {
        let agent = Agent { session: Some(AgentSession::default()), ..Agent::default() };
        Record::new(agent, at(1))
    }

    #[test]
    fn what_a_collector_is_becomes_facts_of_its_host() {
        let mut record = connected();
        let said = AgentToServer {
            capabilities: 1 | 2 | (1 << 10) | (1 << 40),
            agent_description: Some(AgentDescription {
                identifying_attributes: vec![
                    text("service.name", "otelcol"),
                    text("service.version", "0.140"),
                ],
                non_identifying_attributes: vec![
                    text("host.name", "node7"),
                    text("host.arch", "arm64"),
                    text("os.type", "linux"),
                    text("os.description", "Debian 12"),
                    pair("process.pid", Value::Int(7)),
                    text("process.command_args", "--password=x"),
                    KeyValue { key: "list".into(), value: Some(AnyValue { value: None }) },
                ],
            }),
            ..AgentToServer::default()
        };
        take(&mut record, &said, at(2));
        let agent = record.agent();
        assert_eq!(
            agent.capabilities,
            ["opamp:reports-status", "opamp:accepts-configuration", "opamp:accepts-restart"]
        );
        let host = agent.host.clone().expect("there is one");
        assert_eq!(
            (&*host.hostname, &*host.os, &*host.os_version, &*host.architecture, &*agent.version),
            ("node7", "linux", "Debian 12", "aarch64", "0.140")
        );
        let collector = agent.collector.clone().expect("it is one");
        assert_eq!(collector.attributes.len(), 5, "a list is no text, and a command line is not kept");
        assert_eq!(collector.attributes["process.pid"], "7");
        // A heartbeat says nothing of it, and changes nothing.
        let before = record.clone();
        take(&mut record, &AgentToServer::default(), at(3));
        assert_eq!(record, before);
    }

    #[test]
    fn what_is_not_well_is_a_problem_until_it_is() {
        let mut record = connected();
        let mut sick = part(false, "StatusPermanentError", vec![]);
        sick.last_error = "connection refused".into();
        let pipelines =
            part(false, "", vec![("exporter:otlp", sick), ("receiver:otlp", part(true, "StatusOK", vec![]))]);
        let health = part(true, "StatusOK", vec![("pipeline:traces", pipelines)]);
        let said = |health| AgentToServer { health: Some(health), ..AgentToServer::default() };
        take(&mut record, &said(health), at(2));
        assert_eq!(
            record.agent().problems,
            ["pipeline:traces: is not well", "pipeline:traces › exporter:otlp: connection refused"]
        );
        let health = record.agent().collector.clone().expect("there").health;
        let paths: Vec<_> = health.iter().map(|part| part.path.join("/")).collect();
        assert_eq!(
            paths,
            ["", "pipeline:traces", "pipeline:traces/exporter:otlp", "pipeline:traces/receiver:otlp"]
        );
        take(&mut record, &said(part(true, "StatusOK", vec![])), at(3));
        assert_eq!(record.agent().problems, Vec::<String>::new());
    }

    #[test]
    fn of_too_much_the_sick_are_kept() {
        let names: Vec<String> = (0..5_000).map(|n| format!("part-{n:04}")).collect();
        let parts = names.iter().take(500).map(|name| (&**name, part(name != "part-0400", "", vec![])));
        let kept = components(&part(true, "", parts.collect()));
        assert_eq!((kept.len(), kept[0].path.len()), (COMPONENTS, 0));
        assert!(kept.iter().any(|part| part.path == ["part-0400"]));
        let mut deep = part(false, "the last", vec![]);
        for _ in 0..50 {
            deep = part(true, "", vec![("below", deep)]);
        }
        assert_eq!(components(&deep).iter().map(|part| part.path.len()).max(), Some(LEVELS));
        let many = names.iter().map(|name| (&**name, part(true, "", vec![])));
        assert_eq!(components(&part(true, "", many.collect())).len(), COMPONENTS);
    }

    #[test]
    fn however_much_is_said_little_is_kept() {
        // Three bytes each.
        let long = "€".repeat(2_000);
        assert_eq!((cut(&long, TEXT).len(), cut(&long, 256).len(), cut("", 1)), (255, 255, String::new()));
        let names: Vec<String> = (0..200).map(|n| format!("{n:03}{long}")).collect();
        let attributes: Vec<_> = names.iter().map(|name| text(name, &long)).collect();
        let mut sick = part(false, &long, vec![]);
        sick.last_error.clone_from(&long);
        let parts = names.iter().map(|name| {
            let is_sick = name.starts_with("199");
            (&**name, if is_sick { sick.clone() } else { part(true, &long, vec![]) })
        });
        let said = AgentToServer {
            agent_description: Some(AgentDescription {
                identifying_attributes: attributes.clone(),
                non_identifying_attributes: attributes,
            }),
            health: Some(part(true, &long, parts.collect())),
            ..AgentToServer::default()
        };
        let mut record = connected();
        take(&mut record, &said, at(2));
        let collector = record.agent().collector.clone().expect("it is one");
        assert!(collector.encoded_len() <= 16 << 10, "{}", collector.encoded_len());
        assert!(collector.attributes.len() > 4 && collector.health.len() > 4);
        assert!(collector.health.iter().any(|part| !part.healthy), "what is not well is among it");
        let before = record.clone();
        take(&mut record, &said, at(2));
        assert!(record == before, "and the same each time");
    }

    #[test]
    fn a_configuration_is_as_far_as_the_collector_says_of_that_very_one() {
        let mut record = connected();
        record.offered = vec![1; 32];
        record.agent_mut().collector.get_or_insert_default().configuration =
            Some(ConfigurationStatus::default());
        let say = |record: &mut Record, hash: u8, status: RemoteConfigStatuses, error: &str, seconds| {
            let status = RemoteConfigStatus {
                last_remote_config_hash: vec![hash; 32],
                status: status.into(),
                error_message: error.into(),
            };
            let said = AgentToServer { remote_config_status: Some(status), ..AgentToServer::default() };
            take(record, &said, at(seconds));
            let there = record.agent().collector.as_ref().and_then(|there| there.configuration.clone());
            there.expect("one is offered")
        };
        let told = say(&mut record, 9, RemoteConfigStatuses::Applied, "", 2);
        assert_eq!((told.state(), told.report_time), (ConfigurationState::Offered, None), "of another one");
        let told = say(&mut record, 1, RemoteConfigStatuses::Applying, "", 3);
        assert_eq!((told.state(), told.report_time), (ConfigurationState::Applying, Some(at(3).into())));
        let told = say(&mut record, 1, RemoteConfigStatuses::Failed, "no such exporter", 4);
        assert_eq!((told.state(), &*told.error_message), (ConfigurationState::Failed, "no such exporter"));
        assert_eq!(record.agent().problems, ["the configuration was not applied: no such exporter"]);
        let told = say(&mut record, 1, RemoteConfigStatuses::Failed, "no such exporter", 5);
        assert_eq!(told.report_time, Some(at(4).into()), "it is no news");
        let told = say(&mut record, 1, RemoteConfigStatuses::Applied, "", 6);
        assert_eq!((told.state(), &*told.error_message), (ConfigurationState::Applied, ""));
        assert_eq!(record.agent().problems, Vec::<String>::new());
        record.offered = vec![2; 32];
        settle(&mut record);
        let there = record.agent().collector.clone().and_then(|there| there.configuration).expect("there");
        assert_eq!(there.state(), ConfigurationState::Offered, "a new offer");
    }

    #[test]
    fn a_key_is_of_one_token_and_one_instance() {
        let keys = [key(&[1; 32], &[1; 16]), key(&[2; 32], &[1; 16]), key(&[1; 32], &[2; 16])];
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[0] == key(&[1; 32], &[1; 16]));
        assert!(token("weft_enroll_x").is_some() && token("weft_x").is_none() && token("").is_none());
    }
}
