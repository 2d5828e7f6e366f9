//! `note`: words for people, which nothing runs.

use serde_json::{Value as Json, json};

use super::{Behaviour, Kind, Move, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError};

pub(crate) struct Note;

impl Kind for Note {
    fn name(&self) -> &'static str {
        "note"
    }
    fn title(&self) -> &'static str {
        "Note"
    }
    fn description(&self) -> &'static str {
        "Words for whoever reads the workflow. It is never run."
    }
    fn inputs(&self) -> &'static [Port] {
        &[]
    }
    fn outputs(&self) -> &'static [Port] {
        &[]
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        (json!({"text": {"type": "string", "description": "the words"}}), &[])
    }
    fn compile(&self, _settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        Box::new(Words)
    }
}

struct Words;

impl Behaviour for Words {
    fn start(&self, _step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::pass("out"))
    }
}
