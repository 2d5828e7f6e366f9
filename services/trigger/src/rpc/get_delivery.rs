//! GetDelivery.

use uuid::Uuid;
use weft_kit::Call;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryState, DeliveryView, GetDeliveryRequest};
use weft_store::StoreError;

use super::get_trigger;
use crate::{
    Error,
    domain::{content, kept, name},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<GetDeliveryRequest>) -> Result<Delivery, Error> {
    let full = call.message.name.clone();
    let missing = || Error::DeliveryNotFound(full.clone());
    let (trigger, id) = name::delivery(&full).ok_or_else(missing)?;
    let row = get_trigger::row(state, trigger).await?;
    let found = state.store.get_delivery(row.uid, id).await.map_err(|error| match error {
        StoreError::NotFound { .. } => missing(),
        error => error.into(),
    })?;
    let mut delivery = shown(trigger, id, kept::head(&found)?);
    if call.message.view() == DeliveryView::Full {
        delivery.content = content::of(&delivery, kept::event(&found)?);
    }
    Ok(delivery)
}

/// A delivery as clients see it.
pub(super) fn shown(trigger: &str, id: Uuid, head: Delivery) -> Delivery {
    let dead_letter = head.state() == DeliveryState::Failed && head.dismiss_time.is_none();
    Delivery { name: name::of_delivery(trigger, id), uid: id.to_string(), dead_letter, ..head }
}
