//! A test of a trigger: a delivery as it would have come from its source, and that says what it is.

use std::collections::HashMap;

use prost_types::Struct;
use weft_kit::json;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryCause, Trigger, trigger::Source};
use weft_store::Timestamp;

use super::kept::KeptEvent;

/// What somebody has made up.
pub(crate) struct Made {
    pub(crate) event_type: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Struct,
}

/// The delivery of it, and what its run is made of.
pub(crate) fn as_it_would_come(trigger: &Trigger, made: Made, now: Timestamp) -> (Delivery, KeptEvent) {
    let cause = match &trigger.source {
        Some(Source::Webhook(_)) | None => DeliveryCause::Webhook,
        Some(Source::Schedule(_)) => DeliveryCause::Manual,
        Some(Source::ExecutionEnd(_)) => DeliveryCause::ExecutionEnd,
        Some(Source::GraphChange(_)) => DeliveryCause::GraphChange,
        Some(Source::Alert(_)) => DeliveryCause::Alert,
        Some(Source::Message(_)) => DeliveryCause::Message,
    };
    let mut event = KeptEvent::default();
    if cause == DeliveryCause::Manual {
        // A tick has no body, and would wait for the run before it: its test is a run by hand.
        event.body = prost::Message::encode_to_vec(&made.body).into();
    } else {
        event.body = json::of_struct(&made.body).to_string().into();
    }
    if cause == DeliveryCause::Webhook {
        event.headers = made.headers.into_iter().collect();
        event.headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
    }
    let head = Delivery {
        cause: cause.into(),
        test: true,
        event_type: made.event_type,
        event_id: format!("test-{}", now.as_micros()),
        body_bytes: i32::try_from(event.body.len()).unwrap_or(i32::MAX),
        ..Delivery::default()
    };
    (head, event)
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::trigger::v1::{AlertSource, ScheduleSource, WebhookSource};

    use super::*;
    use crate::domain::event;

    #[test]
    fn a_test_is_as_if_it_had_come() {
        let seen = |source: Source, body: serde_json::Value, headers: &[(&str, &str)]| {
            let trigger = Trigger { source: Some(source), ..Trigger::default() };
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let made = Made {
                event_type: "push".to_owned(),
                headers: headers.collect(),
                body: json::to_struct(body),
            };
            let (head, kept) = as_it_would_come(&trigger, made, Timestamp::from_micros(7));
            assert!(head.test);
            event::of("d", &head, &kept)
        };
        let body = serde_json::json!({"source": "s", "data": {"n": 1}});
        let hook = seen(Source::Webhook(WebhookSource::default()), body.clone(), &[("x-a", "b")]);
        assert_eq!(
            (&hook["cause"], &hook["type"], &hook["body"]),
            (&"webhook".into(), &"push".into(), &body)
        );
        assert_eq!(hook["headers"], serde_json::json!({"content-type": "application/json", "x-a": "b"}));
        let alert = seen(Source::Alert(AlertSource::default()), body.clone(), &[]);
        assert_eq!(
            (&alert["cause"], &alert["source"], &alert["data"]["n"]),
            (&"alert".into(), &"s".into(), &1.into())
        );
        let tick = seen(Source::Schedule(ScheduleSource::default()), body.clone(), &[]);
        assert_eq!((&tick["cause"], &tick["body"]), (&"manual".into(), &body));
    }
}
