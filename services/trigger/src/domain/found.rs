//! Events as deliveries: what is found where a trigger watches.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value as Json, json};
use uuid::Uuid;
use weft_proto::weft::{
    execution::v1::{Execution, ExecutionEnd, ExecutionState, TopicMessage},
    telemetry::v1::Alert,
    trigger::v1::{Delivery, DeliveryCause, DeliveryState, ExecutionEndSource, Trigger},
};
use weft_store::{DeliveryRow, Timestamp};

use super::{
    alert,
    change::Changes,
    delivery::{Maker, Same},
    kept::KeptEvent,
    place::Pace,
};

/// What is common to all events of one trigger.
pub(crate) struct Finder<'f> {
    pub(crate) maker: &'f Maker<'f>,
    pub(crate) trigger: Uuid,
    pub(crate) cause: DeliveryCause,
    pub(crate) pace: &'f mut Pace,
    /// Events that may start in a second.
    pub(crate) per_second: u32,
}

/// One event.
struct Event {
    id: String,
    kind: String,
    source: String,
    data: Json,
    /// How many runs led to it.
    depth: i32,
}

impl Finder<'_> {
    /// The delivery of an end of a run. `max_depth`: how many runs may lead to one.
    pub(crate) fn end(&mut self, number: i64, execution: &Execution, max_depth: i32) -> DeliveryRow {
        let event = Event {
            id: number.to_string(),
            kind: format!("execution.{}", state_word(execution.state())),
            source: execution.name.clone(),
            data: end_as_json(execution),
            depth: execution.depth.saturating_add(1),
        };
        let same = format!("end/{number}");
        if execution.name.is_empty() {
            let message = "the run was deleted before its end was looked at";
            return self.idle(&Same::Event(&same), &event, DeliveryState::Skipped, ("EVENT_MISSED", message));
        }
        self.bounded(&Same::Event(&same), &event, max_depth)
    }

    /// The delivery of a message. `max_depth`: how many runs may lead to one.
    pub(crate) fn message(&mut self, message: &TopicMessage, max_depth: i32) -> DeliveryRow {
        let event = Event {
            id: message.number.to_string(),
            kind: "message.published".to_owned(),
            source: message.execution.clone(),
            data: message_as_json(message),
            depth: message.depth.saturating_add(1),
        };
        self.bounded(&Same::Event(&format!("message/{}", message.number)), &event, max_depth)
    }

    /// The delivery of changes of a graph.
    pub(crate) fn changes(&mut self, graph: &str, uid: &str, changes: &Changes) -> DeliveryRow {
        let event = Event {
            id: format!("{uid}/{}-{}", changes.first, changes.last),
            kind: "graph.changed".to_owned(),
            source: graph.to_owned(),
            data: changes.as_json(graph),
            depth: 0,
        };
        // Whoever looks from there again may find more, and it is the same all the same.
        self.pending(&Same::Event(&format!("graph/{uid}/{}", changes.first)), &event)
    }

    /// The delivery of an alert.
    pub(crate) fn alert(&mut self, alert: &Alert) -> DeliveryRow {
        let id = alert::id_of(alert);
        let event = Event {
            kind: format!("alert.{}", alert::state_word(alert.state())),
            source: alert.alert_rule.clone(),
            data: alert_as_json(alert),
            depth: 0,
            id: id.clone(),
        };
        self.pending(&Same::Event(&format!("alert/{id}")), &event)
    }

    /// That what was between two places is not kept any more.
    pub(crate) fn missed(&self, after: i64, until: i64) -> DeliveryRow {
        let message =
            format!("those from {} to {until} were forgotten before they were looked at", after + 1);
        let head = Delivery {
            cause: self.cause.into(),
            reason: "EVENT_MISSED".to_owned(),
            message,
            ..Delivery::default()
        };
        let same = format!("missed/{after}");
        self.maker.idle(self.trigger, &Same::Event(&same), &head, DeliveryState::Skipped)
    }

    /// Of what a run did: not where too many runs have led to that one.
    fn bounded(&mut self, same: &Same<'_>, event: &Event, max_depth: i32) -> DeliveryRow {
        if event.depth > max_depth {
            let message = format!("more than {max_depth} runs have led to it, each by the one before");
            return self.idle(same, event, DeliveryState::Skipped, ("TOO_DEEP", &message));
        }
        self.pending(same, event)
    }

    fn pending(&mut self, same: &Same<'_>, event: &Event) -> DeliveryRow {
        let now = self.maker.now.as_micros();
        let Some(turn) = self.pace.turn(now, self.per_second) else {
            // One of a minute is noted: the disk must not be filled by what is refused.
            let minute = now / 60_000_000;
            let message =
                format!("it would wait longer than ten minutes: {} start in a second", self.per_second);
            let same = format!("flood/{minute}");
            let reason = ("TOO_MANY_EVENTS", &message[..]);
            return self.idle(&Same::Event(&same), event, DeliveryState::Refused, reason);
        };
        let body = json!({ "source": event.source, "data": event.data }).to_string();
        let kept = KeptEvent { body: body.into(), depth: event.depth, ..KeptEvent::default() };
        let head =
            Delivery { body_bytes: i32::try_from(kept.body.len()).unwrap_or(i32::MAX), ..self.head(event) };
        self.maker.pending((self.trigger, same), &head, &kept, Timestamp::from_micros(turn))
    }

    fn idle(
        &self,
        same: &Same<'_>,
        event: &Event,
        state: DeliveryState,
        (reason, message): (&str, &str),
    ) -> DeliveryRow {
        let head = Delivery { reason: reason.to_owned(), message: message.to_owned(), ..self.head(event) };
        self.maker.idle(self.trigger, same, &head, state)
    }

    fn head(&self, event: &Event) -> Delivery {
        Delivery {
            cause: self.cause.into(),
            event_id: event.id.clone(),
            event_type: event.kind.clone(),
            ..Delivery::default()
        }
    }
}

/// Whether a trigger wants to know of an end.
pub(crate) fn is_wanted(
    end: &ExecutionEnd,
    trigger: &Trigger,
    source: &ExecutionEndSource,
    project: &str,
) -> bool {
    let Some(execution) = &end.execution else { return false };
    let is_here = weft_kit::project_of(&execution.graph) == Some(project);
    let is_graph = source.graph.is_empty() || source.graph == execution.graph;
    let is_state = source.states.is_empty() || source.states.contains(&execution.state);
    let is_own = execution.graph == trigger.graph && !source.include_own_runs;
    is_here && is_graph && is_state && !is_own
}

/// A state as events say it.
fn state_word(state: ExecutionState) -> String {
    state.as_str_name().trim_start_matches("EXECUTION_STATE_").to_lowercase()
}

fn end_as_json(execution: &Execution) -> Json {
    let time = |time: &Option<prost_types::Timestamp>| json!(time.as_ref().map(ToString::to_string));
    json!({
        "execution": execution.name,
        "uid": execution.uid,
        "graph": execution.graph,
        "graph_revision": execution.graph_revision,
        "display_name": execution.display_name,
        "state": state_word(execution.state()),
        "reason": execution.error.as_ref().map_or("", |error| &error.reason),
        "creator": execution.creator,
        "create_time": time(&execution.create_time),
        "end_time": time(&execution.end_time),
        "step_count": execution.step_count,
        "retry_count": execution.retry_count,
        "depth": execution.depth,
    })
}

fn message_as_json(message: &TopicMessage) -> Json {
    json!({
        "topic": message.topic.rsplit('/').next().unwrap_or_default(),
        "value": message.value.as_ref().map(weft_kit::json::of_value),
        "execution": message.execution,
        "graph": message.graph,
        "step": message.step,
        "publish_time": message.publish_time.as_ref().map(ToString::to_string),
        "depth": message.depth,
    })
}

fn alert_as_json(alert: &Alert) -> Json {
    let time = |time: &Option<prost_types::Timestamp>| json!(time.as_ref().map(ToString::to_string));
    let sorted = |all: &HashMap<String, String>| json!(all.iter().collect::<BTreeMap<_, _>>());
    json!({
        "alert_rule": alert.alert_rule,
        "fingerprint": alert.fingerprint,
        "state": alert::state_word(alert.state()),
        "severity": alert.severity().as_str_name().trim_start_matches("ALERT_SEVERITY_").to_lowercase(),
        "labels": sorted(&alert.labels),
        "annotations": sorted(&alert.annotations),
        // JSON has no word for infinity.
        "value": if alert.value.is_finite() { json!(alert.value) } else { json!(alert.value.to_string()) },
        "active_time": time(&alert.active_time),
        "fire_time": time(&alert.fire_time),
        "resolve_time": time(&alert.resolve_time),
    })
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use weft_kit::Ids;

    use super::*;
    use crate::domain::{event, kept};

    const GRAPH: &str = "projects/p/graphs/g";

    fn ended(state: ExecutionState, depth: i32) -> Execution {
        Execution {
            name: "projects/p/executions/x1".into(),
            graph: GRAPH.into(),
            state: state.into(),
            depth,
            ..Execution::default()
        }
    }

    fn found(execution: &Execution, pace: &mut Pace) -> DeliveryRow {
        let maker = Maker {
            ids: &Ids::seeded(1),
            now: Timestamp::from_micros(1_800_000_000_000_000),
            retention: Duration::from_secs(1),
            made: Cell::new(0),
        };
        let cause = DeliveryCause::ExecutionEnd;
        Finder { maker: &maker, trigger: Uuid::nil(), cause, pace, per_second: 1 }.end(7, execution, 3)
    }

    #[test]
    fn an_end_is_an_event() {
        let row = found(&ended(ExecutionState::Failed, 2), &mut Pace::default());
        assert_eq!(row.wake, Some(Timestamp::from_micros(1_800_000_000_000_000)));
        let event = event::of("d", &kept::head(&row).unwrap(), &kept::event(&row).unwrap());
        assert_eq!((&event["cause"], &event["type"]), (&json!("execution_end"), &json!("execution.failed")));
        assert_eq!((&event["id"], &event["source"]), (&json!("7"), &json!("projects/p/executions/x1")));
        assert_eq!((&event["data"]["graph"], &event["data"]["state"]), (&json!(GRAPH), &json!("failed")));
        assert_eq!(kept::event(&row).unwrap().depth, 3);
    }

    #[test]
    fn a_message_is_an_event() {
        let maker = Maker {
            ids: &Ids::seeded(1),
            now: Timestamp::from_micros(1_800_000_000_000_000),
            retention: Duration::from_secs(1),
            made: Cell::new(0),
        };
        let cause = DeliveryCause::Message;
        let mut pace = Pace::default();
        let mut finder =
            Finder { maker: &maker, trigger: Uuid::nil(), cause, pace: &mut pace, per_second: 1 };
        let value = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(42.0)) };
        let message = TopicMessage {
            number: 7,
            topic: "projects/p/topics/orders.paid".into(),
            execution: "projects/p/executions/x1".into(),
            graph: GRAPH.into(),
            step: "tell".into(),
            depth: 2,
            publish_time: Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 }),
            value: Some(value),
        };
        let row = finder.message(&message, 3);
        let event = event::of("d", &kept::head(&row).unwrap(), &kept::event(&row).unwrap());
        assert_eq!((&event["cause"], &event["type"]), (&json!("message"), &json!("message.published")));
        assert_eq!((&event["id"], &event["source"]), (&json!("7"), &json!("projects/p/executions/x1")));
        let data = json!({
            "topic": "orders.paid",
            "value": 42,
            "execution": "projects/p/executions/x1",
            "graph": GRAPH,
            "step": "tell",
            "publish_time": "2027-01-15T08:00:00Z",
            "depth": 2,
        });
        assert_eq!(event["data"], data);
        assert_eq!(kept::event(&row).unwrap().depth, 3);
        // The same one is the same delivery, whoever looks.
        assert_eq!(finder.message(&message, 3).dedup, row.dedup);
        let deep = finder.message(&TopicMessage { depth: 3, ..message }, 3);
        assert_eq!((deep.wake, &kept::head(&deep).unwrap().reason[..]), (None, "TOO_DEEP"));
    }

    #[test]
    fn what_starts_nothing_says_why() {
        let reason = |execution: &Execution, pace: &mut Pace| {
            let row = found(execution, pace);
            (row.wake.is_some(), kept::head(&row).unwrap().reason)
        };
        let fresh = Pace::default;
        let well = ended(ExecutionState::Succeeded, 0);
        assert_eq!(reason(&well, &mut fresh()), (true, String::new()));
        assert_eq!(reason(&Execution { depth: 3, ..well.clone() }, &mut fresh()), (false, "TOO_DEEP".into()));
        let gone = Execution { name: String::new(), ..well.clone() };
        assert_eq!(reason(&gone, &mut fresh()), (false, "EVENT_MISSED".into()));
        let mut pace = fresh();
        while reason(&well, &mut pace).0 {}
        assert_eq!(reason(&well, &mut pace), (false, "TOO_MANY_EVENTS".into()));
    }

    #[test]
    fn ends_are_wanted_by_graph_state_and_whose_they_are() {
        let end = ExecutionEnd { number: 1, execution: Some(ended(ExecutionState::Failed, 0)) };
        let other = Trigger { graph: "projects/p/graphs/other".into(), ..Trigger::default() };
        let own = Trigger { graph: GRAPH.into(), ..Trigger::default() };
        let any = ExecutionEndSource::default();
        assert!(is_wanted(&end, &other, &any, "p"));
        assert!(!is_wanted(&end, &other, &any, "q"));
        assert!(!is_wanted(&end, &own, &any, "p"));
        assert!(is_wanted(&end, &own, &ExecutionEndSource { include_own_runs: true, ..any.clone() }, "p"));
        let failed = ExecutionEndSource { states: vec![ExecutionState::Failed.into()], ..any.clone() };
        let well = ExecutionEndSource { states: vec![ExecutionState::Succeeded.into()], ..any.clone() };
        assert!(is_wanted(&end, &other, &failed, "p") && !is_wanted(&end, &other, &well, "p"));
        let elsewhere = ExecutionEndSource { graph: "projects/p/graphs/h".into(), ..any };
        assert!(!is_wanted(&end, &other, &elsewhere, "p"));
    }
}
