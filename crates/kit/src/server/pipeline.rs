//! The stages of a call, in their order. Read `serve` from top to bottom: that is what happens.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use hashbrown::HashMap;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tracing::Instrument;
use weft_proto::{Method, Methods};

use super::{
    RateLimits,
    accept::PeerAddress,
    authorise::authorise,
    body::{WatchedBody, deadline_exceeded, panicked},
    ending::{self, Ending},
    first_message::first_message,
    load::{Load, Place},
    malformed,
    services::{Handler, Services},
    trace::{CallContext, REQUEST_ID},
};
use crate::{
    Caller, Ids, Lifecycle, Problem, Respond, Responding,
    auth::Authenticator,
    call::Deadline,
    config::LimitOptions,
    metrics::{MethodMeter, Metrics},
    timeout,
};

/// What guards the calls of a process; shared by all its services. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guards {
    /// Who is calling.
    pub authenticator: Arc<Authenticator>,
    /// How often.
    pub rates: RateLimits,
    /// How much at once, how large and how long.
    pub limits: LimitOptions,
    /// What is counted.
    pub metrics: Metrics,
    /// Request and trace ids.
    pub ids: Ids,
    /// The end of the process.
    pub lifecycle: Lifecycle,
}

/// A service behind all stages: every call to it, from a socket or from this very process, walks
/// through them.
#[derive(Clone)]
pub struct Pipeline(Arc<Shared>);

struct Shared {
    methods: HashMap<String, Entry>,
    guards: Guards,
    load: Load,
}

struct Entry {
    method: Method,
    /// Whether its client says more than one message.
    client_streaming: bool,
    /// Whether either side does.
    streaming: bool,
    /// Whether an answer that breaks off can be gone on with elsewhere: of streams that only read.
    resumable: bool,
    meter: MethodMeter,
    handler: Handler,
}

impl Entry {
    fn new(method: &Method, meter: MethodMeter, handler: Handler) -> Self {
        Self {
            client_streaming: method.descriptor.is_client_streaming(),
            streaming: method.is_streaming(),
            resumable: method.descriptor.is_server_streaming()
                && method.idempotency == weft_proto::Idempotency::NoSideEffects,
            method: method.clone(),
            meter,
            handler,
        }
    }
}

impl Pipeline {
    /// Puts `services` behind the stages. `methods` says what the contracts ask of each method; a
    /// method that is not in it does not exist.
    pub fn new(services: &Services, methods: &Methods, guards: Guards) -> Self {
        let methods = methods
            .iter()
            .filter_map(|method| {
                let handler = services.get(method.descriptor.parent_service().full_name())?.clone();
                let meter = guards.metrics.method(&method.path);
                Some((method.path.clone(), Entry::new(method, meter, handler)))
            })
            .collect();
        let load = Load::new(&guards.limits);
        Self(Arc::new(Shared { methods, guards, load }))
    }
}

impl Shared {
    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let Some(entry) = self.methods.get(request.uri().path()) else {
            return refuse(
                Problem::unimplemented(
                    "UNKNOWN_METHOD",
                    format!("there is no method {}", request.uri().path()),
                )
                .into(),
            );
        };

        // Trace, metrics and request id: from here on the call is known, however it ends.
        let deadline = deadline(request.headers(), entry.streaming, self.guards.limits.max_call_duration);
        let call = CallContext::read(request.headers(), deadline, &self.guards.ids);
        let span = ending::span(&entry.method.path, &call);
        crate::observe::continue_trace(&span, request.headers());
        let mut ending = Ending::new(entry.meter.begin(), span.clone());

        // Admission and handler run inside the deadline; a panic in them is an answer too.
        // Boxed, because each of the wrappers would move all of it once more.
        let admitted = Box::pin(self.admit(entry, request, deadline));
        let work = call.clone().scope(admitted).instrument(span.clone());
        let work = AssertUnwindSafe(work).catch_unwind();
        let outcome = match self.begins_by(entry, deadline) {
            None => work.await,
            Some(at) => {
                tokio::time::timeout_at(at, work).await.unwrap_or_else(|_| Ok(Err(deadline_exceeded())))
            }
        };
        let outcome = outcome.unwrap_or_else(|_| Err(panicked()));

        let mut response = match outcome {
            Ok((response, place)) => self.watch(response, entry, deadline, ending, place),
            Err(status) => {
                log_refusal(&span, &status);
                ending.tell(status.code());
                refuse(status)
            }
        };
        response.headers_mut().insert(HeaderName::from_static(REQUEST_ID), call.request_id);
        response
    }

    /// The stages that may refuse a call, and then its handler.
    async fn admit(
        &self,
        entry: &Entry,
        mut request: Request<Body>,
        deadline: Option<Instant>,
    ) -> Result<(Response<Body>, Place), Status> {
        let guards = &self.guards;
        let place = self.load.admit(entry.streaming)?;

        let mut caller = Caller::clone(&*guards.authenticator.authenticate(request.headers()).await?);
        caller.address = request.extensions().get::<PeerAddress>().map(|address| address.0.ip());

        if entry.client_streaming {
            request = request.map(never_whole);
        }
        if let Some(policy) = &entry.method.policy {
            guards.rates.charge(policy, &caller)?;
        }
        let gzip = malformed::is_gzip(request.headers())?;
        if entry.method.resource_path.is_empty() {
            authorise(&entry.method, &caller, None)?;
        } else {
            let (parts, body) = request.into_parts();
            let (message, body) = first_message(body, guards.limits.max_message_bytes, gzip).await?;
            let resource = message
                .as_deref()
                .and_then(|message| weft_proto::string_at(message, &entry.method.resource_path));
            let broken = resource.is_none()
                && message.as_deref().is_some_and(|message| !weft_proto::is_well_formed(message));
            authorise(&entry.method, &caller, resource).map_err(|refusal| match refusal.code() {
                Code::InvalidArgument if broken => malformed::malformed("the message cannot be decoded"),
                _ => refusal,
            })?;
            request = Request::from_parts(parts, body);
        }

        request.extensions_mut().insert(caller);
        if let Some(at) = deadline {
            request.extensions_mut().insert(Deadline(at));
        }
        let Ok(response) = entry.handler.respond(request).await;
        if let Some(refusal) =
            Status::from_header_map(response.headers()).and_then(|status| malformed::refusal(&status))
        {
            return Err(refusal);
        }
        Ok((response, place))
    }

    /// When the answer must have begun. Answers may be streams without an end, but the one message of the
    /// request is not waited for longer than a whole call may take: its own deadline says so where nothing streams.
    fn begins_by(&self, entry: &Entry, deadline: Option<Instant>) -> Option<Instant> {
        if entry.client_streaming || !entry.streaming {
            return deadline;
        }
        let most = Instant::now().checked_add(self.guards.limits.max_call_duration);
        deadline.into_iter().chain(most).min()
    }

    /// Watches over the answer's body. Streams that only read can resume elsewhere, so they end
    /// when the process begins to; the others may finish.
    fn watch(
        &self,
        response: Response<Body>,
        entry: &Entry,
        deadline: Option<Instant>,
        mut ending: Ending,
        place: Place,
    ) -> Response<Body> {
        if let Some(status) = Status::from_header_map(response.headers()) {
            ending.tell(status.code());
            return response;
        }
        response.map(|body| {
            let watched = WatchedBody::new(body, deadline, ending, place);
            if !entry.resumable {
                return Body::new(watched);
            }
            Body::new(watched.until(self.guards.lifecycle.given_draining()))
        })
    }
}

impl<E: 'static> Respond<E> for Pipeline {
    fn respond(&self, request: Request<Body>) -> Responding<E> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { Ok(shared.serve(request).await) })
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pipeline").finish_non_exhaustive()
    }
}

/// A request's stream whose breaking off is an error of its own: tonic takes a reset with CANCEL
/// for the end of the stream, and half an upload must never look like a whole one.
fn never_whole(body: Body) -> Body {
    Body::new(body.map_err(|_| Status::aborted("the client's stream broke off")))
}

fn refuse(status: Status) -> Response<Body> {
    status.into_http()
}

fn log_refusal(span: &tracing::Span, status: &Status) {
    let _entered = span.enter();
    match status.code() {
        Code::Internal | Code::Unknown | Code::DataLoss => {
            tracing::error!(code = ?status.code(), message = status.message(), "call failed");
        }
        code => tracing::debug!(?code, message = status.message(), "call refused"),
    }
}

/// When the client gives up: what it says in `grpc-timeout`, and for a call that is not a stream
/// never more than `most`.
fn deadline(headers: &HeaderMap, streaming: bool, most: Duration) -> Option<Instant> {
    let asked = headers.get("grpc-timeout").and_then(|value| timeout::parse_grpc(value.to_str().ok()?));
    let timeout = if streaming { asked } else { Some(asked.map_or(most, |asked| asked.min(most))) };
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}
