//! DismissDelivery: a dead letter was looked after.

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::trigger::v1::{Delivery, DismissDeliveryRequest};
use weft_store::{DeliveryKind, DeliveryRow, Dismissal};

use super::get_delivery::{self, find};
use crate::{Error, domain::kept, state::State};

pub(crate) async fn handle(state: &State, call: Call<DismissDeliveryRequest>) -> Result<Delivery, Error> {
    let full = call.message.name;
    let (_, row) = find(state, &full).await?;
    let head = kept::head(&row)?;
    dismiss(state, vec![(row, head)]).await?;
    let (trigger, row) = find(state, &full).await?;
    Ok(get_delivery::shown(trigger, row.id, kept::head(&row)?))
}

/// Says of dead letters that they are none any more, and how many were until then. Others stay as they are.
pub(super) async fn dismiss(state: &State, deliveries: Vec<(DeliveryRow, Delivery)>) -> Result<usize, Error> {
    let now = Some(state.now().into());
    let dead = deliveries.into_iter().filter(|(row, _)| row.kind == DeliveryKind::Dead);
    let dismissals: Vec<Dismissal> = dead
        .map(|(row, head)| {
            // As it is on disk: its name and what follows from it are said anew each time.
            let head = Delivery {
                name: String::new(),
                uid: String::new(),
                dead_letter: false,
                dismiss_time: now,
                ..head
            };
            Dismissal { id: row.id, head: head.encode_to_vec().into() }
        })
        .collect();
    if dismissals.is_empty() {
        return Ok(0);
    }
    let dismissed = state.store.dismiss_deliveries(dismissals).await?.len();
    state.news.tell();
    Ok(dismissed)
}
