//! ReceiveWebhook: who is it from, was it here before, on disk, and what the answer is.

use std::{sync::Arc, time::Duration};

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
use weft_store::Accepted;

use super::fire_trigger::OURS;
use crate::{
    Error,
    domain::{
        delivery::Same,
        event::{Content, headers_kept},
        kept::{self, KeptEvent},
        name,
        webhook::{self, Came},
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
    let ready = state.readies.by_token(&*state.store, &state.seal, &request.token).await?;
    let webhook = ready.webhook().ok_or(Error::UnknownToken)?;
    if ready.trigger.paused {
        return Err(Error::Paused);
    }
    let now = state.now();
    let came = Came {
        headers: &request.headers,
        body: &request.body,
        request_id: &request.request_id,
        now: now.as_micros() / 1_000_000,
    };
    check(webhook, &request)?;
    let verified = match webhook::verify(webhook, &ready.secrets, &came) {
        Ok(verified) => verified,
        Err(error) => {
            note(state, &ready, &request, &error);
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
    let headers = headers_kept(request.headers.iter(), |name| webhook::is_secret(webhook, name));
    let event = KeptEvent { headers, body: request.body.clone(), ..KeptEvent::default() };
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
fn note(state: &State, ready: &Ready, request: &ReceiveWebhookRequest, error: &Error) {
    let Error::NotVerified { reason, message, .. } = error else { return };
    let head = Delivery { reason: (*reason).to_owned(), message: (*message).to_owned(), ..head(request) };
    // A minute has ten places: what comes to a place that is taken is known already.
    let minute = state.now().as_micros() / 60_000_000;
    let place = state.ids.bytes::<1>()[0] % 10;
    let row = state.maker().idle(ready.uid, &Same::Refused(minute, place), &head, DeliveryState::Refused);
    state.intake.note(row);
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
