//! Spans: from OpenTelemetry, and for clients.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{
        Span as OtlpSpan,
        span::{Event as OtlpEvent, Link as OtlpLink},
    },
};
use weft_proto::weft::telemetry::v1::{Span, SpanEvent, SpanKind, SpanLink, SpanStatus};
use weft_series::{DecodeError, Reader, write_bytes, write_signed, write_unsigned};

use super::{
    chunk::{Event, Origin},
    incoming::Taken,
    records::{Times, hex, id, nanos, origin, told},
    value,
};
use crate::{domain::time, ingest::BAD_TIME, samples::record::text};

/// A span without an id, or without a trace.
pub(crate) const BAD_ID: &str = "SPAN_ID_INVALID";

/// The status in a span's `code`.
pub(crate) const ERROR: u32 = 2;

/// The spans of an export.
pub(crate) fn take(request: &ExportTraceServiceRequest, times: &Times) -> Taken {
    let mut taken = Taken::default();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            taken.origin(origin(resource.resource.as_ref(), scope.scope.as_ref()));
            scope.spans.iter().for_each(|span| add(&mut taken, span, times));
        }
    }
    taken.close();
    taken
}

fn add(taken: &mut Taken, span: &OtlpSpan, times: &Times) {
    let (trace, own) = (id(&span.trace_id, 16), id(&span.span_id, 8));
    if trace.is_empty() || own.is_empty() {
        return taken.refuse(BAD_ID);
    }
    let (start, end) = (nanos(span.start_time_unix_nano), nanos(span.end_time_unix_nano));
    if !times.good.contains(&start) {
        return taken.refuse(BAD_TIME);
    }
    let mut attributes = Vec::new();
    value::write_map(&mut attributes, &span.attributes);
    let status = span.status.as_ref();
    let kind = u32::try_from(span.kind.clamp(0, 5)).unwrap_or_default();
    let code = status.map_or(0, |status| u32::try_from(status.code.clamp(0, 2)).unwrap_or_default());
    let dropped = [span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count];
    taken.add(&Event {
        time: start,
        length: end.saturating_sub(start).max(0),
        code: kind << 2 | code,
        flags: span.flags,
        dropped: dropped.into_iter().fold(0, u32::saturating_add),
        trace,
        span: own,
        parent: id(&span.parent_span_id, 8),
        name: &span.name,
        note: status.map_or("", |status| &status.message),
        body: &details(span),
        attributes: &attributes,
        ..Event::default()
    });
}

/// What only spans have: state, events, links.
fn details(span: &OtlpSpan) -> Vec<u8> {
    let mut out = Vec::new();
    if span.trace_state.is_empty() && span.events.is_empty() && span.links.is_empty() {
        return out;
    }
    write_bytes(&mut out, span.trace_state.as_bytes());
    write_unsigned(&mut out, span.events.len() as u64);
    for OtlpEvent { time_unix_nano, name, attributes, .. } in &span.events {
        write_signed(&mut out, nanos(*time_unix_nano));
        write_bytes(&mut out, name.as_bytes());
        part(&mut out, |out| value::write_map(out, attributes));
    }
    write_unsigned(&mut out, span.links.len() as u64);
    for OtlpLink { trace_id, span_id, trace_state, attributes, .. } in &span.links {
        write_bytes(&mut out, id(trace_id, 16));
        write_bytes(&mut out, id(span_id, 8));
        write_bytes(&mut out, trace_state.as_bytes());
        part(&mut out, |out| value::write_map(out, attributes));
    }
    out
}

/// Writes something and how long it is.
fn part(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = Vec::new();
    write(&mut bytes);
    write_bytes(out, &bytes);
}

/// A span as the contract has it.
///
/// # Errors
/// It is damaged.
pub(crate) fn span(event: &Event<'_>, origin: &Origin) -> Result<Span, DecodeError> {
    let mut span = Span {
        trace_id: hex(event.trace),
        span_id: hex(event.span),
        parent_span_id: hex(event.parent),
        operation: event.name.to_owned(),
        kind: SpanKind::try_from((event.code >> 2) as i32).unwrap_or_default().into(),
        start_time: Some(time::of_nanos(event.time)),
        end_time: Some(time::of_nanos(event.time.saturating_add(event.length))),
        duration: Some(time::duration_of_nanos(event.length)),
        status: SpanStatus::try_from((event.code & 3) as i32).unwrap_or_default().into(),
        status_message: event.note.to_owned(),
        attributes: Some(value::fields(&value::read_map(event.attributes)?)),
        trace_flags: event.flags,
        dropped_item_count: i32::try_from(event.dropped).unwrap_or(i32::MAX),
        origin: Some(told(origin)?),
        ..Span::default()
    };
    if event.body.is_empty() {
        return Ok(span);
    }
    let mut reader = Reader::new(event.body);
    text(&mut reader)?.clone_into(&mut span.trace_state);
    for _ in 0..reader.unsigned()? {
        span.events.push(SpanEvent {
            event_time: Some(time::of_nanos(reader.signed()?)),
            event_name: text(&mut reader)?.to_owned(),
            attributes: Some(value::fields(&value::read_map(reader.bytes()?)?)),
        });
    }
    for _ in 0..reader.unsigned()? {
        span.links.push(SpanLink {
            trace_id: hex(reader.bytes()?),
            span_id: hex(reader.bytes()?),
            trace_state: text(&mut reader)?.to_owned(),
            attributes: Some(value::fields(&value::read_map(reader.bytes()?)?)),
        });
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        common::v1::{AnyValue, KeyValue, any_value::Value},
        trace::v1::{ResourceSpans, ScopeSpans, Status},
    };
    use prost_types::value::Kind;

    use super::*;

    #[test]
    fn a_span_reads_back_with_all_that_it_has() {
        let attribute = KeyValue {
            key: "k".into(),
            value: Some(AnyValue { value: Some(Value::IntValue(5)) }),
            ..KeyValue::default()
        };
        let span_sent = OtlpSpan {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            parent_span_id: vec![3; 8],
            trace_state: "a=b".into(),
            name: "GET /".into(),
            kind: 3,
            start_time_unix_nano: 1_000_000_150,
            end_time_unix_nano: 3_500_000_150,
            attributes: vec![attribute.clone()],
            events: vec![OtlpEvent {
                time_unix_nano: 1_000_000_170,
                name: "exception".into(),
                attributes: vec![attribute],
                ..OtlpEvent::default()
            }],
            links: vec![OtlpLink { trace_id: vec![4; 16], span_id: vec![5; 8], ..OtlpLink::default() }],
            status: Some(Status { code: 2, message: "broken".into() }),
            dropped_links_count: 7,
            ..OtlpSpan::default()
        };
        let nobody = OtlpSpan { span_id: Vec::new(), ..span_sent.clone() };
        let early = OtlpSpan { start_time_unix_nano: 5, ..span_sent.clone() };
        let scope = ScopeSpans { spans: vec![span_sent, nobody, early], ..ScopeSpans::default() };
        let spans = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
        let times = Times { good: 100..=i64::MAX, now: 150 };
        let taken = take(&ExportTraceServiceRequest { resource_spans: vec![spans] }, &times);
        assert_eq!((taken.count, taken.refused, taken.reason), (1, 2, BAD_TIME));
        let chunk = &taken.chunks[0];
        let event = chunk.events().next().unwrap().unwrap();
        let read = span(&event, &chunk.origins[0]).unwrap();
        assert_eq!((&*read.trace_id, &*read.parent_span_id), (&*"01".repeat(16), &*"03".repeat(8)));
        assert_eq!(
            (read.kind(), read.status(), &*read.status_message),
            (SpanKind::Client, SpanStatus::Error, "broken")
        );
        let duration = read.duration.unwrap();
        assert_eq!((duration.seconds, duration.nanos), (2, 500_000_000));
        assert_eq!((&*read.trace_state, read.dropped_item_count), ("a=b", 7));
        assert_eq!(read.attributes.unwrap().fields["k"].kind, Some(Kind::NumberValue(5.0)));
        assert_eq!(read.events[0].event_name, "exception");
        assert_eq!(read.links[0].span_id, "05".repeat(8));
    }
}
