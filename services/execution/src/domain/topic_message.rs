//! How what a step has published is written down, and told to the trigger service.

use bytes::Bytes;
use prost::Message;
use serde_json::Value as Json;
use weft_proto::weft::execution::v1::TopicMessage;
use weft_store::{ExecutionMessage, NewExecution, NewExecutionMessage, Timestamp};

use super::{message, name, published::Published};

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

/// What was published as a row, of a step of that run.
pub(crate) fn row(published: Published, execution: &NewExecution) -> NewExecutionMessage {
    let kept = Kept {
        execution: message::id_of(execution),
        graph: execution.graph.clone(),
        step: published.step,
        depth: message::head(&execution.head).depth,
        value: published.value,
    };
    NewExecutionMessage {
        project: execution.project.clone(),
        topic: published.topic.to_string(),
        bytes: kept.encode_to_vec().into(),
        at: Timestamp::from_micros(published.at),
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
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::published::written;

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
        let shown = shown(ExecutionMessage { number: 9, message: row(told, &execution) });
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
