//! What is counted of each call, in a registry that belongs to one mesh.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tokio::time::Instant;
use tonic::Code;

/// Upper bounds of the buckets of call durations, in seconds.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    grpc_service: String,
    grpc_method: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "the names are the labels, as gRPC dashboards know them")]
struct HandledLabels {
    grpc_service: String,
    grpc_method: String,
    grpc_code: &'static str,
}

/// The metrics of one mesh. Names and labels are those that gRPC dashboards know. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    started: Family<MethodLabels, Counter>,
    handled: Family<HandledLabels, Counter>,
    in_flight: Family<MethodLabels, Gauge>,
    duration: Family<MethodLabels, Histogram, fn() -> Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let started = Family::default();
        let handled = Family::default();
        let in_flight = Family::default();
        let duration: Family<MethodLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register("grpc_server_started", "Calls begun", started.clone());
        registry.register("grpc_server_handled", "Calls ended, by status code", handled.clone());
        registry.register("grpc_server_in_flight", "Calls and streams that are open", in_flight.clone());
        registry.register(
            "grpc_server_handling_seconds",
            "Time from a call's beginning to its last byte",
            duration.clone(),
        );
        Self(Arc::new(Inner { registry: Mutex::new(registry), started, handled, in_flight, duration }))
    }
}

impl Metrics {
    /// A new registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers what a service counts itself, below a prefix: `weft_<prefix>_…`.
    pub fn register(&self, prefix: &str, register: impl FnOnce(&mut Registry)) {
        let mut registry = self.0.registry.lock().expect("registering does not panic");
        register(registry.sub_registry_with_prefix(format!("weft_{prefix}")));
    }

    /// All of it in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.0.registry.lock().expect("registering does not panic");
        encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }

    /// The meter of a method (`/package.Service/Method`).
    pub(crate) fn method(&self, path: &str) -> MethodMeter {
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
        let labels = MethodLabels { grpc_service: service.to_owned(), grpc_method: method.to_owned() };
        MethodMeter(Arc::new(MethodMeterInner {
            started: self.0.started.get_or_create(&labels).clone(),
            in_flight: self.0.in_flight.get_or_create(&labels).clone(),
            duration: self.0.duration.get_or_create(&labels).clone(),
            ok: self.0.handled.get_or_create(&handled(&labels, Code::Ok)).clone(),
            handled: self.0.handled.clone(),
            labels,
        }))
    }
}

fn handled(labels: &MethodLabels, code: Code) -> HandledLabels {
    HandledLabels {
        grpc_service: labels.grpc_service.clone(),
        grpc_method: labels.grpc_method.clone(),
        grpc_code: code_name(code),
    }
}

/// Counts the calls of one method; its counters are looked up once.
#[derive(Clone)]
pub(crate) struct MethodMeter(Arc<MethodMeterInner>);

struct MethodMeterInner {
    started: Counter,
    in_flight: Gauge,
    duration: Histogram,
    ok: Counter,
    handled: Family<HandledLabels, Counter>,
    labels: MethodLabels,
}

impl MethodMeter {
    /// A call begins.
    pub(crate) fn begin(&self) -> CallMeter {
        self.0.started.inc();
        self.0.in_flight.inc();
        CallMeter { method: self.clone(), began: Instant::now(), ended: false }
    }
}

/// Counts one call. Dropped without an end, it was cancelled by its client.
pub(crate) struct CallMeter {
    method: MethodMeter,
    began: Instant,
    ended: bool,
}

impl CallMeter {
    /// The call ended with this code; later ends do not count.
    pub(crate) fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let method = &self.method.0;
        method.in_flight.dec();
        method.duration.observe(self.began.elapsed().max(Duration::from_nanos(1)).as_secs_f64());
        match code {
            Code::Ok => method.ok.inc(),
            code => method.handled.get_or_create(&handled(&method.labels, code)).inc(),
        };
    }
}

impl Drop for CallMeter {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// The code's name as gRPC writes it in metrics.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_end_once() {
        let metrics = Metrics::new();
        let method = metrics.method("/weft.graph.v1.GraphService/GetGraph");
        method.begin().end(Code::Ok);
        drop(method.begin());
        let mut refused = method.begin();
        refused.end(Code::NotFound);
        refused.end(Code::Internal);
        drop(refused);
        let text = metrics.encode();
        let labels = r#"grpc_service="weft.graph.v1.GraphService",grpc_method="GetGraph""#;
        assert!(text.contains(&format!("grpc_server_started_total{{{labels}}} 3")), "{text}");
        assert!(text.contains(&format!("grpc_server_in_flight{{{labels}}} 0")), "{text}");
        for code in ["OK", "CANCELLED", "NOT_FOUND"] {
            assert!(
                text.contains(&format!(r#"grpc_server_handled_total{{{labels},grpc_code="{code}"}} 1"#)),
                "{code}: {text}"
            );
        }
        assert!(!text.contains("INTERNAL"), "{text}");
    }
}
