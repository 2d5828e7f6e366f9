//! What can agents be filtered and sorted by?

use std::cmp::Ordering;

use weft_kit::{
    cursor::{Cursor, CursorError, CursorReader},
    filter::{Found, Kind, Record, Schema},
    order::{SortKey, parse_order},
};
use weft_proto::weft::agent::v1::{Agent, AgentKind, AgentState};
use weft_store::Timestamp;

/// Fields of an agent.
pub(crate) static AGENT: Schema = Schema {
    fields: &[
        ("name", Kind::Text),
        ("display_name", Kind::Text),
        ("labels", Kind::Map),
        ("kind", Kind::Name),
        ("state", Kind::Name),
        ("state_reason", Kind::Name),
        ("version", Kind::Text),
        ("capabilities", Kind::Texts),
        ("hostname", Kind::Text),
        ("os", Kind::Text),
        ("os_version", Kind::Text),
        ("architecture", Kind::Text),
        ("cpu_count", Kind::Number),
        ("memory_bytes", Kind::Number),
        ("connected", Kind::Name),
        ("create_time", Kind::Time),
        ("state_time", Kind::Time),
    ],
};

/// The word for a state.
pub(crate) fn state_word(state: AgentState) -> &'static str {
    match state {
        AgentState::Unspecified => "unspecified",
        AgentState::Online => "online",
        AgentState::Offline => "offline",
        AgentState::Degraded => "degraded",
        AgentState::Maintenance => "maintenance",
    }
}

/// An agent that can be filtered.
pub(crate) struct AgentRecord<'a>(pub(crate) &'a Agent);

impl Record for AgentRecord<'_> {
    fn visit(&self, field: usize, path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let agent = self.0;
        let host = agent.host.as_ref();
        let instant = |time: Option<&prost_types::Timestamp>, test: &mut dyn FnMut(Found<'_>) -> bool| {
            time.is_some_and(|time| test(Found::Number(Timestamp::from(time).as_micros() as f64)))
        };
        match AGENT.fields[field].0 {
            "name" => test(Found::Text(&agent.name)),
            "display_name" => test(Found::Text(&agent.display_name)),
            "labels" => path
                .first()
                .and_then(|key| agent.labels.get(key))
                .is_some_and(|label| test(Found::Text(label))),
            "kind" => test(Found::Text(match agent.kind() {
                AgentKind::Host => "host",
                AgentKind::Collector => "collector",
                AgentKind::Unspecified => "unspecified",
            })),
            "state" => test(Found::Text(state_word(agent.state()))),
            "state_reason" => test(Found::Text(&agent.state_reason.to_lowercase())),
            "version" => test(Found::Text(&agent.version)),
            "capabilities" => agent.capabilities.iter().any(|name| test(Found::Element(name))),
            "hostname" => host.is_some_and(|host| test(Found::Text(&host.hostname))),
            "os" => host.is_some_and(|host| test(Found::Text(&host.os))),
            "os_version" => host.is_some_and(|host| test(Found::Text(&host.os_version))),
            "architecture" => host.is_some_and(|host| test(Found::Text(&host.architecture))),
            "cpu_count" => host.is_some_and(|host| test(Found::Number(f64::from(host.cpu_count)))),
            "memory_bytes" => host.is_some_and(|host| test(Found::Number(host.memory_bytes as f64))),
            "connected" => test(Found::Text(if agent.session.is_some() { "true" } else { "false" })),
            "create_time" => instant(agent.create_time.as_ref(), test),
            _ => instant(agent.state_time.as_ref(), test),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.0.name)
            || test(&self.0.display_name)
            || self.0.host.as_ref().is_some_and(|host| test(&host.hostname))
    }
}

/// What agents can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    CreateTime,
    StateTime,
    State,
    Hostname,
    Version,
}

/// Reads `order_by`.
pub(crate) fn order(text: &str) -> Result<Vec<SortKey<Field>>, String> {
    let fields = [
        ("name", Field::Name),
        ("create_time", Field::CreateTime),
        ("state_time", Field::StateTime),
        ("state", Field::State),
        ("hostname", Field::Hostname),
        ("version", Field::Version),
    ];
    parse_order(text, &fields)
}

/// Where an agent stands: by the values that it is sorted by, then by its name. Values are texts whose order is
/// that of what they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(Vec<(String, bool)>);

impl Place {
    pub(crate) fn of(agent: &Agent, order: &[SortKey<Field>]) -> Self {
        let instant = |time: Option<&prost_types::Timestamp>| {
            let micros = i128::from(time.map_or(i64::MIN, |time| Timestamp::from(time).as_micros()))
                - i128::from(i64::MIN);
            format!("{micros:020}")
        };
        let plain = |text: &str| text.replace(char::is_control, " ");
        let host = agent.host.as_ref();
        let mut values: Vec<_> = order
            .iter()
            .map(|key| {
                let value = match key.field {
                    Field::Name => agent.name.clone(),
                    Field::CreateTime => instant(agent.create_time.as_ref()),
                    Field::StateTime => instant(agent.state_time.as_ref()),
                    Field::State => state_word(agent.state()).to_owned(),
                    Field::Hostname => plain(host.map_or("", |host| &host.hostname)),
                    Field::Version => plain(&agent.version),
                };
                (value, key.descending)
            })
            .collect();
        values.push((agent.name.clone(), false));
        Self(values)
    }

    pub(crate) fn cursor(&self) -> Cursor {
        self.0.iter().fold(Cursor::default(), |cursor, (value, _)| cursor.text(value))
    }

    pub(crate) fn read(mut reader: CursorReader<'_>, order: &[SortKey<Field>]) -> Result<Self, CursorError> {
        let mut values = Vec::new();
        for key in order {
            values.push((reader.text()?.to_owned(), key.descending));
        }
        values.push((reader.text()?.to_owned(), false));
        reader.end()?;
        Ok(Self(values))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let values = self.0.iter().zip(&other.0).map(|(a, b)| {
            let order = a.0.cmp(&b.0);
            if a.1 { order.reverse() } else { order }
        });
        values.fold(Ordering::Equal, Ordering::then)
    }
}
