//! Logs: taken, kept, found again, and followed.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
    logs::v1::{LogRecord as OtlpLog, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_proto::weft::telemetry::v1::{
    ExportFormat, LogRecord, LogSeverity, SearchLogsRequest, SearchLogsResponse, WatchLogsRequest,
    WriteLogsRequest, WriteLogsResponse,
};
use weft_telemetry::Options;

use crate::world::{PROJECT, Running, World};

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(crate) fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

pub(crate) fn resource(service: &str) -> Resource {
    let attributes = vec![attribute("service.name", text(service)), attribute("host.name", text("h1"))];
    Resource { attributes, ..Resource::default() }
}

/// A record `at` milliseconds, of a severity.
fn record(at: i64, severity_number: i32, body: &str) -> OtlpLog {
    OtlpLog {
        time_unix_nano: at as u64 * 1_000_000,
        severity_number,
        severity_text: "told".into(),
        body: Some(AnyValue { value: Some(text(body)) }),
        attributes: vec![attribute("code", Value::IntValue(i64::from(severity_number)))],
        ..OtlpLog::default()
    }
}

fn export(service: &str, records: Vec<OtlpLog>) -> ExportLogsServiceRequest {
    let scope = InstrumentationScope { name: "lib".into(), version: "1".into(), ..Default::default() };
    let logs = ScopeLogs { scope: Some(scope), log_records: records, ..ScopeLogs::default() };
    let logs =
        ResourceLogs { resource: Some(resource(service)), scope_logs: vec![logs], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }
}

async fn write(running: &Running, export: &ExportLogsServiceRequest) -> Result<WriteLogsResponse, Status> {
    let request = WriteLogsRequest {
        parent: PROJECT.into(),
        format: ExportFormat::Otlp.into(),
        content: export.encode_to_vec().into(),
    };
    Ok(running.logs().write_logs(request).await?.into_inner())
}

async fn page(running: &Running, request: SearchLogsRequest) -> Result<SearchLogsResponse, Status> {
    let request = SearchLogsRequest { parent: PROJECT.into(), ..request };
    Ok(running.logs().search_logs(request).await?.into_inner())
}

fn body(record: &LogRecord) -> String {
    match record.body.as_ref().and_then(|body| body.kind.as_ref()) {
        Some(prost_types::value::Kind::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// The bodies that are found, the newest first, over all pages of two.
async fn found(running: &Running, request: SearchLogsRequest) -> Vec<String> {
    let mut request = SearchLogsRequest { page_size: 2, ..request };
    let mut bodies = Vec::new();
    loop {
        let page = page(running, request.clone()).await.unwrap();
        assert!(page.logs.len() <= 2);
        bodies.extend(page.logs.iter().map(body));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return bodies;
        }
    }
}

fn words(query: &str) -> SearchLogsRequest {
    SearchLogsRequest { query: query.into(), ..SearchLogsRequest::default() }
}

/// Everything of a log record comes back, and everything that it can be found by finds it.
async fn all_is_found(running: &Running, now: i64) {
    let all = page(running, SearchLogsRequest::default()).await.unwrap().logs;
    assert_eq!(all.iter().map(body).collect::<Vec<_>>(), ["payment declined", "cache is cold", "started"]);
    let declined = &all[0];
    let origin = declined.origin.as_ref().unwrap();
    assert_eq!((&*origin.service_name, &*origin.scope_name, &*origin.scope_version), ("shop", "lib", "1"));
    assert!(origin.resource_attributes.as_ref().unwrap().fields.contains_key("host.name"));
    assert_eq!((declined.severity(), declined.severity_number), (LogSeverity::Error, 18));
    assert_eq!((&*declined.severity_text, declined.trace_flags), ("told", 1));
    assert_eq!((declined.trace_id.clone(), declined.span_id.clone()), ("ab".repeat(16), "cd".repeat(8)));
    assert_eq!(declined.log_time.unwrap().seconds, now / 1_000);
    assert!(declined.observed_time.is_none());

    let by = SearchLogsRequest::default;
    let cases = [
        (words("DECLINED payment"), vec!["payment declined"]),
        (words("decl*"), vec!["payment declined"]),
        (words("declined -payment"), vec![]),
        (words("nowhere"), vec![]),
        (words("\"is cold\""), vec!["cache is cold"]),
        (
            SearchLogsRequest { min_severity: LogSeverity::Warn.into(), ..by() },
            vec!["payment declined", "cache is cold"],
        ),
        (SearchLogsRequest { min_severity: LogSeverity::Fatal.into(), ..by() }, vec![]),
        (SearchLogsRequest { service_name: "cache".into(), ..by() }, vec!["cache is cold"]),
        (SearchLogsRequest { service_name: "nobody".into(), ..by() }, vec![]),
        (SearchLogsRequest { trace_id: "AB".repeat(16), ..by() }, vec!["payment declined"]),
        (SearchLogsRequest { attributes: vec!["code=9".into()], ..by() }, vec!["started"]),
        (SearchLogsRequest { attributes: vec!["code=9".into(), "host.name=h2".into()], ..by() }, vec![]),
        (
            SearchLogsRequest { attributes: vec!["host.name=h1".into()], ..by() },
            vec!["payment declined", "cache is cold", "started"],
        ),
        (
            SearchLogsRequest { start_time: Some(seconds(now, -1)), ..by() },
            vec!["payment declined", "cache is cold"],
        ),
        (SearchLogsRequest { end_time: Some(seconds(now, -1)), ..by() }, vec!["started"]),
    ];
    for (request, expected) in cases {
        assert_eq!(found(running, request.clone()).await, expected, "{request:?}");
    }
}

fn seconds(now: i64, later: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: now / 1_000 + later, nanos: 0 }
}

fn three(now: i64) -> [ExportLogsServiceRequest; 2] {
    let mut declined = record(now, 18, "payment declined");
    (declined.trace_id, declined.span_id, declined.flags) = (vec![0xab; 16], vec![0xcd; 8], 1);
    let shop = export("shop", vec![record(now - 5_000, 9, "started"), declined]);
    [shop, export("cache", vec![record(now - 1_000, 13, "cache is cold")])]
}

#[tokio::test]
async fn logs_are_found_in_the_log_and_after_a_restart_and_in_blocks() {
    let mut world = World::new(Options::default()).await;
    let now = world.now();
    let running = world.start().await;
    for export in three(now) {
        let written = write(&running, &export).await.unwrap();
        assert_eq!((written.log_count > 0, written.refused_log_count), (true, 0));
    }
    all_is_found(&running, now).await;
    // Nothing is sealed when it ends: what was acknowledged is in the log.
    running.stop().await;
    let running = world.start().await;
    all_is_found(&running, now).await;
    // What was sent before is known, also by the next process.
    for export in three(now) {
        write(&running, &export).await.unwrap();
    }
    all_is_found(&running, now).await;
    running.stop().await;
    world.options.event_seal_bytes = 1;
    let running = world.start().await;
    let extra = export("extra", vec![record(now - 9_000, 1, "extra")]);
    write(&running, &extra).await.unwrap();
    running.until_sealed(|told| told.sealed_log_count == 4).await;
    assert_eq!(found(&running, words("extra")).await, ["extra"]);
    running.stop().await;
    let running = world.start().await;
    let told = running.statistics().await;
    assert_eq!((told.log_count, told.sealed_log_count), (4, 4));
    assert!(told.sealed_log_bytes > 0);
    // The directory of the block knows it.
    write(&running, &extra).await.unwrap();
    assert_eq!(running.statistics().await.log_count, 4);
    let newest = SearchLogsRequest { start_time: Some(seconds(now, -6)), ..SearchLogsRequest::default() };
    assert_eq!(found(&running, newest).await, ["payment declined", "cache is cold", "started"]);
    for (query, expected) in [("declined", vec!["payment declined"]), ("nowhere", vec![])] {
        assert_eq!(found(&running, words(query)).await, expected);
    }
    let by_trace = SearchLogsRequest { trace_id: "ab".repeat(16), ..SearchLogsRequest::default() };
    assert_eq!(found(&running, by_trace).await, ["payment declined"]);
    running.stop().await;
}

#[tokio::test]
async fn pages_are_of_what_there_was() {
    let world = World::new(Options::default()).await;
    let (now, running) = (world.now(), world.start().await);
    // All of one time: what came later is newer.
    let records = (0..5).map(|number| record(now, 9, &format!("line {number}"))).collect();
    write(&running, &export("shop", records)).await.unwrap();
    let first = page(&running, SearchLogsRequest { page_size: 2, ..words("line") }).await.unwrap();
    assert_eq!(first.logs.iter().map(body).collect::<Vec<_>>(), ["line 4", "line 3"]);
    // Newer ones, older ones, and ones of the same time: for whoever begins anew.
    let later = [now + 1, now, now - 1].map(|at| record(at, 9, "line of later")).to_vec();
    write(&running, &export("shop", later)).await.unwrap();
    let mut token = first.next_page_token.clone();
    let mut rest = Vec::new();
    while !token.is_empty() {
        let request = SearchLogsRequest { page_size: 2, page_token: token, ..words("line") };
        let next = page(&running, request).await.unwrap();
        rest.extend(next.logs.iter().map(body));
        token = next.next_page_token;
    }
    assert_eq!(rest, ["line 2", "line 1", "line 0"]);
    assert_eq!(found(&running, words("later")).await.len(), 3);
    // A token is of its list.
    let other = SearchLogsRequest { page_token: first.next_page_token, ..words("later") };
    assert_eq!(page(&running, other).await.unwrap_err().code(), Code::InvalidArgument);
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_and_counted() {
    let options = Options { event_rate_bytes: 20_000, ..Options::default() };
    let world = World::new(options).await;
    let (now, running) = (world.now(), world.start().await);
    let day = 24 * 3_600_000;
    let some = vec![record(now, 9, "good"), record(now - 8 * day, 9, "old"), record(now + day, 9, "ahead")];
    let written = write(&running, &export("shop", some)).await.unwrap();
    assert_eq!((written.log_count, written.refused_log_count), (1, 2));
    assert_eq!(written.reason, "TIME_OUT_OF_RANGE");
    let request = |format: ExportFormat, content: &'static [u8]| WriteLogsRequest {
        parent: PROJECT.into(),
        format: format.into(),
        content: content.into(),
    };
    for format in [ExportFormat::Otlp, ExportFormat::OtlpJson] {
        let refused = running.logs().write_logs(request(format, b"\xff\xff nonsense")).await.unwrap_err();
        let details = refused.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "EXPORT_INVALID");
    }
    for query in ["\"open", &"a ".repeat(40)] {
        assert_eq!(page(&running, words(query)).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let odd = SearchLogsRequest { attributes: vec!["nothing".into()], ..SearchLogsRequest::default() };
    assert_eq!(page(&running, odd).await.unwrap_err().code(), Code::InvalidArgument);
    // More than ten seconds' worth at once, and then no more for a time.
    let large = export("shop", vec![record(now, 9, &"x".repeat(199_800))]);
    let refused = write(&running, &large).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "EVENT_RATE_EXCEEDED");
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    world.clock.advance(wait);
    assert_eq!(write(&running, &large).await.unwrap().log_count, 1);
    running.stop().await;
}

#[tokio::test]
async fn json_and_structures_are_kept_as_they_are() {
    let world = World::new(Options::default()).await;
    let (now, running) = (world.now(), world.start().await);
    let json = serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": (now * 1_000_000).to_string(),
        "severityNumber": 9,
        "traceId": "5b8efff798038103d269b633813fc60c",
        "body": {"kvlistValue": {"values": [{"key": "user", "value": {"stringValue": "Ada Lovelace"}}]}},
        "attributes": [{"key": "count", "value": {"intValue": "9007199254740993"}}],
    }]}]}]});
    let request = WriteLogsRequest {
        parent: PROJECT.into(),
        format: ExportFormat::OtlpJson.into(),
        content: json.to_string().into(),
    };
    assert_eq!(running.logs().write_logs(request).await.unwrap().into_inner().log_count, 1);
    let found = page(&running, words("lovelace")).await.unwrap().logs;
    assert_eq!(found[0].trace_id, "5b8efff798038103d269b633813fc60c");
    let Some(prost_types::value::Kind::StructValue(body)) = &found[0].body.as_ref().unwrap().kind else {
        panic!("{found:?}")
    };
    assert!(body.fields.contains_key("user"));
    let count = &found[0].attributes.as_ref().unwrap().fields["count"];
    assert_eq!(count.kind, Some(prost_types::value::Kind::StringValue("9007199254740993".into())));
    let list = KeyValueList { values: vec![attribute("deep", text("bottom"))] };
    let nested = OtlpLog {
        body: Some(AnyValue { value: Some(Value::KvlistValue(list)) }),
        observed_time_unix_nano: now as u64 * 1_000_000,
        event_name: "order.placed".into(),
        ..OtlpLog::default()
    };
    write(&running, &export("shop", vec![nested])).await.unwrap();
    let found = page(&running, words("bottom")).await.unwrap().logs;
    assert_eq!((&*found[0].event_name, found[0].log_time), ("order.placed", found[0].observed_time));
    running.stop().await;
}

#[tokio::test]
async fn who_watches_is_told_what_arrives_and_matches() {
    let world = World::new(Options::default()).await;
    let (now, running) = (world.now(), world.start().await);
    write(&running, &export("shop", vec![record(now, 17, "before")])).await.unwrap();
    let request = WatchLogsRequest {
        parent: PROJECT.into(),
        min_severity: LogSeverity::Error.into(),
        ..WatchLogsRequest::default()
    };
    let mut watch = running.logs().watch_logs(request).await.unwrap().into_inner();
    let begun = watch.message().await.unwrap().unwrap();
    assert!(begun.logs.is_empty());
    let some = vec![record(now, 9, "fine"), record(now, 17, "broken"), record(now, 21, "dead")];
    write(&running, &export("shop", some)).await.unwrap();
    let told = watch.message().await.unwrap().unwrap();
    assert_eq!(told.logs.iter().map(body).collect::<Vec<_>>(), ["broken", "dead"]);
    assert_eq!(told.missed_message_count, 0);
    // Nothing that matches for longer than anybody may be behind, who does not read: some of it is missed, and told.
    for number in 0..200 {
        write(&running, &export("shop", vec![record(now, 17, &format!("flood {number}"))])).await.unwrap();
    }
    let mut missed = 0;
    loop {
        let told = watch.message().await.unwrap().unwrap();
        missed += told.missed_message_count;
        if told.logs.iter().any(|log| body(log) == "flood 199") {
            break;
        }
    }
    assert!(missed > 0);
    running.stop().await;
    let mut last = watch.message().await;
    while let Ok(Some(_)) = last {
        last = watch.message().await;
    }
    assert_eq!(last.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn blocks_go_when_they_are_too_old_or_too_much() {
    let options = Options {
        event_seal_bytes: 1,
        housekeeping: std::time::Duration::from_millis(10),
        ..Options::default()
    };
    let mut world = World::new(options).await;
    let (now, running) = (world.now(), world.start().await);
    let one = |at, word: &str| export("shop", vec![record(at, 9, word)]);
    write(&running, &one(now - 6 * 24 * 3_600_000, "oldest")).await.unwrap();
    write(&running, &one(now, "newer")).await.unwrap();
    running.until_sealed(|told| told.sealed_log_count == 2).await;
    world.clock.advance(std::time::Duration::from_hours(2 * 24));
    running.until_sealed(|told| told.sealed_log_count == 1).await;
    assert_eq!(found(&running, SearchLogsRequest::default()).await, ["newer"]);
    running.stop().await;
    // Two blocks, and room for one.
    world.options.log_bytes = running_bytes(&world).await * 3 / 2;
    let running = world.start().await;
    write(&running, &one(world.now(), "newest")).await.unwrap();
    running.until_sealed(|told| told.sealed_log_count == 1 && told.log_count == 1).await;
    assert_eq!(found(&running, SearchLogsRequest::default()).await, ["newest"]);
    // Their objects go after their rows.
    while std::fs::read_dir(running.objects.join("telemetry")).unwrap().count() > 1 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn many_small_blocks_become_few() {
    let options = Options {
        event_seal_bytes: 1,
        housekeeping: std::time::Duration::from_millis(10),
        ..Options::default()
    };
    let world = World::new(options).await;
    let (now, running) = (world.now(), world.start().await);
    for number in 0..40 {
        let one = record(now - 40 + number, 9, &format!("line {number}"));
        write(&running, &export("shop", vec![one])).await.unwrap();
    }
    running.until_sealed(|told| told.sealed_log_count == 40).await;
    while std::fs::read_dir(running.objects.join("telemetry")).unwrap().count() > 7 {
        tokio::task::yield_now().await;
    }
    let expected: Vec<String> = (0..40).rev().map(|number| format!("line {number}")).collect();
    assert_eq!(found(&running, SearchLogsRequest::default()).await, expected);
    running.stop().await;
    let running = world.start().await;
    assert_eq!(found(&running, words("line")).await, expected);
    // Also what is merged knows its exports.
    write(&running, &export("shop", vec![record(now - 40, 9, "line 0")])).await.unwrap();
    assert_eq!(running.statistics().await.log_count, 40);
    running.stop().await;
}

async fn running_bytes(world: &World) -> u64 {
    let running = world.start().await;
    let bytes = running.statistics().await.sealed_log_bytes as u64;
    running.stop().await;
    bytes
}
