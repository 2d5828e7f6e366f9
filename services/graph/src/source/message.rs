//! How do rows of sources and refreshes become messages, and settings rows?

use prost::Message;
use weft_proto::weft::graph::v1::{Refresh, RefreshState as State, Source};
use weft_store::{RefreshRow, RefreshState, SourceRow, Timestamp};

use crate::{Error, live::etag};

/// The names of one source.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Of its graph.
    pub(crate) graph: String,
    /// Its id in the graph, which is also the origin of what it brings.
    pub(crate) id: String,
}

impl Names {
    pub(crate) fn new(graph: &str, id: &str) -> Self {
        Self { graph: graph.to_owned(), id: id.to_owned() }
    }

    /// The source's resource name.
    pub(crate) fn source(&self) -> String {
        format!("{}/sources/{}", self.graph, self.id)
    }

    /// The id of the project.
    pub(crate) fn project(&self) -> &str {
        self.graph.split('/').nth(1).unwrap_or_default()
    }
}

/// The graph's name and the id, out of a source's name.
pub(crate) fn split_source(name: &str) -> Result<(&str, &str), Error> {
    name.split_once("/sources/").ok_or_else(|| Error::SourceNotFound(name.to_owned()))
}

/// The source's name and the number, out of a refresh's name.
pub(crate) fn split_refresh(name: &str) -> Result<(&str, i64), Error> {
    let parts = name.split_once("/refreshes/");
    parts
        .and_then(|(source, number)| Some((source, number.parse().ok()?)))
        .ok_or_else(|| Error::RefreshNotFound(name.to_owned()))
}

/// The resource name of a refresh.
pub(crate) fn refresh_name(names: &Names, number: i64) -> String {
    format!("{}/refreshes/{number}", names.source())
}

/// A source as its readers see it at an instant.
pub(crate) fn source_message(names: &Names, row: &SourceRow, now: Timestamp) -> Result<Source, Error> {
    let settings = settings_of(names, row)?;
    let last = row.last_refresh.as_ref().map(|refresh| refresh_message(names, refresh, now));
    Ok(Source {
        name: names.source(),
        uid: row.uid.to_string(),
        last_refresh: last.transpose()?,
        create_time: Some(row.created.into()),
        update_time: Some(row.updated.into()),
        etag: etag(row.version),
        ..settings
    })
}

/// A source's settings: a message of which only these fields are set.
pub(crate) fn settings_of(names: &Names, row: &SourceRow) -> Result<Source, Error> {
    Source::decode(row.settings.as_ref()).map_err(|error| Error::damaged(&names.source(), error))
}

/// What is kept of a message that a client sent.
pub(crate) fn next_settings(source: Source) -> Source {
    Source {
        display_name: source.display_name,
        location: source.location,
        format: source.format,
        default_node_type: source.default_node_type,
        default_edge_type: source.default_edge_type,
        property_links: source.property_links,
        ..Source::default()
    }
}

/// A refresh as its readers see it at an instant: one that nobody renews any more does not run.
pub(crate) fn refresh_message(names: &Names, row: &RefreshRow, now: Timestamp) -> Result<Refresh, Error> {
    let report =
        Refresh::decode(row.report.as_ref()).map_err(|error| Error::damaged(&names.source(), error))?;
    let dead = row.state == RefreshState::Running && row.lease_until < now;
    let state = match row.state {
        RefreshState::Running if dead => State::Interrupted,
        RefreshState::Running => State::Running,
        RefreshState::Succeeded => State::Succeeded,
        RefreshState::Failed => State::Failed,
        RefreshState::Cancelled => State::Cancelled,
        RefreshState::Interrupted => State::Interrupted,
    };
    let ended = if dead { Some(row.lease_until) } else { row.ended };
    Ok(Refresh {
        name: refresh_name(names, row.number),
        uid: format!("{}-{}", row.source_uid, row.number),
        state: state.into(),
        actor: row.actor.clone(),
        create_time: Some(row.started.into()),
        end_time: ended.map(Into::into),
        ..report
    })
}
