//! `graph`: another workflow as a step.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings, Shape};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

pub(crate) struct Subgraph;

impl Kind for Subgraph {
    fn name(&self) -> &'static str {
        "graph"
    }
    fn title(&self) -> &'static str {
        "Sub-graph"
    }
    fn description(&self) -> &'static str {
        "Runs another workflow graph of the project inside this run, as it is when the run starts, and gives what \
         that gives."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what the other workflow is given")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "what it gave"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "graph": {"type": "string", "description": "`projects/{project}/graphs/{graph}`, of the same project"},
            "input": {"description": "what it is given, with expressions; `input` when not given"},
        });
        (properties, &["graph"])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let graph = settings.text("graph");
        let input = settings.get("input").map(|_| settings.template("input"));
        Box::new(Other { graph, input })
    }
}

struct Other {
    graph: String,
    input: Option<Template>,
}

impl Behaviour for Other {
    fn shape(&self) -> Shape {
        Shape::Once
    }
    fn graph(&self) -> Option<&str> {
        Some(&self.graph)
    }
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::Enter(self.input.as_ref().map(|input| input.fill(step)).transpose()?.map(Arc::new)))
    }
}
