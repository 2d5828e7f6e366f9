//! Log records: from OpenTelemetry, and for clients.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest, common::v1::InstrumentationScope,
    logs::v1::LogRecord as OtlpLog, resource::v1::Resource,
};
use weft_proto::weft::telemetry::v1::{LogRecord, LogSeverity, TelemetryOrigin};
use weft_series::DecodeError;

use super::{
    chunk::{Event, Origin, UNSEEN},
    incoming::{Taken, service},
    value,
};
use crate::{domain::time, ingest::BAD_TIME};

/// Times that are taken, in nanoseconds since 1970, and the one that it is.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) good: std::ops::RangeInclusive<i64>,
    pub(crate) now: i64,
}

/// The records of an export.
pub(crate) fn take(request: &ExportLogsServiceRequest, times: &Times) -> Taken {
    let mut taken = Taken::default();
    for resource in &request.resource_logs {
        for scope in &resource.scope_logs {
            taken.origin(origin(resource.resource.as_ref(), scope.scope.as_ref()));
            scope.log_records.iter().for_each(|record| add(&mut taken, record, times));
        }
    }
    taken.close();
    taken
}

/// Who sent something.
pub(crate) fn origin(resource: Option<&Resource>, scope: Option<&InstrumentationScope>) -> Origin {
    let mut origin = Origin::default();
    if let Some(resource) = resource {
        value::write_map(&mut origin.resource, &resource.attributes);
        origin.service = service(&origin.resource);
    }
    if let Some(scope) = scope {
        origin.scope.clone_from(&scope.name);
        origin.scope_version.clone_from(&scope.version);
        value::write_map(&mut origin.scope_attributes, &scope.attributes);
    }
    origin
}

/// Nanoseconds as OpenTelemetry has them.
pub(crate) fn nanos(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// An id of so many bytes; one of another length, or of zeros alone, is none.
pub(crate) fn id(bytes: &[u8], length: usize) -> &[u8] {
    if bytes.len() == length && bytes.iter().any(|byte| *byte != 0) { bytes } else { &[] }
}

fn add(taken: &mut Taken, record: &OtlpLog, times: &Times) {
    let (happened, seen) = (nanos(record.time_unix_nano), nanos(record.observed_time_unix_nano));
    let time = [happened, seen, times.now].into_iter().find(|time| *time != 0).unwrap_or(times.now);
    if !times.good.contains(&time) {
        return taken.refuse(BAD_TIME);
    }
    let (mut body, mut attributes) = (Vec::new(), Vec::new());
    value::write(&mut body, record.body.as_ref());
    value::write_map(&mut attributes, &record.attributes);
    taken.add(&Event {
        time,
        length: if seen == 0 { UNSEEN } else { seen.saturating_sub(time).max(UNSEEN + 1) },
        code: u32::try_from(record.severity_number.clamp(0, 24)).unwrap_or_default(),
        flags: record.flags,
        dropped: record.dropped_attributes_count,
        trace: id(&record.trace_id, 16),
        span: id(&record.span_id, 8),
        name: &record.event_name,
        note: &record.severity_text,
        body: &body,
        attributes: &attributes,
        ..Event::default()
    });
}

/// A record as the contract has it.
///
/// # Errors
/// It is damaged.
pub(crate) fn record(event: &Event<'_>, origin: &Origin) -> Result<LogRecord, DecodeError> {
    Ok(LogRecord {
        log_time: Some(time::of_nanos(event.time)),
        observed_time: (event.length != UNSEEN)
            .then(|| time::of_nanos(event.time.saturating_add(event.length))),
        severity: severity(event.code).into(),
        severity_number: event.code as i32,
        severity_text: event.note.to_owned(),
        body: Some(value::read(event.body)?.json()),
        attributes: Some(value::fields(&value::read_map(event.attributes)?)),
        event_name: event.name.to_owned(),
        trace_id: hex(event.trace),
        span_id: hex(event.span),
        trace_flags: event.flags,
        dropped_attribute_count: event.dropped as i32,
        origin: Some(told(origin)?),
    })
}

/// The range of a severity.
fn severity(number: u32) -> LogSeverity {
    match number {
        1..=4 => LogSeverity::Trace,
        5..=8 => LogSeverity::Debug,
        9..=12 => LogSeverity::Info,
        13..=16 => LogSeverity::Warn,
        17..=20 => LogSeverity::Error,
        21..=24 => LogSeverity::Fatal,
        _ => LogSeverity::Unspecified,
    }
}

/// Who sent something, as the contract has it.
///
/// # Errors
/// It is damaged.
pub(crate) fn told(origin: &Origin) -> Result<TelemetryOrigin, DecodeError> {
    Ok(TelemetryOrigin {
        service_name: origin.service.clone(),
        resource_attributes: Some(value::fields(&value::read_map(&origin.resource)?)),
        scope_name: origin.scope.clone(),
        scope_version: origin.scope_version.clone(),
        scope_attributes: Some(value::fields(&value::read_map(&origin.scope_attributes)?)),
    })
}

/// An id in hexadecimal digits.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().fold(String::with_capacity(id.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
        }
        text
    })
}

/// The 16 bytes of a trace's id, whose form validation has checked.
pub(crate) fn trace(text: &str) -> Option<[u8; 16]> {
    let mut trace = [0; 16];
    for (byte, digits) in trace.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    (text.len() == 32).then_some(trace)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        common::v1::{AnyValue, any_value::Value},
        logs::v1::{ResourceLogs, ScopeLogs},
    };

    use super::*;

    fn taken(records: Vec<OtlpLog>) -> Taken {
        let scope = ScopeLogs { log_records: records, ..ScopeLogs::default() };
        let logs = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
        take(&ExportLogsServiceRequest { resource_logs: vec![logs] }, &Times { good: 100..=200, now: 150 })
    }

    fn read(taken: &Taken) -> Vec<LogRecord> {
        let chunk = &taken.chunks[0];
        let events = chunk.events().map(Result::unwrap);
        events.map(|event| record(&event, &chunk.origins[event.origin as usize]).unwrap()).collect()
    }

    #[test]
    fn a_record_has_a_time_whatever_its_source_says() {
        let at = |time_unix_nano, observed_time_unix_nano| OtlpLog {
            time_unix_nano,
            observed_time_unix_nano,
            ..OtlpLog::default()
        };
        let taken = taken(vec![at(120, 130), at(0, 130), at(0, 0), at(99, 130), at(u64::MAX, 0)]);
        assert_eq!((taken.count, taken.refused, taken.reason), (3, 2, BAD_TIME));
        let nanos = |time: Option<prost_types::Timestamp>| time.map(|time| time.nanos);
        let times: Vec<_> =
            read(&taken).into_iter().map(|log| (nanos(log.log_time), nanos(log.observed_time))).collect();
        assert_eq!(times, [(Some(120), Some(130)), (Some(130), Some(130)), (Some(150), None)]);
    }

    #[test]
    fn ids_and_severities_are_what_they_may_be() {
        let log = |trace_id: &[u8], severity_number| OtlpLog {
            trace_id: trace_id.to_vec(),
            severity_number,
            ..OtlpLog::default()
        };
        let taken = taken(vec![log(&[0xab; 16], 17), log(&[0; 16], -1), log(&[1], 99)]);
        let read: Vec<_> = read(&taken).into_iter().map(|log| (log.trace_id, log.severity)).collect();
        let none = String::new();
        assert_eq!(read, [("ab".repeat(16), 17), (none.clone(), 0), (none, 21)]);
        assert_eq!(trace(&"aB".repeat(16)), Some([0xab; 16]));
        assert!(trace("ab").is_none() && trace(&"xy".repeat(16)).is_none());
    }

    #[test]
    fn what_is_too_large_or_too_much_is_refused() {
        let text = |bytes: usize| OtlpLog {
            body: Some(AnyValue { value: Some(Value::StringValue("x".repeat(bytes))) }),
            ..OtlpLog::default()
        };
        let one = taken(vec![text(300 << 10), text(1)]);
        assert_eq!((one.count, one.refused, one.reason), (1, 1, super::super::incoming::TOO_LARGE));
        let many = taken(vec![OtlpLog::default(); 100_001]);
        assert_eq!((many.count, many.refused, many.reason), (100_000, 1, super::super::incoming::TOO_MANY));
        let large = taken(vec![text(200 << 10); 12]);
        assert_eq!((large.count, large.chunks.len()), (12, 2));
    }
}
