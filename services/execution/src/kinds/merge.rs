//! `merge`: several ways become one.

use serde_json::{Value as Json, json};

use super::{Behaviour, Kind, Move, Port, Settings, Shape};
use crate::domain::{expression::Variables, fault::StepError};

pub(crate) struct Merge;

impl Kind for Merge {
    fn name(&self) -> &'static str {
        "merge"
    }
    fn title(&self) -> &'static str {
        "Merge"
    }
    fn description(&self) -> &'static str {
        "Waits for the ways that lead to it. `all`: for every one that is not closed by an `if` or the like; `any`: \
         for the first; `count`: for so many. Gives an object of what they brought, by the key of the node that it \
         came from; with `any` the first one's value itself."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port { many: true, ..Port::input("the ways") }] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "what they brought")] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let mode = json!({"enum": ["all", "any", "count"], "default": "all"});
        (json!({"mode": mode, "count": {"type": "integer", "minimum": 1}}), &[])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let needed = match settings.get("mode").map_or(Some("all"), Json::as_str) {
            Some("all") => 0,
            Some("any") => 1,
            Some("count") => settings.number("count", 1, (1, 10_000)) as u32,
            _ => {
                settings.wrong("mode", "must be \"all\", \"any\" or \"count\"");
                0
            }
        };
        Box::new(Join(needed))
    }
}

struct Join(u32);

impl Behaviour for Join {
    fn shape(&self) -> Shape {
        Shape::Merge { needed: self.0 }
    }
    fn start(&self, _step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::pass("out"))
    }
}
