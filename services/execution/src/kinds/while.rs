//! `while`: its body again and again, within a bound.

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings, Shape};
use crate::domain::{
    expression::{Expression, Variables},
    fault::StepError,
};

/// Most rounds.
const ROUNDS: u64 = 10_000;

pub(crate) struct While;

impl Kind for While {
    fn name(&self) -> &'static str {
        "while"
    }
    fn title(&self) -> &'static str {
        "While"
    }
    fn description(&self) -> &'static str {
        "Runs its body as long as the condition holds, which is asked before each round: `input` is what came in, \
         then what the last round gave, and `index` how many rounds there were. Gives what the last round gave. One \
         that would go on after `rounds` fails with LOOP_LIMIT."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what the first round is given")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "what the last round gave"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "condition": {"type": "string", "format": "cel", "description": "an expression that is true or false"},
            "rounds": {"type": "integer", "minimum": 1, "maximum": ROUNDS, "default": 100},
        });
        (properties, &["condition"])
    }
    fn has_body(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let rounds = settings.number("rounds", 100, (1, ROUNDS)) as u32;
        Box::new(Rounds { condition: settings.expression("condition"), rounds })
    }
}

struct Rounds {
    condition: Option<Expression>,
    rounds: u32,
}

impl Behaviour for Rounds {
    fn shape(&self) -> Shape {
        Shape::Loop { rounds: self.rounds }
    }
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let goes_on = self.condition.as_ref().map_or(Ok(false), |condition| condition.holds(step))?;
        if !goes_on {
            return Ok(Move::pass("out"));
        }
        let round = step.variable("index").and_then(|index| index.as_u64()).unwrap_or(0);
        if round >= self.rounds.into() {
            return Err(StepError::new("LOOP_LIMIT", format!("its condition holds after {round} rounds")));
        }
        Ok(Move::Enter(None))
    }
}
