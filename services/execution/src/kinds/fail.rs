//! `fail`: says that this is wrong.

use serde_json::{Value as Json, json};

use super::{Behaviour, Kind, Move, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

pub(crate) struct Fail;

impl Kind for Fail {
    fn name(&self) -> &'static str {
        "fail"
    }
    fn title(&self) -> &'static str {
        "Fail"
    }
    fn description(&self) -> &'static str {
        "Fails, with a reason and a message: the body that it is in, or the run."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        &[]
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "reason": {"type": "string", "description": "a stable word; `FAILED` when not given"},
            "message": {"type": "string", "description": "what is wrong, with expressions"},
        });
        (properties, &["message"])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let reason = settings.get("reason").and_then(Json::as_str).unwrap_or("FAILED").to_owned();
        Box::new(Wrong { reason, message: settings.template("message") })
    }
}

struct Wrong {
    reason: String,
    message: Template,
}

impl Behaviour for Wrong {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let message = match self.message.fill(step)? {
            Json::String(text) => text,
            other => other.to_string(),
        };
        Err(StepError::new(self.reason.clone(), message))
    }
}
