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
        kept::{self, KeptEvent, Rights},
    },
    pending::Pending,
    state::{State, may_start},
};

/// Largest body.
const LARGEST: usize = 256 << 10;
/// How long it is waited for the run to be started.
const WAIT: Duration = Duration::from_secs(10);
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
    let head = Delivery {
        cause: DeliveryCause::Manual.into(),
        body_bytes: i32::try_from(body.encoded_len()).unwrap_or(i32::MAX),
        ..Delivery::default()
    };
    let event = KeptEvent {
        body: body.encode_to_vec().into(),
        rights: Some(Rights::of(&caller, &row.project)),
        ..KeptEvent::default()
    };
    let same = match request.request_id.as_str() {
        "" => Same::Nothing(state.ids.uuid()),
        id => Same::Hand(&caller.name, id),
    };
    let now = state.now();
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
