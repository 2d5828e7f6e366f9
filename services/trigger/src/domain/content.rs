//! What is shown of what came with a delivery. What looks like a secret is masked, whoever asks.

use form_urlencoded::Serializer;
use prost::Message;
use prost_types::Struct;
use serde_json::Value as Json;
use weft_kit::json;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryCause, DeliveryContent};

use super::kept::KeptEvent;

/// What stands for a value that is not shown.
const MASK: &str = "***";
/// Bytes that are kept of the body of a request that was refused.
pub(crate) const OF_REFUSED: usize = 4 << 10;

/// What came, as people see it; nothing where nothing came, or it was forgotten.
pub(crate) fn of(head: &Delivery, event: KeptEvent) -> Option<DeliveryContent> {
    if !event.is_kept {
        return None;
    }
    let is_text = || "application/json".to_owned();
    match head.cause() {
        DeliveryCause::Schedule | DeliveryCause::Backfill => None,
        DeliveryCause::Manual => {
            let body = Struct::decode(event.body).unwrap_or_default();
            let body = json::of_struct(&body).to_string().into();
            Some(DeliveryContent { content_type: is_text(), body, ..DeliveryContent::default() })
        }
        DeliveryCause::Webhook | DeliveryCause::Unspecified => Some(request(head, event)),
        _ => {
            Some(DeliveryContent { content_type: is_text(), body: event.body, ..DeliveryContent::default() })
        }
    }
}

fn request(head: &Delivery, event: KeptEvent) -> DeliveryContent {
    let content_type = event.headers.get("content-type").cloned().unwrap_or_default();
    let mut masked_headers = event.masked;
    let mut headers = event.headers;
    headers.retain(|name, _| {
        let is_secret = looks_secret(name);
        if is_secret {
            masked_headers.push(name.clone());
        }
        !is_secret
    });
    masked_headers.sort();
    DeliveryContent {
        headers: headers.into_iter().collect(),
        masked_headers,
        query: masked_query(&event.query),
        content_type,
        truncated: usize::try_from(head.body_bytes).is_ok_and(|bytes| bytes > event.body.len()),
        body: event.body,
    }
}

/// Whether something by that name may be a secret: rather too many than one too few.
fn looks_secret(name: &str) -> bool {
    const PARTS: [&str; 14] = [
        "accesskey",
        "apikey",
        "auth",
        "cookie",
        "credential",
        "hmac",
        "jwt",
        "passphrase",
        "passw",
        "private",
        "secret",
        "session",
        "signature",
        "token",
    ];
    /// As words: `x-access-key`, and not `monkey`.
    const WORDS: [&str; 8] = ["key", "keys", "nonce", "otp", "pass", "pwd", "sig", "sign"];
    // Whole: a code that is sent for a token, and not what others count with.
    const WHOLE: &str = "code";
    let lower = name.to_ascii_lowercase();
    lower == WHOLE
        || PARTS.iter().any(|part| lower.contains(part))
        || words(name).any(|word| WORDS.contains(&word.as_str()))
}

/// The words of a name, in lower case: between signs, and between what is written small and large.
fn words(name: &str) -> impl Iterator<Item = String> {
    let (mut spaced, mut was_small) = (String::with_capacity(name.len()), false);
    for letter in name.chars() {
        if was_small && letter.is_ascii_uppercase() {
            spaced.push(' ');
        }
        was_small = !letter.is_ascii_uppercase();
        spaced.push(if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' });
    }
    let words: Vec<String> = spaced.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.into_iter()
}

/// The event of a request without the values of what may be secrets: what becomes of it where nobody has said which of
/// them are wanted.
pub(crate) fn mask(event: &mut Json) {
    for part in ["headers", "query"] {
        for (name, value) in event[part].as_object_mut().into_iter().flatten() {
            if looks_secret(name) {
                *value = Json::from(MASK);
            }
        }
    }
}

/// A query without the values of what may be secrets.
fn masked_query(query: &str) -> String {
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| looks_secret(&name)) {
        return query.to_owned();
    }
    let mut shown = Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = if looks_secret(&name) { MASK } else { &*value };
        shown.append_pair(&name, value);
    }
    shown.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn event(headers: &[(&str, &str)], query: &str, body: &'static str) -> KeptEvent {
        KeptEvent {
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            masked: vec!["x-signature".to_owned()],
            query: query.to_owned(),
            body: body.into(),
            is_kept: true,
            ..KeptEvent::default()
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_named_and_not_shown() {
        let headers = [("content-type", "text/plain"), ("x-auth-user", "ada"), ("x-vendor-token", "t0p")];
        let head = Delivery { cause: DeliveryCause::Webhook.into(), body_bytes: 5, ..Delivery::default() };
        let shown = of(&head, event(&headers, "a=1&access_token=t0p&key=t0p&b=%C3%A9", "hello")).unwrap();
        assert_eq!(shown.masked_headers, ["x-auth-user", "x-signature", "x-vendor-token"]);
        assert_eq!(
            shown.headers.into_iter().collect::<BTreeMap<_, _>>(),
            BTreeMap::from([("content-type".to_owned(), "text/plain".to_owned())])
        );
        assert_eq!(shown.query, "a=1&access_token=***&key=***&b=%C3%A9");
        assert_eq!(
            (&shown.body[..], &shown.content_type[..], shown.truncated),
            (&b"hello"[..], "text/plain", false)
        );
        for name in [
            "x-access-key",
            "access_key",
            "accessKey",
            "x-functions-key",
            "pwd",
            "x-body-hmac",
            "code",
            "X-KEY",
        ] {
            assert_eq!(masked_query(&format!("{name}=t0p")), format!("{name}=***"));
        }
        // Where there is no secret it is shown to the byte.
        let plain = "monkey=a&keyboard=b&design=c&passed=d&country_code=e&signal=f&compass=g&State=h";
        assert_eq!(masked_query(plain), plain);
        assert_eq!(masked_query("a=%20+1&monkey"), "a=%20+1&monkey");
        let long = Delivery { body_bytes: 6, ..head };
        assert!(of(&long, event(&[], "", "hello")).unwrap().truncated);
    }

    #[test]
    fn what_came_otherwise_is_json() {
        let of_cause = |cause: DeliveryCause, body: bytes::Bytes| {
            let head = Delivery { cause: cause.into(), ..Delivery::default() };
            of(&head, KeptEvent { body, is_kept: true, ..KeptEvent::default() })
        };
        let by_hand = json::to_struct(serde_json::json!({"n": 1})).encode_to_vec();
        let shown = of_cause(DeliveryCause::Manual, by_hand.into()).unwrap();
        assert_eq!((&shown.body[..], &shown.content_type[..]), (&br#"{"n":1}"#[..], "application/json"));
        let shown = of_cause(DeliveryCause::Alert, r#"{"source":"s"}"#.into()).unwrap();
        assert_eq!(&shown.body[..], br#"{"source":"s"}"#);
        assert_eq!(of_cause(DeliveryCause::Schedule, bytes::Bytes::new()), None);
        let forgotten = Delivery { cause: DeliveryCause::Webhook.into(), ..Delivery::default() };
        assert_eq!(of(&forgotten, KeptEvent::default()), None);
    }
}
