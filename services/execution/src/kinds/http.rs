//! `http`: an HTTP request to the world outside, and to nothing inside.

mod web;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value as Json, json};

pub(crate) use web::Web;
pub(super) use web::{headers, refused, target};

use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

pub(crate) struct Http;

impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }
    fn title(&self) -> &'static str {
        "HTTP request"
    }
    fn description(&self) -> &'static str {
        "Sends a request, with the step's identity as `Idempotency-Key`, and gives `status`, `headers` and `body`, \
         which is read as JSON where it is JSON. A status from 400 on is a failure, unless `any_status` is set. \
         `${secrets.name}` is put in place when it is sent, and is not in what is kept of it. Addresses of this \
         machine and of private networks are refused, however they are written and whatever leads to them."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "object", "`status`, `headers` and `body`"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "url": {"type": "string", "description": "http or https, with expressions and secrets"},
            "method": {"enum": METHODS, "default": "GET"},
            "headers": {"type": "object", "description": "headers, with expressions and secrets"},
            "body": {"description": "a text as it is, anything else as JSON; with expressions and secrets"},
            "any_status": {"type": "boolean", "description": "take every status for an answer"},
        });
        (properties, &["url"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let method = settings.get("method").map_or(Some("GET"), Json::as_str).unwrap_or_default().to_owned();
        if !METHODS.contains(&method.as_str()) {
            settings.wrong("method", format!("must be one of {}", METHODS.join(", ")));
        }
        let url = settings.address("url");
        Box::new(Asked {
            url,
            method,
            headers: settings.outward("headers", json!({})),
            body: settings.outward("body", Json::Null),
            any_status: settings.flag("any_status"),
        })
    }
    fn perform<'a>(
        &'a self,
        outside: &'a Outside,
        attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(async move {
            let revealed = outside.secrets.reveal(&attempt.project, request).await?;
            outside.web.send(attempt, &revealed).await.map_err(|error| revealed.mask.error(error))
        })
    }
}

struct Asked {
    url: Template,
    method: String,
    headers: Template,
    body: Template,
    any_status: bool,
}

impl Behaviour for Asked {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let mut request = Map::new();
        request.insert("url".into(), self.url.fill(step)?);
        request.insert("method".into(), self.method.clone().into());
        request.insert("headers".into(), self.headers.fill(step)?);
        request.insert("body".into(), self.body.fill(step)?);
        request.insert("any_status".into(), self.any_status.into());
        Ok(Move::Perform(Arc::new(Json::Object(request))))
    }
}
