//! `switch`: one of several ways.

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings};
use crate::domain::{
    expression::{Expression, Variables},
    fault::StepError,
};

/// Most ways.
const CASES: usize = 200;

pub(crate) struct Switch;

impl Kind for Switch {
    fn name(&self) -> &'static str {
        "switch"
    }
    fn title(&self) -> &'static str {
        "Switch"
    }
    fn description(&self) -> &'static str {
        "What comes in goes out of the port of the first case whose condition holds, or of `default`."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what goes on")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("default", "any", "what came in, if no case holds"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let case = json!({
            "type": "object", "required": ["port", "when"],
            "properties": {"port": {"type": "string"}, "when": {"type": "string", "format": "cel"}},
        });
        let cases = json!({
            "type": "array", "items": case, "minItems": 1, "maxItems": CASES,
            "description": "each has a `port` and `when`, an expression; the first that holds counts",
        });
        (json!({"cases": cases}), &["cases"])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let mut cases: Vec<(String, Expression)> = Vec::new();
        match settings.get("cases").and_then(Json::as_array) {
            Some(list) if (1..=CASES).contains(&list.len()) => {
                for (at, case) in list.iter().enumerate() {
                    let when = case.get("when").unwrap_or(&Json::Null);
                    let when = settings.compile(&format!("cases[{at}].when"), when);
                    let port = case.get("port").and_then(Json::as_str).unwrap_or_default();
                    let taken = cases.iter().any(|(known, _)| known == port);
                    if port.is_empty() || taken || ["error", "default"].contains(&port) {
                        settings.wrong(&format!("cases[{at}].port"), "must be a name that is not taken");
                    }
                    cases.extend(when.map(|when| (port.to_owned(), when)));
                }
            }
            _ => settings.wrong("cases", format!("must be a list of 1 to {CASES} cases")),
        }
        Box::new(Ways(cases))
    }
}

struct Ways(Vec<(String, Expression)>);

impl Behaviour for Ways {
    fn more_outputs(&self) -> Vec<String> {
        self.0.iter().map(|(port, _)| port.clone()).collect()
    }
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        for (port, when) in &self.0 {
            if when.holds(step)? {
                return Ok(Move::pass(port));
            }
        }
        Ok(Move::pass("default"))
    }
}
