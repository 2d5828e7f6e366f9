//! What was found, as deliveries and the places after them.

use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;
use weft_proto::weft::{
    execution::v1::{FindExecutionEndsResponse, FindTopicMessagesResponse},
    telemetry::v1::Alert,
    trigger::v1::{DeliveryCause, trigger::Source},
};
use weft_store::{DeliveryRow, shard_of};

use super::{
    RETRY,
    read::Reading,
    watched::{Book, Watched},
};
use crate::{
    domain::{
        alert,
        found::{self, Finder},
        place::Place,
    },
    state::State,
};

/// What a trigger has found, and where it is then.
pub(super) struct Step {
    pub(super) uid: Uuid,
    /// Where it is on disk.
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) deliveries: Vec<DeliveryRow>,
}

impl Step {
    /// To where a trigger is in memory, with what it has found on the way.
    pub(super) fn of(watched: &Watched, deliveries: Vec<DeliveryRow>) -> Self {
        Self { uid: watched.uid, from: watched.saved.clone(), to: watched.place.clone(), deliveries }
    }
}

/// What has ended, for each trigger that waits for it.
pub(super) fn ends(
    state: &State,
    book: &mut Book,
    (shard, found): (i32, &FindExecutionEndsResponse),
) -> Vec<Step> {
    let maker = state.maker();
    let max_depth = i32::try_from(state.options.max_depth).unwrap_or(i32::MAX);
    let mut steps = Vec::new();
    for watched in book.of_ends().filter(|watched| shard_of(&watched.project, found.shard_count) == shard) {
        let Some(Source::ExecutionEnd(source)) = &watched.trigger.source else { continue };
        let after = watched.place.number;
        let mut finder = Finder {
            maker: &maker,
            trigger: watched.uid,
            cause: DeliveryCause::ExecutionEnd,
            pace: &mut watched.pace,
            per_second: state.options.max_events_per_second,
        };
        let mut deliveries = Vec::new();
        if found.forgotten_number > after {
            deliveries.push(finder.missed(after, found.forgotten_number));
        }
        for end in found.ends.iter().filter(|end| end.number > after) {
            if let Some(execution) = &end.execution
                && found::is_wanted(end, &watched.trigger, source, &watched.project)
            {
                deliveries.push(finder.end(end.number, execution, max_depth));
            }
        }
        watched.place.number = after.max(found.last_number);
        if !deliveries.is_empty() {
            steps.push(Step::of(watched, deliveries));
        }
    }
    steps
}

/// What was published, for each trigger that waits for it.
pub(super) fn messages(
    state: &State,
    book: &mut Book,
    (shard, found): (i32, &FindTopicMessagesResponse),
) -> Vec<Step> {
    let maker = state.maker();
    let max_depth = i32::try_from(state.options.max_depth).unwrap_or(i32::MAX);
    let mut steps = Vec::new();
    for watched in book.of_messages().filter(|watched| shard_of(&watched.project, found.shard_count) == shard)
    {
        let Some(topic) = watched.topic() else { continue };
        let after = watched.place.number;
        let mut finder = Finder {
            maker: &maker,
            trigger: watched.uid,
            cause: DeliveryCause::Message,
            pace: &mut watched.pace,
            per_second: state.options.max_events_per_second,
        };
        let mut deliveries = Vec::new();
        if found.forgotten_number > after {
            deliveries.push(finder.missed(after, found.forgotten_number));
        }
        for message in found.messages.iter().filter(|message| message.number > after) {
            if message.topic == topic {
                deliveries.push(finder.message(message, max_depth));
            }
        }
        watched.place.number = after.max(found.last_number);
        if !deliveries.is_empty() {
            steps.push(Step::of(watched, deliveries));
        }
    }
    steps
}

/// What is news among the alerts of a project, for each trigger that waits for it.
pub(super) fn alerts(state: &State, book: &mut Book, project: &str, alerts: &[Alert]) -> Vec<Step> {
    let maker = state.maker();
    let mut steps = Vec::new();
    for watched in book.of_alerts(project) {
        let Some(Source::Alert(source)) = &watched.trigger.source else { continue };
        let (news, place) = alert::news(&watched.place, alerts, source);
        let mut finder = Finder {
            maker: &maker,
            trigger: watched.uid,
            cause: DeliveryCause::Alert,
            pace: &mut watched.pace,
            per_second: state.options.max_events_per_second,
        };
        let deliveries: Vec<DeliveryRow> = news.into_iter().map(|alert| finder.alert(alert)).collect();
        watched.place = place;
        if !deliveries.is_empty() {
            steps.push(Step::of(watched, deliveries));
        }
    }
    steps
}

/// What has become of a graph since a place, for the trigger that was there.
pub(super) fn graph(
    state: &State,
    watched: &mut Watched,
    from: &Place,
    reading: Result<Reading, Status>,
) -> Option<Step> {
    watched.is_reading = false;
    // Elsewhere it was changed meanwhile, and watches from there.
    let wanted = watched.change().filter(|_| watched.place == *from).cloned()?;
    let maker = state.maker();
    let mut finder = Finder {
        maker: &maker,
        trigger: watched.uid,
        cause: DeliveryCause::GraphChange,
        pace: &mut watched.pace,
        per_second: state.options.max_events_per_second,
    };
    let mut deliveries = Vec::new();
    let mut to = from.clone();
    match reading {
        Ok(Reading::Changes(changes)) => {
            to.number = to.number.max(changes.last);
            if changes.is_wanted(&wanted) {
                deliveries.push(finder.changes(&wanted.graph, &from.uid, &changes));
            }
        }
        Ok(Reading::Elsewhere(place)) => {
            if place.uid == from.uid && place.number > from.number {
                deliveries.push(finder.missed(from.number, place.number));
            }
            to = place;
        }
        Ok(Reading::Gone) => {
            watched.heard = from.number;
            return None;
        }
        Err(status) => {
            tracing::debug!(trigger = %watched.uid, %status, "a graph cannot be read; it is tried again");
            watched.due = Some(Instant::now() + RETRY);
            return None;
        }
    }
    let is_other = to.uid != from.uid;
    if is_other || to == *from {
        // What was heard was of another graph, or is not there: the next notice says more.
        watched.heard = to.number;
    } else if watched.heard == i64::MAX {
        // What was heard while it was read is not known: it is looked once more.
        watched.heard = to.number + 1;
    }
    watched.place = to;
    // Of another graph all is yet to be read.
    watched.hear(if is_other { i64::MAX } else { watched.place.number });
    (is_other || !deliveries.is_empty()).then(|| Step::of(watched, deliveries))
}
