//! RotateSigningKey: a new key signs from now on; tokens of the old one stay good.

use weft_kit::Call;
use weft_proto::weft::identity::v1::{RotateSigningKeyRequest, RotateSigningKeyResponse};
use weft_store::{StoreError, Written, once};

use crate::{Error, keys, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<RotateSigningKeyRequest>,
) -> Result<RotateSigningKeyResponse, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "RotateSigningKey", &request_id, &request);
    let key = keys::fresh(&state.seal, &state.clock, &state.ids);
    let answer = RotateSigningKeyResponse { kid: key.kid.clone() };
    let answer = match state.store.rotate_signing_key(key, once::remember(once, &answer)).await {
        Ok(Written::Done(_)) => answer,
        Ok(Written::Replayed(answer)) => return once::replay(&answer),
        Err(StoreError::Conflict { .. }) => return Err(Error::RequestIdReused),
        Err(error) => return Err(error.into()),
    };
    let keys = keys::load(&*state.store, &state.seal, &state.clock, &state.ids).await?;
    *state.keys.write().expect("nobody panics with it") = keys;
    tracing::info!(kid = %answer.kid, by = %caller.name, "signing key rotated");
    Ok(answer)
}
