//! RedeliverDelivery: what came once starts a run again, as a new delivery.

use tokio::sync::oneshot;
use uuid::Uuid;
use weft_kit::{Call, Caller};
use weft_proto::weft::trigger::v1::{Delivery, RedeliverDeliveryRequest};
use weft_store::{Accepted, DeliveryRow};

use super::{
    dismiss_delivery::dismiss,
    fire_trigger::{OURS, WAIT},
    get_delivery::{self, find},
};
use crate::{
    Error,
    domain::{
        again::again,
        delivery::{Maker, Same},
        kept::{self, Rights},
        name,
    },
    pending::Pending,
    state::{State, may_start},
};

pub(crate) async fn handle(state: &State, call: Call<RedeliverDeliveryRequest>) -> Result<Delivery, Error> {
    let Call { caller, message: request, .. } = call;
    let (trigger, first) = find(state, &request.name).await?;
    may_start(&caller, name::project(trigger))?;
    let own = state.ids.uuid().to_string();
    let request_id = if request.request_id.is_empty() { &own } else { &request.request_id };
    let head = kept::head(&first)?;
    let row = repeat(&state.maker(), &caller, (&request.name, &first, &head), request_id)?;
    let (id, shown, done) = match state.intake.keep(row.clone()).await? {
        Accepted::Known(known) => (known.id, kept::head(&known)?, None),
        Accepted::New => {
            let (done, outcome) = oneshot::channel();
            let mut pending = Pending::of(row)?;
            let (id, head) = (pending.row.id, pending.head.clone());
            (pending.due, pending.done) = (state.now().as_micros(), Some(done));
            state.dispatcher.offer(pending);
            (id, head, Some(outcome))
        }
    };
    dismiss(state, vec![(first, head)]).await?;
    let outcome = match done {
        Some(done) => tokio::time::timeout(WAIT, done).await.ok().and_then(Result::ok),
        None => None,
    };
    Ok(get_delivery::shown(trigger, id, outcome.unwrap_or(shown)))
}

/// The delivery that repeats one, which others leave to this process for a while.
pub(super) fn repeat(
    maker: &Maker<'_>,
    caller: &Caller,
    (name, first, head): (&str, &DeliveryRow, &Delivery),
    request_id: &str,
) -> Result<DeliveryRow, Error> {
    let rights = Rights::of(caller, name::project(name));
    let (head, event) = again(name, first, head, kept::event(first)?, rights)?;
    let same: (Uuid, &Same<'_>) = (first.trigger, &Same::Again(&caller.name, request_id, first.id));
    Ok(maker.pending(same, &head, &event, maker.now.after(OURS)))
}
