//! FireTrigger: a run now, with the rights of whoever asks.

use std::time::Duration;

use prost::Message;
use tokio::sync::oneshot;
use weft_kit::Call;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryCause, FireTriggerRequest};
use weft_store::Accepted;

use super::{get_delivery, get_trigger};
use crate::{
    Error,
    domain::{
        delivery::Same,
        kept::{self, KeptEvent, KeptTrigger, Rights},
        trial,
    },
    pending::Pending,
    state::{State, may_start},
};

/// Largest body.
const LARGEST: usize = 256 << 10;
/// How long it is waited for the run to be started.
pub(super) const WAIT: Duration = Duration::from_secs(10);
/// For how long others leave it to this process to start it.
pub(super) const OURS: Duration = Duration::from_secs(20);

pub(crate) async fn handle(state: &State, call: Call<FireTriggerRequest>) -> Result<Delivery, Error> {
    let Call { caller, message: request, .. } = call;
    let row = get_trigger::row(state, &request.name).await?;
    may_start(&caller, &row.project)?;
    let body = request.body.unwrap_or_default();
    if body.encoded_len() > LARGEST {
        return Err(Error::field("body", format!("has more than {LARGEST} bytes")));
    }
    if weft_kit::json::is_too_deep(&weft_kit::json::of_struct(&body)) {
        return Err(Error::field("body", "is nested too deep"));
    }
    let rights = Some(Rights::of(&caller, &row.project));
    let now = state.now();
    let (head, event) = if request.test {
        let trigger = KeptTrigger::read(&row)?.trigger.unwrap_or_default();
        let made = trial::Made { event_type: request.event_type, headers: request.headers, body };
        trial::as_it_would_come(&trigger, made, now)
    } else {
        if !request.headers.is_empty() || !request.event_type.is_empty() {
            let field = if request.headers.is_empty() { "event_type" } else { "headers" };
            return Err(Error::field(field, "is of a test"));
        }
        by_hand(&body)
    };
    let event = KeptEvent { rights, ..event };
    let same = match request.request_id.as_str() {
        "" => Same::Nothing(state.ids.uuid()),
        id => Same::Hand(&caller.name, id),
    };
    let delivery = state.maker().pending((row.uid, &same), &head, &event, now.after(OURS));
    match state.intake.keep(delivery.clone()).await? {
        Accepted::Known(known) => Ok(get_delivery::shown(&request.name, known.id, kept::head(&known)?)),
        Accepted::New => {
            let (done, outcome) = oneshot::channel();
            let mut pending = Pending::of(delivery)?;
            let (id, head) = (pending.row.id, pending.head.clone());
            (pending.due, pending.done) = (now.as_micros(), Some(done));
            state.dispatcher.offer(pending);
            let outcome = tokio::time::timeout(WAIT, outcome).await;
            let head = outcome.ok().and_then(Result::ok).unwrap_or(head);
            Ok(get_delivery::shown(&request.name, id, head))
        }
    }
}

/// A delivery that is what it is: somebody's hand.
fn by_hand(body: &prost_types::Struct) -> (Delivery, KeptEvent) {
    let body: bytes::Bytes = body.encode_to_vec().into();
    let head = Delivery {
        cause: DeliveryCause::Manual.into(),
        body_bytes: i32::try_from(body.len()).unwrap_or(i32::MAX),
        ..Delivery::default()
    };
    (head, KeptEvent { body, ..KeptEvent::default() })
}
