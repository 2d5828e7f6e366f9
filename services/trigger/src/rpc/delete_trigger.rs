//! DeleteTrigger: what waits to be started by it is not.

use weft_kit::Call;
use weft_proto::weft::trigger::v1::DeleteTriggerRequest;

use super::get_trigger;
use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(state: &State, call: Call<DeleteTriggerRequest>) -> Result<(), Error> {
    let DeleteTriggerRequest { name: full, etag } = call.message;
    let (project, id) = name::trigger(&full);
    let expected = match etag.as_str() {
        "" => None,
        etag => Some(etag.parse().map_err(|_| Error::EtagMismatch(full.clone()))?),
    };
    let row = get_trigger::row(state, &full).await?;
    state.store.delete_trigger(project, id, expected).await.map_err(Error::of_trigger(&full))?;
    state.changed(&row).await;
    Ok(())
}
