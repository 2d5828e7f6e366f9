//! `set`: makes a value of others.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

pub(crate) struct Set;

impl Kind for Set {
    fn name(&self) -> &'static str {
        "set"
    }
    fn title(&self) -> &'static str {
        "Set"
    }
    fn description(&self) -> &'static str {
        "Gives `value`, in which `${…}` are expressions: ${input} is what comes in, ${steps.key} what a node gave."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "the value"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        (json!({"value": {"description": "any JSON value, with expressions"}}), &["value"])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        Box::new(Made(settings.template("value")))
    }
}

struct Made(Template);

impl Behaviour for Made {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::Give { port: None, value: Some(Arc::new(self.0.fill(step)?)) })
    }
}
