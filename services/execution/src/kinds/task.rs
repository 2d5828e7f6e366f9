//! `task`: a step that a worker does, a program that people write and attach to a queue.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError, name, template::Template};

pub(crate) struct Task;

impl Kind for Task {
    fn name(&self) -> &'static str {
        "task"
    }
    fn title(&self) -> &'static str {
        "Task for a worker"
    }
    fn description(&self) -> &'static str {
        "Waits in a queue for a worker, a program of your own that is attached to it, and gives what that makes of its \
         input. A worker that is lost is no failure: another one does the task again."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "what the worker gives"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "queue": {
                "type": "string",
                "description": "a name in the project: lower-case letters, digits, hyphens and dots, 100 at most",
            },
            "input": {"description": "what the worker is given, with expressions; what comes in when not given"},
        });
        (properties, &["queue"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let queue = settings.text("queue");
        if settings.get("queue").is_some_and(Json::is_string) && !name::is_dotted(&queue) {
            settings.wrong(
                "queue",
                "must be lower-case letters, digits, hyphens and dots between letters or digits, 100 at most",
            );
        }
        let input = settings.get("input").map(|_| settings.template("input"));
        Box::new(Handing { queue: queue.into(), input })
    }
}

struct Handing {
    queue: Arc<str>,
    /// Absent: what comes in.
    input: Option<Template>,
}

impl Behaviour for Handing {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let input = match &self.input {
            Some(input) => Arc::new(input.fill(step)?),
            None => step.variable("input").unwrap_or_default(),
        };
        Ok(Move::Hand { queue: Arc::clone(&self.queue), input })
    }
}
