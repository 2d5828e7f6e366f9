//! Spans: taken, and found again as traces.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span as OtlpSpan, Status as OtlpStatus, span::Event as OtlpEvent,
    },
};
use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_proto::weft::telemetry::v1::{
    ExportFormat, GetTraceRequest, SearchTracesRequest, SpanStatus, Trace, TraceSummary, WriteSpansRequest,
    WriteSpansResponse,
};
use weft_telemetry::Options;

use crate::{
    logs::{attribute, resource},
    world::{PROJECT, Running, World},
};

/// A span of a trace: `at` and `millis` are milliseconds, `parent` 0 for the root.
fn span(trace: u8, id: u8, parent: u8, at: i64, millis: i64) -> OtlpSpan {
    let id_of = |id: u8| if id == 0 { Vec::new() } else { vec![id; 8] };
    OtlpSpan {
        trace_id: vec![trace; 16],
        span_id: id_of(id),
        parent_span_id: id_of(parent),
        name: if parent == 0 { "GET /order".into() } else { format!("step {id}") },
        kind: 2,
        start_time_unix_nano: at as u64 * 1_000_000,
        end_time_unix_nano: (at + millis) as u64 * 1_000_000,
        attributes: vec![attribute("order", Value::IntValue(i64::from(trace)))],
        ..OtlpSpan::default()
    }
}

fn export(service: &str, spans: Vec<OtlpSpan>) -> ExportTraceServiceRequest {
    let scope = ScopeSpans { spans, ..ScopeSpans::default() };
    let spans = ResourceSpans {
        resource: Some(resource(service)),
        scope_spans: vec![scope],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![spans] }
}

async fn write(running: &Running, export: &ExportTraceServiceRequest) -> Result<WriteSpansResponse, Status> {
    let request = WriteSpansRequest {
        parent: PROJECT.into(),
        format: ExportFormat::Otlp.into(),
        content: export.encode_to_vec().into(),
    };
    Ok(running.traces().write_spans(request).await?.into_inner())
}

/// What is found over all pages of a size.
async fn found(running: &Running, request: SearchTracesRequest, page_size: i32) -> Vec<TraceSummary> {
    let mut request = SearchTracesRequest { parent: PROJECT.into(), page_size, ..request };
    let mut traces = Vec::new();
    loop {
        let page = running.traces().search_traces(request.clone()).await.unwrap().into_inner();
        assert!(page.traces.len() <= page_size as usize);
        traces.extend(page.traces);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return traces;
        }
    }
}

async fn get(running: &Running, trace: u8) -> Result<Trace, Status> {
    let name = format!("{PROJECT}/traces/{}", format!("{trace:02x}").repeat(16));
    Ok(running.traces().get_trace(GetTraceRequest { name }).await?.into_inner())
}

/// Three traces: one of two services with an error, one that is slow, one of which the root is missing.
async fn fill(running: &Running, now: i64) {
    let mut failed = span(1, 3, 1, now - 9_000, 80);
    failed.status = Some(OtlpStatus { code: 2, message: "declined".into() });
    failed.events = vec![OtlpEvent {
        time_unix_nano: failed.start_time_unix_nano,
        name: "exception".into(),
        ..OtlpEvent::default()
    }];
    write(running, &export("pay", vec![failed])).await.unwrap();
    let shop =
        vec![span(1, 1, 0, now - 9_010, 100), span(2, 1, 0, now - 5_000, 3_000), span(3, 2, 1, now, 5)];
    let written = write(running, &export("shop", shop)).await.unwrap();
    assert_eq!((written.span_count, written.refused_span_count), (3, 0));
}

async fn all_is_found(running: &Running) {
    let by = SearchTracesRequest::default;
    let millis = |millis: i32| Some(prost_types::Duration { seconds: 0, nanos: millis * 1_000_000 });
    let cases = [
        (by(), vec![3, 2, 1]),
        (SearchTracesRequest { service_name: "pay".into(), ..by() }, vec![1]),
        (SearchTracesRequest { service_name: "nobody".into(), ..by() }, vec![]),
        (SearchTracesRequest { operation: "GET /order".into(), ..by() }, vec![2, 1]),
        (SearchTracesRequest { operation: "GET".into(), ..by() }, vec![]),
        (SearchTracesRequest { min_duration: millis(100), ..by() }, vec![2, 1]),
        (SearchTracesRequest { min_duration: millis(101), ..by() }, vec![2]),
        (SearchTracesRequest { errors_only: true, ..by() }, vec![1]),
        (SearchTracesRequest { errors_only: true, service_name: "shop".into(), ..by() }, vec![]),
        (SearchTracesRequest { attributes: vec!["order=2".into()], ..by() }, vec![2]),
        (SearchTracesRequest { attributes: vec!["host.name=h1".into()], ..by() }, vec![3, 2, 1]),
    ];
    for (request, expected) in cases {
        for page_size in [1, 2, 100] {
            let found = found(running, request.clone(), page_size).await;
            let ids: Vec<String> = found.into_iter().map(|trace| trace.trace_id).collect();
            let expected: Vec<String> =
                expected.iter().map(|trace| format!("{trace:02x}").repeat(16)).collect();
            assert_eq!(ids, expected, "{request:?}");
        }
    }
    let first = get(running, 1).await.unwrap();
    let summary = first.summary.unwrap();
    assert_eq!((&*summary.root_service_name, &*summary.root_operation), ("shop", "GET /order"));
    assert_eq!((summary.span_count, summary.error_span_count, summary.has_root), (2, 1, true));
    assert_eq!(summary.service_names, ["pay", "shop"]);
    assert_eq!(summary.duration.unwrap().nanos, 100_000_000);
    let [root, failed] = &first.spans[..] else { panic!("{:?}", first.spans) };
    assert_eq!((&*root.parent_span_id, &*failed.parent_span_id), ("", &*root.span_id));
    assert_eq!((failed.status(), &*failed.status_message), (SpanStatus::Error, "declined"));
    assert_eq!(failed.events[0].event_name, "exception");
    let third = get(running, 3).await.unwrap().summary.unwrap();
    assert_eq!((third.has_root, &*third.root_operation), (false, "step 2"));
    let missing = get(running, 9).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(missing.get_error_details().error_info().unwrap().reason, "TRACE_NOT_FOUND");
}

#[tokio::test]
async fn traces_are_found_in_the_log_and_after_a_restart_and_in_blocks() {
    let mut world = World::new(Options::default()).await;
    let now = world.now();
    let running = world.start().await;
    fill(&running, now).await;
    all_is_found(&running).await;
    running.stop().await;
    world.options.event_seal_bytes = 1;
    let running = world.start().await;
    all_is_found(&running).await;
    // One more of a trace that is there: what is in the log is sealed with it.
    write(&running, &export("shop", vec![span(2, 9, 1, now - 4_000, 1)])).await.unwrap();
    running.until_sealed(|told| told.sealed_span_count == 5).await;
    all_is_found(&running).await;
    running.stop().await;
    let running = world.start().await;
    all_is_found(&running).await;
    assert_eq!(get(&running, 2).await.unwrap().spans.len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_trace_is_on_one_page_however_many_of_its_spans_match() {
    let world = World::new(Options::default()).await;
    let (now, running) = (world.now(), world.start().await);
    // Spans of five traces by turns.
    let spans = (0..50_u8).map(|n| span(n % 5 + 1, n + 1, u8::from(n >= 5), now + i64::from(n), 1));
    write(&running, &export("shop", spans.collect())).await.unwrap();
    for page_size in [1, 2, 5] {
        let traces = found(&running, SearchTracesRequest::default(), page_size).await;
        let ids: Vec<&str> = traces.iter().map(|trace| &trace.trace_id[..2]).collect();
        assert_eq!(ids, ["05", "04", "03", "02", "01"]);
        assert!(traces.iter().all(|trace| trace.span_count == 10));
    }
    // What comes while somebody turns pages is for the next one who begins.
    let first =
        SearchTracesRequest { parent: PROJECT.into(), page_size: 2, ..SearchTracesRequest::default() };
    let page = running.traces().search_traces(first.clone()).await.unwrap().into_inner();
    write(&running, &export("shop", vec![span(1, 200, 1, now + 900, 1)])).await.unwrap();
    let next = SearchTracesRequest { page_token: page.next_page_token, ..first };
    let page = running.traces().search_traces(next).await.unwrap().into_inner();
    let ids: Vec<&str> = page.traces.iter().map(|trace| &trace.trace_id[..2]).collect();
    assert_eq!(ids, ["03", "02"]);
    running.stop().await;
}

#[tokio::test]
async fn spans_without_ids_are_refused_and_repeats_are_one() {
    let world = World::new(Options::default()).await;
    let (now, running) = (world.now(), world.start().await);
    let nobody = OtlpSpan { trace_id: vec![0; 16], ..span(1, 1, 0, now, 1) };
    let written = write(&running, &export("shop", vec![nobody, span(1, 1, 0, now, 1)])).await.unwrap();
    assert_eq!((written.span_count, written.refused_span_count), (1, 1));
    assert_eq!(written.reason, "SPAN_ID_INVALID");
    // The same span in another export.
    write(&running, &export("shop", vec![span(1, 1, 0, now, 1), span(1, 2, 1, now, 1)])).await.unwrap();
    let trace = get(&running, 1).await.unwrap();
    assert_eq!((trace.spans.len(), trace.summary.unwrap().span_count), (2, 2));
    let negative = SearchTracesRequest {
        parent: PROJECT.into(),
        min_duration: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
        ..SearchTracesRequest::default()
    };
    assert_eq!(running.traces().search_traces(negative).await.unwrap_err().code(), Code::InvalidArgument);
    running.stop().await;
}
