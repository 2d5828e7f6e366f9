//! GitHub: an HMAC of the body (`X-Hub-Signature-256`). The id of a delivery is not signed: whoever has one request can
//! send it again under another id, as with GitHub itself; it takes somebody who reads what is sent over TLS.

use super::{Came, Verified, code, invalid};
use crate::Error;

pub(super) fn verify(secrets: &[Vec<u8>], came: &Came<'_>) -> Result<Verified, Error> {
    let signature = came.needed("x-hub-signature-256")?;
    let given = signature.strip_prefix("sha256=").and_then(code::of_hex).ok_or_else(invalid)?;
    if !code::sha256(secrets, &[came.body], &given) {
        return Err(invalid());
    }
    Ok(Verified {
        event_id: came.header("x-github-delivery").to_owned(),
        event_type: came.header("x-github-event").to_owned(),
        ..Verified::default()
    })
}
