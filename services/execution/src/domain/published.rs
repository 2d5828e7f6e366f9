//! What steps publish: how large it may be, and how it is written down.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use serde_json::{Value as Json, json};
use weft_kit::json;
use weft_proto::weft::execution::v1::TopicMessage;
use weft_store::{ExecutionMessage, NewExecution, NewExecutionMessage, Timestamp};

use super::{fault::StepError, message, name};

/// Largest message, in bytes as JSON.
pub(crate) const LARGEST: usize = 64 << 10;

/// Something that a step publishes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Published {
    pub(crate) topic: Arc<str>,
    /// As JSON.
    pub(crate) value: Bytes,
    /// The path of the step.
    pub(crate) step: String,
    pub(crate) at: i64,
}

/// What the store keeps of a message beside its topic.
#[derive(Clone, PartialEq, Message)]
struct Kept {
    /// Id of the run.
    #[prost(string, tag = "1")]
    execution: String,
    #[prost(string, tag = "2")]
    graph: String,
    #[prost(string, tag = "3")]
    step: String,
    #[prost(int32, tag = "4")]
    depth: i32,
    #[prost(bytes = "bytes", tag = "5")]
    value: Bytes,
}

/// A value as it is published, if it is neither too large nor nested too deep for a run that is given it.
pub(crate) fn written(value: &Json) -> Result<Bytes, StepError> {
    // As a run is given it, unless its trigger says otherwise.
    if json::is_too_deep(&json!({"event": {"data": {"value": value}}})) {
        return Err(StepError::new("MESSAGE_TOO_DEEP", "what it publishes is nested too deep"));
    }
    match serde_json::to_vec(value) {
        Ok(bytes) if bytes.len() <= LARGEST => Ok(bytes.into()),
        _ => {
            let problem =
                format!("what it publishes has more than {LARGEST} bytes: publish where it lies instead");
            Err(StepError::new("MESSAGE_TOO_LARGE", problem))
        }
    }
}

impl Published {
    /// As a row, of a step of that run.
    pub(crate) fn row(self, execution: &NewExecution) -> NewExecutionMessage {
        let kept = Kept {
            execution: message::id_of(execution),
            graph: execution.graph.clone(),
            step: self.step,
            depth: message::head(&execution.head).depth,
            value: self.value,
        };
        NewExecutionMessage {
            project: execution.project.clone(),
            topic: self.topic.to_string(),
            bytes: kept.encode_to_vec().into(),
            at: Timestamp::from_micros(self.at),
        }
    }
}

/// A message of the store as the trigger service sees it.
pub(crate) fn shown(row: ExecutionMessage) -> TopicMessage {
    let ExecutionMessage { number, message: NewExecutionMessage { project, topic, bytes, at } } = row;
    let kept = Kept::decode(bytes).unwrap_or_default();
    let value: Json = serde_json::from_slice(&kept.value).unwrap_or_default();
    TopicMessage {
        number,
        topic: name::of_topic(&project, &topic),
        execution: name::of_execution(&project, &kept.execution),
        graph: format!("projects/{project}/graphs/{}", kept.graph),
        step: kept.step,
        depth: kept.depth,
        publish_time: Some(at.into()),
        value: Some(message::value(&value)),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use weft_proto::weft::execution::v1::TopicMessage;

    use super::*;

    #[test]
    fn messages_have_bounds() {
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(written(&json!({"a": 1})), Ok(Bytes::from_static(br#"{"a":1}"#)));
        assert!(written(&nested(29)).is_ok());
        assert_eq!(written(&nested(30)).unwrap_err().reason, "MESSAGE_TOO_DEEP");
        assert!(written(&json!("x".repeat(LARGEST - 2))).is_ok());
        assert_eq!(written(&json!("x".repeat(LARGEST - 1))).unwrap_err().reason, "MESSAGE_TOO_LARGE");
    }

    #[test]
    fn a_message_is_read_as_it_was_published() {
        let head = message::Head { depth: 3, ..message::Head::default() };
        let execution = NewExecution {
            id: 7,
            project: "p".into(),
            name: None,
            uid: Uuid::nil(),
            graph: "g".into(),
            revision: 1,
            definition: 1,
            head: head.encode_to_vec().into(),
            request: None,
            at: Timestamp::from_micros(1),
        };
        let value = json!({"total": 42, "of": [null, "x", 1.5]});
        let told = Published {
            topic: "orders.paid".into(),
            value: written(&value).unwrap(),
            step: "each/2/tell".into(),
            at: 1_800_000_000_000_000,
        };
        let shown = shown(ExecutionMessage { number: 9, message: told.row(&execution) });
        let expected = TopicMessage {
            number: 9,
            topic: "projects/p/topics/orders.paid".into(),
            execution: "projects/p/executions/x7".into(),
            graph: "projects/p/graphs/g".into(),
            step: "each/2/tell".into(),
            depth: 3,
            publish_time: Some(Timestamp::from_micros(1_800_000_000_000_000).into()),
            value: Some(message::value(&value)),
        };
        assert_eq!(shown, expected);
    }
}
