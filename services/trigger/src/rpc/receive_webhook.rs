//! ReceiveWebhook: who is it from, was it here before, on disk, and what the answer is.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::json;
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;
use weft_kit::{Call, span};
use weft_proto::weft::{
    execution::v1::{Execution, ExecutionState, WatchExecutionRequest, watch_execution_response::Event},
    trigger::v1::{
        Delivery, DeliveryCause, DeliveryState, ReceiveWebhookRequest, ReceiveWebhookResponse, WebhookSource,
    },
};
use weft_store::{Accepted, Timestamp};

use super::fire_trigger::OURS;
use crate::{
    Error,
    domain::{
        content,
        delivery::Same,
        event::{Content, headers_kept},
        kept::{self, KeptEvent},
        name,
        webhook::{self, Came, Verified},
    },
    pending::Pending,
    ready::Ready,
    state::State,
};

/// Largest body where nothing is said.
const LARGEST: usize = 256 << 10;
/// How much of the time of a call is left for the answer.
const SPARE: Duration = Duration::from_secs(2);
/// Longest id and type of an event that are kept, in characters.
const LONGEST: usize = 200;

pub(crate) async fn handle(
    state: &State,
    call: Call<ReceiveWebhookRequest>,
) -> Result<ReceiveWebhookResponse, Error> {
    let Call { message: request, deadline, .. } = call;
    let arrived = Instant::now();
    let now = state.now();
    let ready = named(state, &request, now).await?;
    let webhook = ready.webhook().ok_or(Error::UnknownToken)?;
    let came = Came {
        headers: &request.headers,
        body: &request.body,
        request_id: &request.request_id,
        now: now.as_micros() / 1_000_000,
    };
    let verified = match admit(state, &ready, webhook, &request, &came) {
        Ok(verified) => verified,
        Err(error) => {
            note(state, &ready, webhook, &request, &error);
            return Err(error);
        }
    };
    if let Some(challenge) = verified.challenge {
        let body = challenge.into_bytes().into();
        return Ok(ReceiveWebhookResponse { http_status: 200, body, content_type: "text/plain".to_owned() });
    }
    let head = Delivery {
        event_id: short(&verified.event_id),
        event_type: short(&verified.event_type),
        ..head(&request)
    };
    let same = verified.same(&came);
    let event = kept_of(webhook, &request, request.body.clone());
    let row = state.maker().pending((ready.uid, &same), &head, &event, now.after(OURS));
    let wait =
        webhook.wait_duration.as_ref().map(|wait| Duration::from_micros(span::micros(wait).unsigned_abs()));
    // An answer in time says more than that the time is over.
    let latest = deadline.and_then(|deadline| deadline.checked_sub(SPARE));
    let until = wait.map(|wait| latest.map_or(arrived + wait, |latest| latest.min(arrived + wait)));
    match state.intake.keep(row.clone()).await? {
        Accepted::Known(known) => {
            let known_head = kept::head(&known)?;
            answer(state, &ready, known.id, known_head, until).await
        }
        Accepted::New => {
            let mut pending = Pending::of(row)?;
            let (id, mut head) = (pending.row.id, pending.head.clone());
            pending.due = now.as_micros();
            pending.ready = Some(Arc::clone(&ready));
            let Some(until) = until else {
                state.dispatcher.offer(pending);
                return answer(state, &ready, id, head, None).await;
            };
            let (done, outcome) = oneshot::channel();
            pending.done = Some(done);
            state.dispatcher.offer(pending);
            if let Ok(Ok(outcome)) = tokio::time::timeout_at(until, outcome).await {
                head = outcome;
            }
            answer(state, &ready, id, head, Some(until)).await
        }
    }
}

/// The trigger that a request names. Who names many that are not there may name no others for a while; whoever is known
/// is let in from the same address all the same.
async fn named(state: &State, request: &ReceiveWebhookRequest, now: Timestamp) -> Result<Arc<Ready>, Error> {
    let (address, guesses, now) = (&request.address, state.options.guesses_per_second, now.as_micros());
    let token = &request.token;
    let look = async || {
        let found = state.readies.by_token(&*state.store, &state.seal, token).await;
        if matches!(found, Err(Error::UnknownToken)) {
            state.meter.refused("WEBHOOK_NOT_FOUND");
        }
        found
    };
    if state.readies.knows_token(token) {
        return look().await;
    }
    // Many that come at once to one that is there are one guess.
    let turn = state.readies.turn(token);
    let _turn = turn.lock().await;
    if state.readies.knows_token(token) {
        return look().await;
    }
    // Taken before it is looked: of those that ask at once each counts.
    let guess = state.limits.guess(address, guesses, now);
    let guess = guess.inspect_err(|_| state.meter.refused("WEBHOOK_TOO_OFTEN"))?;
    let found = look().await;
    // Given back also where it could not be looked: that is not the caller's fault.
    if !matches!(found, Err(Error::UnknownToken)) {
        guess.was_right();
    }
    found
}

/// Whether a request is taken. What costs little is looked at first.
fn admit(
    state: &State,
    ready: &Ready,
    webhook: &WebhookSource,
    request: &ReceiveWebhookRequest,
    came: &Came<'_>,
) -> Result<Verified, Error> {
    let (usual, now) = (state.options.webhooks_per_second, state.now().as_micros());
    state.limits.take(ready.uid, webhook, usual, now)?;
    if ready.trigger.paused {
        return Err(Error::Paused);
    }
    check(webhook, request)?;
    webhook::verify(webhook, &ready.secrets, came)
}

/// What is kept of a request.
fn kept_of(webhook: &WebhookSource, request: &ReceiveWebhookRequest, body: Bytes) -> KeptEvent {
    let is_secret = |name: &str| webhook::is_secret(webhook, name);
    let masked = request.headers.keys().filter(|name| is_secret(name)).cloned().collect();
    let headers = headers_kept(request.headers.iter(), is_secret);
    KeptEvent { headers, masked, body, query: request.query.clone(), ..KeptEvent::default() }
}

/// What can be said of a request before it is looked whom it is from.
fn check(webhook: &WebhookSource, request: &ReceiveWebhookRequest) -> Result<(), Error> {
    let most = match usize::try_from(webhook.max_body_bytes) {
        Ok(0) | Err(_) => LARGEST,
        Ok(most) => most,
    };
    if request.body.len() > most {
        return Err(Error::TooLarge(most));
    }
    let kind = request.headers.get("content-type").map_or("", String::as_str);
    let packed = request.headers.get("content-encoding").is_some_and(|coding| coding != "identity");
    if Content::of(kind).is_none() || packed {
        return Err(Error::ContentType);
    }
    Ok(())
}

fn head(request: &ReceiveWebhookRequest) -> Delivery {
    Delivery {
        cause: DeliveryCause::Webhook.into(),
        body_bytes: i32::try_from(request.body.len()).unwrap_or(i32::MAX),
        address: request.address.clone(),
        ..Delivery::default()
    }
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// Keeps that a request was refused, if not too many were just now: somebody who guesses must not fill the disk.
fn note(
    state: &State,
    ready: &Ready,
    webhook: &WebhookSource,
    request: &ReceiveWebhookRequest,
    error: &Error,
) {
    let reason = match error {
        Error::NotVerified { reason, .. } => reason,
        Error::TooOften(_) => "WEBHOOK_TOO_OFTEN",
        Error::Paused => "WEBHOOK_PAUSED",
        Error::TooLarge(_) => "WEBHOOK_TOO_LARGE",
        Error::ContentType => "WEBHOOK_CONTENT_TYPE",
        _ => return,
    };
    state.meter.refused(reason);
    let minute = state.now().as_micros() / 60_000_000;
    let Some(place) = state.refusals.place(ready.uid, minute, state.ids.bytes::<1>()[0]) else { return };
    let head = Delivery { reason: reason.to_owned(), message: error.to_string(), ..head(request) };
    let body = request.body.slice(..request.body.len().min(content::OF_REFUSED));
    let event = kept_of(webhook, request, body);
    let same = Same::Refused(minute, place);
    state.intake.note(state.maker().refused((ready.uid, &same), &head, &event));
}

/// What is answered of a delivery: at once, or once its run has ended, if that is before `until`.
async fn answer(
    state: &State,
    ready: &Ready,
    id: Uuid,
    head: Delivery,
    until: Option<Instant>,
) -> Result<ReceiveWebhookResponse, Error> {
    let delivery = name::of_delivery(&ready.name, id);
    let Some(until) = until else { return Ok(json_of(202, &json!({ "delivery": delivery }))) };
    match head.state() {
        DeliveryState::Started => {}
        DeliveryState::Skipped => {
            return Ok(json_of(200, &json!({ "delivery": delivery, "skipped": head.reason })));
        }
        DeliveryState::Failed => return Ok(json_of(502, &failure(&delivery, &head.reason))),
        _ => return Ok(json_of(202, &json!({ "delivery": delivery }))),
    }
    let ended = tokio::time::timeout_at(until, ended(state, &head.execution)).await;
    Ok(match ended {
        Ok(Ok(Some(execution))) if execution.state() == ExecutionState::Succeeded => {
            let output = execution.output.unwrap_or_default();
            let wrapped = prost_types::Struct { fields: [("output".to_owned(), output)].into() };
            json_of(200, &weft_kit::json::of_struct(&wrapped)["output"])
        }
        Ok(Ok(Some(execution))) => {
            let reason = execution.error.map_or("CANCELLED".to_owned(), |error| error.reason);
            json_of(502, &failure(&delivery, &reason))
        }
        // It goes on, or cannot be asked: the delivery was taken all the same.
        Ok(_) | Err(_) => json_of(202, &json!({ "delivery": delivery })),
    })
}

fn failure(delivery: &str, reason: &str) -> serde_json::Value {
    json!({ "delivery": delivery, "failed": reason })
}

/// The run, once it has ended.
async fn ended(state: &State, execution: &str) -> Result<Option<Execution>, tonic::Status> {
    let request = WatchExecutionRequest { name: execution.to_owned(), ..WatchExecutionRequest::default() };
    let mut events = state.executions.clone().watch_execution(request).await?.into_inner();
    let mut last = None;
    while let Some(message) = events.message().await? {
        if let Some(Event::Changes(changes)) = message.event {
            last = changes.execution.or(last);
        }
    }
    Ok(last.filter(|execution: &Execution| execution.end_time.is_some()))
}

fn json_of(http_status: i32, body: &serde_json::Value) -> ReceiveWebhookResponse {
    ReceiveWebhookResponse {
        http_status,
        body: body.to_string().into(),
        content_type: "application/json".to_owned(),
    }
}
