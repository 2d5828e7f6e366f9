//! `map`: its body for each element of a list.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings, Shape};
use crate::domain::{
    expression::{Expression, Variables, kind_of},
    fault::StepError,
};

/// Most elements.
const ELEMENTS: usize = 10_000;

pub(crate) struct Map;

impl Kind for Map {
    fn name(&self) -> &'static str {
        "map"
    }
    fn title(&self) -> &'static str {
        "Map"
    }
    fn description(&self) -> &'static str {
        "Runs its body for each element of a list, some at a time, and gives the list of what they gave, in the order \
         of the elements. In the body `item` is the element and `index` its place. The first failure ends the others, \
         unless `keep_going` is set: then its place has an object with `error`."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "list", "what the bodies gave"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "items": {"type": "string", "format": "cel", "description": "an expression that is a list; `input` when not given"},
            "parallel": {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 10},
            "keep_going": {"type": "boolean", "default": false},
        });
        (properties, &[])
    }
    fn has_body(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let items = settings.get("items").and_then(|items| settings.compile("items", items));
        let parallel = settings.number("parallel", 10, (1, 1_000)) as usize;
        Box::new(Each { items, parallel, keep_going: settings.flag("keep_going") })
    }
}

struct Each {
    items: Option<Expression>,
    parallel: usize,
    keep_going: bool,
}

impl Behaviour for Each {
    fn shape(&self) -> Shape {
        Shape::Each { parallel: self.parallel, keep_going: self.keep_going }
    }
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let items = match &self.items {
            Some(items) => Arc::new(items.evaluate(step)?),
            None => step.variable("input").unwrap_or_default(),
        };
        let Json::Array(list) = items.as_ref() else {
            return Err(StepError::new("NOT_A_LIST", format!("its items are {}", kind_of(&items))));
        };
        if list.len() > ELEMENTS {
            let problem = format!("{} elements; {ELEMENTS} are the most", list.len());
            return Err(StepError::new("TOO_MANY_ITEMS", problem));
        }
        Ok(Move::Enter(self.items.as_ref().map(|_| items)))
    }
}
