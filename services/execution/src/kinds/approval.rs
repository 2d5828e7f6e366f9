//! `approval`: waits for a person's answer.

use serde_json::{Value as Json, json};

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings};
use crate::domain::{
    event::{self, Wait},
    expression::Variables,
    fault::StepError,
    template::Template,
};

pub(crate) struct Approval;

impl Kind for Approval {
    fn name(&self) -> &'static str {
        "approval"
    }
    fn title(&self) -> &'static str {
        "Approval"
    }
    fn description(&self) -> &'static str {
        "Asks a person, who approves or rejects and may fill in a form. Gives `approved`, `form`, `comment` and `by`. \
         Waiting costs nothing."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const {
            &[
                Port::output("approved", "object", "the answer, if it is yes"),
                Port::output("rejected", "object", "the answer, if it is no"),
                Port::output("timeout", "any", "what came in, if nobody answered in time"),
                FAILURE,
            ]
        }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "title": {"type": "string", "description": "the question, with expressions"},
            "description": {"type": "string", "description": "what helps to answer it, with expressions"},
            "form": {"type": "object", "description": "JSON Schema of what is to be filled in"},
            "wait": {"description": "how long at most: seconds, or a text such as \"7d\"; for ever when not given"},
        });
        (properties, &["title"])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        Box::new(Question {
            title: settings.template("title"),
            description: settings.template_or("description", json!("")),
            form: settings.schema("form"),
            wait: settings.span("wait"),
        })
    }
}

struct Question {
    title: Template,
    description: Template,
    form: Json,
    wait: Option<i64>,
}

fn text(value: Json) -> String {
    match value {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

impl Behaviour for Question {
    fn start(&self, step: &dyn Variables, now: i64) -> Result<Move, StepError> {
        let approval = event::Approval {
            title: text(self.title.fill(step)?),
            description: text(self.description.fill(step)?),
            form: self.form.clone(),
        };
        let until = self.wait.map(|wait| now.saturating_add(wait));
        Ok(Move::Wait(Wait { until, signal: None, approval: Some(approval) }))
    }
    fn expired(&self) -> Result<&'static str, StepError> {
        Ok("timeout")
    }
}
