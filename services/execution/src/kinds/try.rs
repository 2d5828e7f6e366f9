//! `try`: a body whose failure is caught.

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings, Shape};
use crate::domain::{expression::Variables, fault::StepError};

pub(crate) struct Try;

impl Kind for Try {
    fn name(&self) -> &'static str {
        "try"
    }
    fn title(&self) -> &'static str {
        "Try"
    }
    fn description(&self) -> &'static str {
        "Runs its body. What it gives goes out of `out`; a failure inside ends the body and goes out of `error`, to \
         what mends it. Either goes out of `finally`, too, to what clears up."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what the body is given")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const {
            &[
                Port::output("out", "any", "what the body gave"),
                FAILURE,
                Port::output("finally", "any", "what the body gave, or the failure"),
            ]
        }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        (json!({}), &[])
    }
    fn has_body(&self) -> bool {
        true
    }
    fn compile(&self, _settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        Box::new(Caught)
    }
}

struct Caught;

impl Behaviour for Caught {
    fn shape(&self) -> Shape {
        Shape::Try
    }
    fn start(&self, _step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::Enter(None))
    }
}
