//! GetDelivery.

use uuid::Uuid;
use weft_kit::Call;
use weft_proto::weft::trigger::v1::{Delivery, GetDeliveryRequest};
use weft_store::StoreError;

use super::get_trigger;
use crate::{
    Error,
    domain::{kept, name},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<GetDeliveryRequest>) -> Result<Delivery, Error> {
    let full = call.message.name;
    let missing = || Error::DeliveryNotFound(full.clone());
    let (trigger, id) = name::delivery(&full).ok_or_else(missing)?;
    let row = get_trigger::row(state, trigger).await?;
    let found = state.store.get_delivery(row.uid, id).await.map_err(|error| match error {
        StoreError::NotFound { .. } => missing(),
        error => error.into(),
    })?;
    Ok(shown(trigger, id, kept::head(&found)?))
}

/// A delivery as clients see it.
pub(super) fn shown(trigger: &str, id: Uuid, head: Delivery) -> Delivery {
    Delivery { name: name::of_delivery(trigger, id), uid: id.to_string(), ..head }
}
