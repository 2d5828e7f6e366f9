//! `signal`: waits for somebody's word.

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings};
use crate::domain::{event::Wait, expression::Variables, fault::StepError, template::Template};

pub(crate) struct Signal;

impl Kind for Signal {
    fn name(&self) -> &'static str {
        "signal"
    }
    fn title(&self) -> &'static str {
        "Wait for a signal"
    }
    fn description(&self) -> &'static str {
        "Waits until the run is given the signal, and gives what came with it. A signal that came before is kept for \
         it. Waiting costs nothing."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const {
            &[
                Port::output("out", "any", "what came with the signal"),
                Port::output("timeout", "any", "what came in, if no signal came in time"),
                FAILURE,
            ]
        }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "signal": {"type": "string", "description": "its name, with expressions"},
            "wait": {"description": "how long at most: seconds, or a text such as \"7d\"; for ever when not given"},
        });
        (properties, &["signal"])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        Box::new(Awaited { signal: settings.template("signal"), wait: settings.span("wait") })
    }
}

struct Awaited {
    signal: Template,
    wait: Option<i64>,
}

impl Behaviour for Awaited {
    fn start(&self, step: &dyn Variables, now: i64) -> Result<Move, StepError> {
        match self.signal.fill(step)? {
            Json::String(signal) if (1..=128).contains(&signal.len()) => {
                let until = self.wait.map(|wait| now.saturating_add(wait));
                Ok(Move::Wait(Wait { until, signal: Some(signal), approval: None }))
            }
            other => Err(StepError::new("BAD_SIGNAL", format!("{other} is no name of a signal"))),
        }
    }
    fn expired(&self) -> Result<&'static str, StepError> {
        Ok("timeout")
    }
}
