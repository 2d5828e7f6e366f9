//! Logs for people or for machines, and traces to a collector.

use http::HeaderMap;
use opentelemetry::{
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{EnvFilter, Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, ObserveOptions};

/// Keeps traces going out; when it is dropped, the last ones are sent.
#[derive(Debug, Default)]
pub struct Observation(Option<SdkTracerProvider>);

impl Drop for Observation {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Begins logging to standard error, and tracing where configured. A program calls it once: the
/// receiver of logs is the one thing that a process has only one of.
///
/// # Errors
/// A filter or an address that cannot be read, or a second call.
pub fn start(options: &ObserveOptions, program: &'static str) -> Result<Observation, String> {
    let filter = EnvFilter::try_new(&options.log).map_err(|error| format!("observe.log: {error}"))?;
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = match options.log_format {
        LogFormat::Human => logs.with_target(false).boxed(),
        LogFormat::Json => logs.json().flatten_event(true).boxed(),
    };
    let provider = exporter(options, program)?;
    let traces = provider.as_ref().map(|provider| {
        // Only the spans of calls: everything that libraries do besides would drown them.
        let spans = Targets::new().with_target("weft", tracing::Level::DEBUG);
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(program));
        // All of them begin at the same line, and threads mean nothing to a task.
        layer.with_location(false).with_threads(false).with_filter(spans)
    });
    tracing_subscriber::registry()
        .with(traces)
        .with(logs.with_filter(filter))
        .try_init()
        .map_err(|error| error.to_string())?;
    Ok(Observation(provider))
}

fn exporter(options: &ObserveOptions, program: &'static str) -> Result<Option<SdkTracerProvider>, String> {
    if options.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&options.otlp_endpoint)
        .build()
        .map_err(|error| format!("observe.otlp_endpoint: {error}"))?;
    let resource = Resource::builder().with_service_name(program).build();
    Ok(Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
}

/// Makes `span` a child of the span that a request's headers name, where spans are recorded.
pub(crate) fn continue_trace(span: &Span, headers: &HeaderMap) {
    if span.is_disabled() || !headers.contains_key("traceparent") {
        return;
    }
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    // It fails where no spans are recorded, which is no fault.
    let _ = span.set_parent(parent);
}

/// Writes the span that runs now into the headers of a request, where spans are recorded.
pub(crate) fn carry_trace(headers: &mut HeaderMap) {
    let span = Span::current();
    if !span.is_disabled() {
        TraceContextPropagator::new().inject_context(&span.context(), &mut HeadersMut(headers));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(key), http::HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
