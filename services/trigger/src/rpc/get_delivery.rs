//! GetDelivery.

use uuid::Uuid;
use weft_kit::Call;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryState, DeliveryView, GetDeliveryRequest};
use weft_store::{DeliveryRow, StoreError};

use super::get_trigger;
use crate::{
    Error,
    domain::{content, kept, name},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<GetDeliveryRequest>) -> Result<Delivery, Error> {
    let (trigger, found) = find(state, &call.message.name).await?;
    let mut delivery = shown(trigger, found.id, kept::head(&found)?);
    if call.message.view() == DeliveryView::Full {
        delivery.content = content::of(&delivery, kept::event(&found)?);
    }
    Ok(delivery)
}

/// The name of its trigger, and the delivery of that name.
pub(super) async fn find<'n>(state: &State, full: &'n str) -> Result<(&'n str, DeliveryRow), Error> {
    let missing = || Error::DeliveryNotFound(full.to_owned());
    let (trigger, id) = name::delivery(full).ok_or_else(missing)?;
    let row = get_trigger::row(state, trigger).await?;
    let found = state.store.get_delivery(row.uid, id).await.map_err(|error| match error {
        StoreError::NotFound { .. } => missing(),
        error => error.into(),
    })?;
    Ok((trigger, found))
}

/// A delivery as clients see it.
pub(super) fn shown(trigger: &str, id: Uuid, head: Delivery) -> Delivery {
    let dead_letter = head.state() == DeliveryState::Failed && head.dismiss_time.is_none();
    Delivery { name: name::of_delivery(trigger, id), uid: id.to_string(), dead_letter, ..head }
}
