//! `noop`: a step like one that acts outside, which does nothing.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError};

pub(crate) struct Noop;

impl Kind for Noop {
    fn name(&self) -> &'static str {
        "noop"
    }
    fn title(&self) -> &'static str {
        "Do nothing"
    }
    fn description(&self) -> &'static str {
        "Gives what it was given, the way a step does that acts outside: what came before it is on disk when it \
         begins, and its end is before the next. For trying out, and for measuring."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what goes on")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "what came in"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        (json!({}), &[])
    }
    fn acts(&self) -> bool {
        true
    }
    fn compile(&self, _settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        Box::new(Nothing)
    }
    fn perform<'a>(
        &'a self,
        _outside: &'a Outside,
        _attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(std::future::ready(Ok(Arc::unwrap_or_clone(request))))
    }
}

struct Nothing;

impl Behaviour for Nothing {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::Perform(step.variable("input").unwrap_or_default()))
    }
}
