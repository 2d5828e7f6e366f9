//! How events are written down: those of one flush in one row, small ones in a few bytes.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use serde_json::Value as Json;

use super::{
    event::{Event, Value, Wait},
    fault::StepError,
};

/// Values that take more bytes than this lie in the object store, and the row has their key.
pub(crate) const INLINE: usize = 64 << 10;

#[derive(Clone, PartialEq, Message)]
struct Row {
    /// The instant of the first event.
    #[prost(sint64, tag = "1")]
    at: i64,
    #[prost(message, repeated, tag = "2")]
    events: Vec<Record>,
}

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(uint32, tag = "1")]
    what: u32,
    /// Microseconds since the row's instant.
    #[prost(sint64, tag = "2")]
    after: i64,
    #[prost(uint32, tag = "3")]
    step: u32,
    #[prost(string, tag = "4")]
    text: String,
    #[prost(bytes = "bytes", optional, tag = "5")]
    value: Option<Bytes>,
    #[prost(sint64, optional, tag = "6")]
    time: Option<i64>,
    #[prost(string, tag = "7")]
    message: String,
    #[prost(string, tag = "8")]
    object: String,
}

/// A row of a journal, and the large values that must be in the object store before it.
pub(crate) struct Written {
    pub(crate) row: Bytes,
    pub(crate) objects: Vec<(String, Bytes)>,
}

/// Writes events with their instants; large values get keys that begin with `prefix`. They are written before the row that
/// names them is refused to an owner that is none any more, so whose epoch it is is in them: no owner's are another's.
pub(crate) fn write(events: &[(i64, Event)], prefix: &str, (epoch, sequence): (i64, i64)) -> Written {
    let at = events.first().map_or(0, |(at, _)| *at);
    let mut objects = Vec::new();
    let mut row = Row { at, events: Vec::with_capacity(events.len()) };
    for (number, (time, event)) in events.iter().enumerate() {
        let mut record = record(event);
        record.after = time - at;
        if let Some(value) = record.value.take_if(|value| value.len() > INLINE) {
            record.object = format!("{prefix}/{epoch}-{sequence}-{number}");
            objects.push((record.object.clone(), value));
        }
        row.events.push(record);
    }
    Written { row: row.encode_to_vec().into(), objects }
}

/// The keys of a row's large values.
pub(crate) fn objects(row: &Bytes) -> Result<Vec<String>, prost::DecodeError> {
    let row = Row::decode(row.clone())?;
    let keys = row.events.into_iter().map(|record| record.object);
    Ok(keys.filter(|key| !key.is_empty()).collect())
}

/// Reads a row; `object` gives the large values.
pub(crate) fn read(row: &Bytes, object: &dyn Fn(&str) -> Option<Bytes>) -> Option<Vec<(i64, Event)>> {
    let Row { at, events } = Row::decode(row.clone()).ok()?;
    let event = |mut record: Record| {
        if !record.object.is_empty() {
            record.value = Some(object(&record.object)?);
        }
        Some((at + record.after, event(record)?))
    };
    events.into_iter().map(event).collect()
}

fn json(value: &Json) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn record(event: &Event) -> Record {
    let mut record = Record::default();
    let value = |value: &Option<Value>| value.as_ref().map(|value| json(value));
    record.what = match event {
        Event::Began { input } => {
            record.value = Some(json(input));
            1
        }
        Event::Gave { step, port, value: given } => {
            record.step = *step;
            record.text = port.clone().unwrap_or_default();
            record.value = value(given);
            2
        }
        Event::Failed { step, error, again_at } => {
            record.step = *step;
            record.text.clone_from(&error.reason);
            record.message.clone_from(&error.message);
            record.time = *again_at;
            3
        }
        Event::Waits { step, wait } => {
            record.step = *step;
            record.value = Some(serde_json::to_vec(wait).unwrap_or_default().into());
            4
        }
        Event::Entered { step, value: given } => {
            record.step = *step;
            record.value = value(given);
            5
        }
        Event::Round { step } => {
            record.step = *step;
            6
        }
        Event::Signal { name, value, once } => {
            record.text.clone_from(name);
            record.message = once.clone().unwrap_or_default();
            record.value = Some(json(value));
            7
        }
        Event::Paused => 8,
        Event::Resumed => 9,
        Event::Cancelled => 10,
        Event::Terminated => 11,
        Event::TimedOut => 12,
        Event::Retried { from, definition, once } => {
            record.message = once.clone().unwrap_or_default();
            record.step = from.unwrap_or(0);
            record.time = *definition;
            13
        }
        Event::Queued => 14,
        Event::Started => 15,
        Event::Recalled { step, value: given, from } => {
            record.step = *step;
            record.text.clone_from(from);
            record.value = value(given);
            17
        }
        Event::Dropped { error } => {
            record.text.clone_from(&error.reason);
            record.message.clone_from(&error.message);
            16
        }
    };
    record
}

fn event(record: Record) -> Option<Event> {
    let Record { what, step, text, value, time, message, .. } = record;
    let value = || -> Option<Option<Value>> {
        match &value {
            None => Some(None),
            Some(bytes) => Some(Some(Arc::new(serde_json::from_slice(bytes).ok()?))),
        }
    };
    let once = || Some(message.clone()).filter(|once| !once.is_empty());
    Some(match what {
        1 => Event::Began { input: value()?? },
        2 => Event::Gave { step, port: Some(text).filter(|port| !port.is_empty()), value: value()? },
        3 => Event::Failed { step, error: StepError::new(text, message), again_at: time },
        4 => {
            let wait: Wait = serde_json::from_value(value()??.as_ref().clone()).ok()?;
            Event::Waits { step, wait }
        }
        5 => Event::Entered { step, value: value()? },
        6 => Event::Round { step },
        7 => Event::Signal { name: text, value: value()??, once: once() },
        8 => Event::Paused,
        9 => Event::Resumed,
        10 => Event::Cancelled,
        11 => Event::Terminated,
        12 => Event::TimedOut,
        13 => Event::Retried { from: Some(step).filter(|step| *step > 0), definition: time, once: once() },
        14 => Event::Queued,
        15 => Event::Started,
        17 => Event::Recalled { step, value: value()?, from: text },
        16 => Event::Dropped { error: StepError::new(text, message) },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::{super::event::Approval, *};

    #[test]
    fn events_come_back_as_they_went() {
        let value = |value: Json| Some(Arc::new(value));
        let approval =
            Approval { title: "Ship?".into(), form: json!({"type": "object"}), ..Approval::default() };
        let wait = Wait { until: Some(9), signal: Some("go".into()), approval: Some(approval) };
        let events: Vec<(i64, Event)> = [
            Event::Began { input: Arc::new(json!({"a": 1})) },
            Event::Gave { step: 7, port: Some("true".into()), value: None },
            Event::Gave { step: 8, port: None, value: value(json!({"a": [1, null, "x"]})) },
            Event::Gave { step: 9, port: None, value: value(json!("large ".repeat(20_000))) },
            Event::Recalled { step: 8, value: value(json!([1])), from: "projects/p/executions/x1".into() },
            Event::Recalled { step: 8, value: None, from: "projects/p/executions/x1".into() },
            Event::Failed { step: 1, error: StepError::new("R", "m"), again_at: Some(-4) },
            Event::Waits { step: 2, wait },
            Event::Entered { step: 3, value: value(json!([1])) },
            Event::Round { step: 4 },
            Event::Signal { name: "s".into(), value: Arc::new(Json::Null), once: Some("r".into()) },
            Event::Paused,
            Event::Resumed,
            Event::Cancelled,
            Event::Terminated,
            Event::TimedOut,
            Event::Retried { from: None, definition: Some(3), once: None },
            Event::Retried { from: Some(3), definition: None, once: Some("r".into()) },
        ]
        .into_iter()
        .enumerate()
        .map(|(at, event)| (1_700_000_000_000_000 + at as i64, event))
        .collect();
        let written = write(&events, "executions/u", (2, 5));
        assert_eq!(written.objects.len(), 1);
        assert_eq!(objects(&written.row).unwrap(), ["executions/u/2-5-3"]);
        let kept: HashMap<_, _> = written.objects.into_iter().collect();
        assert_eq!(read(&written.row, &|key| kept.get(key).cloned()), Some(events));
        assert_eq!(read(&written.row, &|_| None), None);
        let small =
            write(&[(1_700_000_000_000_000, Event::Gave { step: 7, port: None, value: None })], "", (1, 0));
        assert!(small.row.len() < 20, "{}", small.row.len());
    }
}
