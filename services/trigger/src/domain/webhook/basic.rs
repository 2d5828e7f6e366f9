//! A name and a password, as RFC 7617 has them.

use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;
use weft_proto::weft::trigger::v1::WebhookSource;

use super::{Came, Verified};
use crate::Error;

pub(super) fn verify(
    source: &WebhookSource,
    secrets: &[Vec<u8>],
    came: &Came<'_>,
) -> Result<Verified, Error> {
    let refused = || Error::NotVerified {
        reason: "CREDENTIALS_INVALID",
        message: "the name and the password are not the ones of this webhook",
        basic: true,
    };
    let (scheme, given) = came.header("authorization").split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let given = STANDARD.decode(given.trim()).map_err(|_| refused())?;
    let is_theirs = secrets.iter().any(|password| {
        let expected = [source.username.as_bytes(), b":", password].concat();
        bool::from(expected.ct_eq(&given))
    });
    if is_theirs { Ok(Verified::default()) } else { Err(refused()) }
}
