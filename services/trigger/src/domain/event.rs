//! What a run is given: the event, and what the trigger makes of it.

use std::{collections::BTreeMap, sync::Arc};

use prost::Message;
use prost_types::Struct;
use serde_json::{Map, Value as Json, json};
use weft_expression::{Expression, Failure, Template, Variables};
use weft_kit::json;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryCause};

use super::{content, kept::KeptEvent};

/// What an expression of a trigger can name.
pub(crate) const VARIABLES: &[&str] = &["event"];
/// Headers that are kept of a request, in bytes.
const HEADERS: usize = 16 << 10;

/// An event, seen by expressions.
pub(crate) struct Seen(pub(crate) Arc<Json>);

impl Variables for Seen {
    fn variable(&self, name: &str) -> Option<Arc<Json>> {
        (name == "event").then(|| Arc::clone(&self.0))
    }

    fn step(&self, _key: &str) -> Option<Arc<Json>> {
        None
    }
}

/// What kind of content a body is, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Json,
    Form,
    Text,
}

impl Content {
    /// Of a `content-type`; nothing where no webhook takes it.
    pub(crate) fn of(header: &str) -> Option<Self> {
        let kind = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "" | "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            kind if kind.starts_with("text/") => Some(Self::Text),
            kind if kind.starts_with("application/") && kind.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
}

/// Headers that are kept of a request: not those with secrets, and not without end.
pub(crate) fn headers_kept<'h>(
    headers: impl Iterator<Item = (&'h String, &'h String)>,
    is_secret: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    let mut sorted: Vec<_> = headers.filter(|(name, _)| !is_secret(name)).collect();
    sorted.sort();
    let mut left = HEADERS;
    let fits = |(name, value): &(&String, &String)| {
        left = left.saturating_sub(name.len() + value.len());
        left > 0
    };
    sorted.into_iter().take_while(fits).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The event of a delivery as JSON.
pub(crate) fn of(name: &str, head: &Delivery, event: &KeptEvent) -> Json {
    let mut all = Map::new();
    all.insert("delivery".to_owned(), json!(name));
    all.insert("time".to_owned(), json!(head.create_time.as_ref().map(ToString::to_string)));
    match head.cause() {
        DeliveryCause::Manual => {
            let body = Struct::decode(event.body.clone()).unwrap_or_default();
            all.insert("cause".to_owned(), json!("manual"));
            // As `data` too, so that what waits for events can be tried.
            all.insert("data".to_owned(), json::of_struct(&body));
            all.insert("body".to_owned(), json::of_struct(&body));
        }
        DeliveryCause::Schedule | DeliveryCause::Backfill => {
            let cause = if head.cause() == DeliveryCause::Schedule { "schedule" } else { "backfill" };
            all.insert("cause".to_owned(), json!(cause));
            let tick = head.schedule_time.as_ref().map(ToString::to_string);
            all.insert("schedule_time".to_owned(), json!(tick));
        }
        DeliveryCause::ExecutionEnd
        | DeliveryCause::GraphChange
        | DeliveryCause::Alert
        | DeliveryCause::Message => {
            let cause = head.cause().as_str_name().trim_start_matches("DELIVERY_CAUSE_").to_lowercase();
            all.insert("cause".to_owned(), json!(cause));
            all.insert("id".to_owned(), json!(head.event_id));
            all.insert("type".to_owned(), json!(head.event_type));
            let found: Json = serde_json::from_slice(&event.body).unwrap_or_default();
            for field in ["source", "data"] {
                all.insert(field.to_owned(), found[field].clone());
            }
        }
        DeliveryCause::Webhook | DeliveryCause::Unspecified => {
            all.insert("cause".to_owned(), json!("webhook"));
            all.insert("id".to_owned(), json!(head.event_id));
            all.insert("type".to_owned(), json!(head.event_type));
            all.insert("body".to_owned(), body_of(event));
            all.insert("headers".to_owned(), json!(event.headers));
            let fields = form_urlencoded::parse(event.query.as_bytes());
            let query = fields.map(|(name, value)| (name.into_owned(), json!(value))).collect();
            all.insert("query".to_owned(), Json::Object(query));
        }
    }
    Json::Object(all)
}

/// A body as JSON, as its `content-type` says; as text where it is not what it is said to be.
fn body_of(event: &KeptEvent) -> Json {
    let kind = event.headers.get("content-type").map_or("", String::as_str);
    let text = || Json::String(String::from_utf8_lossy(&event.body).into_owned());
    match Content::of(kind) {
        Some(Content::Json) => match serde_json::from_slice(&event.body) {
            Ok(value) if !json::is_too_deep(&value) => value,
            _ => text(),
        },
        Some(Content::Form) => {
            let fields = form_urlencoded::parse(&event.body);
            Json::Object(fields.map(|(name, value)| (name.into_owned(), json!(value))).collect())
        }
        Some(Content::Text) | None => text(),
    }
}

/// What a run is given of an event: nothing where the condition does not hold.
pub(crate) fn input(
    input: Option<&Template>,
    condition: Option<&Expression>,
    event: Json,
) -> Result<Option<Struct>, Failure> {
    let event = Arc::new(event);
    let seen = Seen(Arc::clone(&event));
    if let Some(condition) = condition
        && !condition.holds(&seen)?
    {
        return Ok(None);
    }
    let filled = if let Some(template) = input {
        template.fill(&seen)?
    } else {
        let mut event = (*event).clone();
        if event["cause"] == "webhook" {
            // Whoever looks at the run would see its secrets.
            content::mask(&mut event);
        }
        json!({ "event": event })
    };
    Ok(Some(json::to_struct(filled)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, body: &str) -> Json {
        let event = KeptEvent {
            headers: BTreeMap::from([("content-type".to_owned(), kind.to_owned())]),
            body: body.to_owned().into(),
            query: "a=1&b=x+y".to_owned(),
            ..KeptEvent::default()
        };
        let head = Delivery {
            cause: DeliveryCause::Webhook.into(),
            event_type: "push".into(),
            ..Delivery::default()
        };
        of("projects/p/triggers/t/deliveries/d", &head, &event)
    }

    #[test]
    fn bodies_are_read_as_they_are_said_to_be() {
        assert_eq!(event("application/json; charset=utf-8", r#"{"a":1}"#)["body"], json!({"a": 1}));
        assert_eq!(event("application/cloudevents+json", "[1]")["body"], json!([1]));
        assert_eq!(
            event("application/x-www-form-urlencoded", "a=b+c&d=%C3%A9")["body"],
            json!({"a": "b c", "d": "é"})
        );
        assert_eq!(event("text/plain", "hello")["body"], json!("hello"));
        assert_eq!(event("text/plain", "hello")["query"], json!({"a": "1", "b": "x y"}));
        assert_eq!(event("application/json", "{")["body"], json!("{"));
        assert_eq!(event("application/json", &"[".repeat(500))["body"], json!("[".repeat(500)));
        assert_eq!(Content::of("application/octet-stream"), None);
        assert_eq!(Content::of("multipart/form-data; boundary=x"), None);
    }

    #[test]
    fn conditions_and_templates_see_the_event() {
        let mut wrong = Vec::new();
        let template = json!({"ref": "${event.body.ref}", "text": "${event.type} of ${event.body.n}"});
        let template =
            Template::compile(&template, "input", VARIABLES, &mut |path, _| wrong.push(path.to_owned()));
        assert!(wrong.is_empty());
        let condition = Expression::compile("event.type == 'push' && event.body.n > 1", VARIABLES).unwrap();
        let of = |body: &str| {
            let event = event("application/json", body);
            input(Some(&template), Some(&condition), event)
                .map(|given| given.map(|given| json::of_struct(&given)))
        };
        assert_eq!(of(r#"{"ref":"main","n":2}"#), Ok(Some(json!({"ref": "main", "text": "push of 2"}))));
        assert_eq!(of(r#"{"ref":"main","n":1}"#), Ok(None));
        assert_eq!(of("{}").unwrap_err().reason, "EXPRESSION_FAILED");
        let whole = input(None, None, event("text/plain", "x")).unwrap().unwrap();
        assert_eq!(json::of_struct(&whole)["event"]["body"], json!("x"));
        // What looks like a secret goes where somebody has written that it does, and nowhere else.
        let mut secret = event("text/plain", "x");
        secret["query"] = json!({"page": "2", "token": "t0p"});
        secret["headers"]["x-access-key"] = json!("t0p");
        let whole = json::of_struct(&input(None, None, secret.clone()).unwrap().unwrap());
        assert_eq!(whole["event"]["query"], json!({"page": "2", "token": "***"}));
        assert_eq!(whole["event"]["headers"], json!({"content-type": "text/plain", "x-access-key": "***"}));
        let wanted = json!({"token": "${event.query.token}"});
        let wanted = Template::compile(&wanted, "input", VARIABLES, &mut |_, _| panic!("it compiles"));
        let condition = Expression::compile("event.query.token == 't0p'", VARIABLES).unwrap();
        let given = input(Some(&wanted), Some(&condition), secret).unwrap().unwrap();
        assert_eq!(json::of_struct(&given), json!({"token": "t0p"}));
        assert!(Expression::compile("steps.a", VARIABLES).is_err());
    }

    #[test]
    fn headers_have_an_end() {
        let headers: BTreeMap<String, String> =
            (0..100).map(|n| (format!("x-{n:03}"), "v".repeat(1_000))).collect();
        let kept = headers_kept(headers.iter(), |name| name == "x-000");
        assert!(kept.len() < 17 && !kept.contains_key("x-000"));
    }
}
