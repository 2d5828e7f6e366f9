//! `publish`: tells a topic of the project something.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError, name, published, template::Template};

pub(crate) struct Publish;

impl Kind for Publish {
    fn name(&self) -> &'static str {
        "publish"
    }
    fn title(&self) -> &'static str {
        "Publish"
    }
    fn description(&self) -> &'static str {
        "Publishes a message to a topic of the project: each trigger that waits for it starts a run."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what is published, unless `value` says something else")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "what came in"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "topic": {
                "type": "string",
                "description": "a name in the project: lower-case letters, digits, hyphens and dots, 100 at most",
            },
            "value": {
                "description": "any JSON value of at most 64 KiB, with expressions; what comes in when not given",
            },
        });
        (properties, &["topic"])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let topic = settings.text("topic");
        if settings.get("topic").is_some_and(Json::is_string) && !name::is_dotted(&topic) {
            settings.wrong(
                "topic",
                "must be lower-case letters, digits, hyphens and dots between letters or digits, 100 at most",
            );
        }
        let value = settings.get("value").map(|_| settings.template("value"));
        Box::new(Telling { topic: topic.into(), value })
    }
}

struct Telling {
    topic: Arc<str>,
    /// Absent: what comes in.
    value: Option<Template>,
}

impl Behaviour for Telling {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let value = match &self.value {
            Some(value) => Arc::new(value.fill(step)?),
            None => step.variable("input").unwrap_or_default(),
        };
        Ok(Move::Publish { topic: Arc::clone(&self.topic), value: published::written(&value)? })
    }
}
