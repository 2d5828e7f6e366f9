//! Reads what has become of a graph since a place, and the alerts that there are.

use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_proto::weft::{
    graph::v1::{GetGraphRequest, WatchGraphRequest, watch_graph_response::Event},
    telemetry::v1::{Alert, ListAlertsRequest},
    trigger::v1::GraphChangeSource,
};

use crate::{
    domain::{change::Changes, place::Place},
    state::State,
};

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes after which it is enough for one delivery.
const ENOUGH: usize = 8 << 20;
/// Alerts of a project that are looked at.
const MOST_ALERTS: i32 = 10_000;

/// What a look at a graph has found.
pub(super) enum Reading {
    /// Changes, or none.
    Changes(Box<Changes>),
    /// What came after the place is not kept any more, or is of another graph: it goes on there.
    Elsewhere(Place),
    /// There is no such graph.
    Gone,
}

/// Reads on from a place.
pub(super) async fn read(
    state: &State,
    wanted: &GraphChangeSource,
    place: &Place,
) -> Result<Reading, Status> {
    let looked = tokio::time::timeout(PATIENCE, changes(state, wanted, place)).await;
    match looked.map_err(|_| Status::deadline_exceeded("the graph was not told in time"))? {
        Ok(changes) => Ok(Reading::Changes(Box::new(changes))),
        Err(status) if matches!(status.code(), Code::OutOfRange | Code::NotFound) => {
            head(state, &wanted.graph, place, &status).await
        }
        Err(status) => Err(status),
    }
}

async fn changes(state: &State, wanted: &GraphChangeSource, place: &Place) -> Result<Changes, Status> {
    let request = WatchGraphRequest {
        graph: wanted.graph.clone(),
        after_revision: Some(place.number),
        graph_uid: place.uid.clone(),
    };
    let mut events = state.graphs.clone().watch_graph(request).await?.into_inner();
    let (mut changes, mut bytes) = (Changes::default(), 0);
    while let Some(message) = events.message().await? {
        match message.event {
            Some(Event::Changes(part)) => {
                bytes += part.encoded_len();
                changes.add(&part, wanted);
                if part.last_part && (changes.is_enough() || bytes >= ENOUGH) {
                    break;
                }
            }
            Some(Event::CaughtUpRevision(_)) => break,
            None => {}
        }
    }
    Ok(changes)
}

/// Alerts of a project; nothing where the rules were not evaluated yet. More than one answer has, the least of them, are left out.
pub(super) async fn alerts(state: &State, parent: String) -> Result<Option<Vec<Alert>>, Status> {
    let request = ListAlertsRequest { parent, page_size: MOST_ALERTS, ..ListAlertsRequest::default() };
    let found = state.alerts.clone().list_alerts(request).await?.into_inner();
    Ok(found.evaluate_time.is_some().then_some(found.alerts))
}

/// Where it goes on with a graph whose changes since a place cannot be told.
async fn head(state: &State, graph: &str, place: &Place, why: &Status) -> Result<Reading, Status> {
    let request = GetGraphRequest { name: graph.to_owned() };
    match state.graphs.clone().get_graph(request).await {
        Ok(found) => {
            let found = found.into_inner();
            if found.uid != place.uid {
                // Another graph of that name: all of it is new.
                return Ok(Reading::Elsewhere(Place { uid: found.uid, ..Place::default() }));
            }
            let reason = why.get_details_error_info().map(|info| info.reason).unwrap_or_default();
            tracing::info!(graph, reason, "changes of a graph are not kept any more");
            Ok(Reading::Elsewhere(Place { number: found.revision, ..place.clone() }))
        }
        Err(status) if status.code() == Code::NotFound => Ok(Reading::Gone),
        Err(status) => Err(status),
    }
}
