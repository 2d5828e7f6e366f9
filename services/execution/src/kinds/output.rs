//! `output`: what a run, or a body, gives back.

use serde_json::{Value as Json, json};

use super::{Behaviour, Kind, Move, Port, Settings, Shape};
use crate::domain::{expression::Variables, fault::StepError};

pub(crate) struct Output;

impl Kind for Output {
    fn name(&self) -> &'static str {
        "output"
    }
    fn title(&self) -> &'static str {
        "Output"
    }
    fn description(&self) -> &'static str {
        "What it is given is what the run, or the body, gives back. Several give an object of their values by key."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what is given back")] }
    }
    fn outputs(&self) -> &'static [Port] {
        &[]
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        (json!({}), &[])
    }
    fn compile(&self, _settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        Box::new(End)
    }
}

struct End;

impl Behaviour for End {
    fn shape(&self) -> Shape {
        Shape::Output
    }
    fn start(&self, _step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::pass("out"))
    }
}
