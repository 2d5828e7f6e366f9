//! `input`: where a run, or a body, begins.

use serde_json::{Value as Json, json};

use super::{Behaviour, Kind, Move, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError};

pub(crate) struct Input;

impl Kind for Input {
    fn name(&self) -> &'static str {
        "input"
    }
    fn title(&self) -> &'static str {
        "Input"
    }
    fn description(&self) -> &'static str {
        "Gives what the run was started with; in a body, what the body was given: the element of a map, the last \
         round's result in a loop."
    }
    fn inputs(&self) -> &'static [Port] {
        &[]
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "what was given")] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let schema = json!({"type": "object", "description": "JSON Schema that a run's input must follow"});
        (json!({"schema": schema}), &[])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        settings.schema("schema");
        Box::new(Begin)
    }
}

struct Begin;

impl Behaviour for Begin {
    fn start(&self, _step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::pass("out"))
    }
}
