//! Slack: `X-Slack-Signature: v0=HEX` over `v0:SECONDS:body`. It asks once whether an address is right, and waits for
//! its own word back.

use serde::Deserialize;
use weft_proto::weft::trigger::v1::WebhookSource;

use super::{Came, Verified, code, invalid};
use crate::Error;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    r#type: String,
    challenge: String,
    event_id: String,
    event: Inner,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inner {
    r#type: String,
}

pub(super) fn verify(
    source: &WebhookSource,
    secrets: &[Vec<u8>],
    came: &Came<'_>,
) -> Result<Verified, Error> {
    let signature = came.needed("x-slack-signature")?;
    let seconds = came.needed("x-slack-request-timestamp")?;
    let given = signature.strip_prefix("v0=").and_then(code::of_hex).ok_or_else(invalid)?;
    if !code::sha256(secrets, &[b"v0:", seconds.as_bytes(), b":", came.body], &given) {
        return Err(invalid());
    }
    came.in_time(seconds, source)?;
    let envelope: Envelope = code::object(came.body);
    let is_question = envelope.r#type == "url_verification";
    let signature = if envelope.event_id.is_empty() { signature.to_owned() } else { String::new() };
    let event_type = if envelope.event.r#type.is_empty() { envelope.r#type } else { envelope.event.r#type };
    Ok(Verified {
        event_id: envelope.event_id,
        event_type,
        signature,
        challenge: is_question.then_some(envelope.challenge),
    })
}
