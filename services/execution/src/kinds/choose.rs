//! `if`: one of two ways.

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings};
use crate::domain::{
    expression::{Expression, Variables},
    fault::StepError,
};

pub(crate) struct If;

impl Kind for If {
    fn name(&self) -> &'static str {
        "if"
    }
    fn title(&self) -> &'static str {
        "If"
    }
    fn description(&self) -> &'static str {
        "What comes in goes out of `true` or `false`, as the condition says; nothing happens on the other way."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what goes on")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const {
            &[
                Port::output("true", "any", "what came in, if the condition holds"),
                Port::output("false", "any", "what came in, if not"),
                FAILURE,
            ]
        }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let condition =
            json!({"type": "string", "format": "cel", "description": "an expression that is true or false"});
        (json!({"condition": condition}), &["condition"])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        Box::new(Fork(settings.expression("condition")))
    }
}

struct Fork(Option<Expression>);

impl Behaviour for Fork {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let holds = self.0.as_ref().map_or(Ok(false), |condition| condition.holds(step))?;
        Ok(Move::pass(if holds { "true" } else { "false" }))
    }
}
