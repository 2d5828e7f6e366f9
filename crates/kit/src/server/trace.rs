//! Which call is running: its trace (W3C Trace Context), its request id, its deadline.

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::Ids;

/// Header of the W3C trace context.
pub(crate) const TRACE_PARENT: &str = "traceparent";
/// Header that names a request for people; a client may choose it.
pub(crate) const REQUEST_ID: &str = "x-request-id";

tokio::task_local! {
    static CURRENT: CallContext;
}

/// The call that runs in this task. Calls to other services carry it on.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Position in the trace.
    pub trace: TraceParent,
    /// Names the request for people.
    pub request_id: HeaderValue,
    /// When the client gives up.
    pub deadline: Option<Instant>,
}

impl CallContext {
    /// The call that runs in this task, if one does.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs a future as a part of this call.
    pub(crate) async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// From a request's headers; what it does not say is made up.
    pub(crate) fn read(headers: &HeaderMap, deadline: Option<Instant>, ids: &Ids) -> Self {
        let trace = headers
            .get(TRACE_PARENT)
            .and_then(|value| TraceParent::parse(value.to_str().ok()?))
            .map_or_else(|| TraceParent::new(ids), |parent| parent.child(ids));
        let mut request_id = headers
            .get(REQUEST_ID)
            .filter(|id| id.len() <= 128)
            .cloned()
            .unwrap_or_else(|| hex_header(ids.bytes()));
        // No secret: but no two are alike, and HPACK keeps what is sensitive out of its table, where it would
        // only drive out what comes again.
        request_id.set_sensitive(true);
        Self { trace, request_id, deadline }
    }
}

/// A position in a trace: <https://www.w3.org/TR/trace-context/>, version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; not 0.
    pub trace_id: u128,
    /// The span; not 0.
    pub span_id: u64,
    /// Whether it is recorded.
    pub sampled: bool,
}

impl TraceParent {
    fn new(ids: &Ids) -> Self {
        // Drawn at once: every call that nobody traces has one.
        let random = ids.bytes::<24>();
        let (trace, span) = random.split_first_chunk::<16>().expect("24 is more than 16");
        Self {
            trace_id: u128::from_be_bytes(*trace).max(1),
            span_id: u64::from_be_bytes(span.try_into().expect("8 are left")).max(1),
            sampled: false,
        }
    }

    fn child(self, ids: &Ids) -> Self {
        Self { span_id: u64::from_be_bytes(ids.bytes()).max(1), ..self }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let well_formed = version.len() == 2
            && version != "ff"
            && trace.len() == 32
            && span.len() == 16
            && flags.len() == 2;
        if !well_formed || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let parent = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (parent.trace_id != 0 && parent.span_id != 0).then_some(parent)
    }

    /// As a `traceparent` header.
    pub fn header(self) -> HeaderValue {
        let text = format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled));
        HeaderValue::try_from(text).expect("hexadecimal digits and hyphens")
    }
}

fn hex_header(bytes: [u8; 16]) -> HeaderValue {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 0xf]) {
            *digit = b"0123456789abcdef"[usize::from(half)];
        }
    }
    HeaderValue::from_bytes(&digits).expect("hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_standard_shows() {
        let parent = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .expect("the standard's example");
        assert_eq!(parent.header(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert!(parent.sampled);
        for bad in [
            "",
            "00-0-0-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473z-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_child_stays_in_its_trace() {
        let ids = Ids::seeded(1);
        let mut headers = HeaderMap::new();
        let sent = TraceParent::new(&ids);
        headers.insert(TRACE_PARENT, sent.header());
        headers.insert(REQUEST_ID, HeaderValue::from_static("mine"));
        let context = CallContext::read(&headers, None, &ids);
        assert_eq!(context.trace.trace_id, sent.trace_id);
        assert_ne!(context.trace.span_id, sent.span_id);
        assert_eq!(context.request_id, "mine");
    }
}
