//! GitLab: a secret as it is (`X-Gitlab-Token`).

use subtle::ConstantTimeEq;

use super::{Came, Verified, refused};
use crate::Error;

pub(super) fn verify(secrets: &[Vec<u8>], came: &Came<'_>) -> Result<Verified, Error> {
    let token = came.needed("x-gitlab-token")?.as_bytes();
    if !secrets.iter().any(|secret| bool::from(secret.ct_eq(token))) {
        return Err(refused("TOKEN_INVALID", "the token is not the one of this webhook"));
    }
    Ok(Verified {
        event_id: came.header("idempotency-key").to_owned(),
        event_type: came.header("x-gitlab-event").to_owned(),
        ..Verified::default()
    })
}
