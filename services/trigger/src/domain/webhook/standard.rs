//! Standard Webhooks (standardwebhooks.com), symmetric: `webhook-signature: v1,BASE64 …` over `id.SECONDS.body`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use weft_proto::weft::trigger::v1::WebhookSource;

use super::{Came, Verified, code, invalid};
use crate::Error;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    r#type: String,
}

/// The bytes that sign, of `whsec_…`.
pub(super) fn key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

pub(super) fn verify(
    source: &WebhookSource,
    secrets: &[Vec<u8>],
    came: &Came<'_>,
) -> Result<Verified, Error> {
    let signatures = came.needed("webhook-signature")?;
    let (id, seconds) = (came.needed("webhook-id")?, came.needed("webhook-timestamp")?);
    let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", came.body];
    let mut codes = signatures
        .split([' ', ','])
        .filter(|part| !part.is_empty() && *part != "v1" && *part != "v1a")
        .filter_map(|code| STANDARD.decode(code).ok());
    if !codes.any(|given| code::sha256(secrets, &signed, &given)) {
        return Err(invalid());
    }
    came.in_time(seconds, source)?;
    let event: Event = code::object(came.body);
    Ok(Verified { event_id: id.to_owned(), event_type: event.r#type, ..Verified::default() })
}
