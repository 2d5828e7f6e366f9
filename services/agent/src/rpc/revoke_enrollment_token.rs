//! RevokeEnrollmentToken.

use weft_kit::Call;
use weft_proto::weft::agent::v1::{EnrollmentToken, RevokeEnrollmentTokenRequest};
use weft_store::StoreError;

use super::token_message;
use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<RevokeEnrollmentTokenRequest>,
) -> Result<EnrollmentToken, Error> {
    let full = call.message.name;
    let (project, id) = name::token(&full).ok_or_else(|| Error::TokenNotFound(full.clone()))?;
    match state.store.revoke_enrollment_token(project, id, state.now()).await {
        Ok(row) => {
            tracing::info!(token = %full, by = %call.caller.name, "enrollment token revoked");
            Ok(token_message::of(&row))
        }
        Err(StoreError::NotFound { .. }) => Err(Error::TokenNotFound(full)),
        Err(error) => Err(error.into()),
    }
}
