//! How a call ended: told once, to the counters and to the trace.

use tonic::Code;
use tracing::{Span, field::Empty};

use super::trace::CallContext;
use crate::metrics::CallMeter;

/// A call that runs. Dropped without an end, its client has cancelled it.
pub(crate) struct Ending {
    meter: CallMeter,
    span: Span,
    told: bool,
}

impl Ending {
    pub(crate) fn new(meter: CallMeter, span: Span) -> Self {
        Self { meter, span, told: false }
    }

    /// The call ended with this code; later ends do not count.
    pub(crate) fn tell(&mut self, code: Code) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        self.meter.end(code);
        if self.span.is_disabled() {
            return;
        }
        self.span.record("rpc.grpc.status_code", i32::from(code));
        if is_fault(code) {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.tell(Code::Cancelled);
    }
}

/// The span of a call to `path` (`/package.Service/Method`), with the attributes that OpenTelemetry's
/// conventions name for gRPC. Nothing of the request's content or credentials is in it.
pub(crate) fn span(path: &str, call: &CallContext) -> Span {
    let name = path.trim_start_matches('/');
    let (service, method) = name.split_once('/').unwrap_or((name, ""));
    tracing::debug_span!(
        "call",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
        request_id = call.request_id.to_str().unwrap_or_default(),
        trace_id = %format_args!("{:032x}", call.trace.trace_id),
    )
}

/// Whether the server is at fault, as OpenTelemetry's conventions for gRPC say: the others are answers.
fn is_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
