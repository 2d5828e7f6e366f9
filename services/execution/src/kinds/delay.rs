//! `delay`: goes on later.

use serde_json::{Value as Json, json};
use weft_store::Timestamp;

use super::{Behaviour, FAILURE, Kind, Move, Port, Settings};
use crate::domain::{duration, event::Wait, expression::Variables, fault::StepError, template::Template};

pub(crate) struct Delay;

impl Kind for Delay {
    fn name(&self) -> &'static str {
        "delay"
    }
    fn title(&self) -> &'static str {
        "Delay"
    }
    fn description(&self) -> &'static str {
        "What comes in goes out after a while, or at an instant: in ten years at most. Waiting costs nothing."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what goes on")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "any", "what came in"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "for": {"description": "seconds, or a text such as \"90s\" or \"30d\"; with expressions"},
            "until": {"type": "string", "description": "an instant as in RFC 3339, with expressions"},
        });
        (properties, &[])
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let when = match (settings.get("for"), settings.get("until")) {
            (Some(_), None) => When::For(settings.template("for")),
            (None, Some(_)) => When::Until(settings.template("until")),
            _ => {
                settings.wrong("for", "give either `for` or `until`");
                When::For(Template::Literal(Json::Null))
            }
        };
        match &when {
            When::For(Template::Literal(value)) if !value.is_null() => {
                settings.span("for");
            }
            When::Until(Template::Literal(value)) if instant(value).is_err() => {
                settings.wrong("until", "must be an instant as in RFC 3339");
            }
            _ => {}
        }
        Box::new(when)
    }
}

enum When {
    For(Template),
    Until(Template),
}

fn instant(value: &Json) -> Result<i64, StepError> {
    let read = value.as_str().and_then(|text| text.parse::<prost_types::Timestamp>().ok());
    read.map(|time| Timestamp::from(&time).as_micros())
        .ok_or_else(|| StepError::new("BAD_TIME", format!("{value} is no instant as in RFC 3339")))
}

impl Behaviour for When {
    fn start(&self, step: &dyn Variables, now: i64) -> Result<Move, StepError> {
        let until = match self {
            Self::For(span) => {
                let span = span.fill(step)?;
                let span = duration::parse(&span);
                let span = span.map_err(|problem| StepError::new("BAD_TIME", format!("`for` {problem}")))?;
                now.saturating_add(span.as_micros() as i64)
            }
            Self::Until(at) => instant(&at.fill(step)?)?,
        };
        if until <= now {
            return Ok(Move::pass("out"));
        }
        Ok(Move::Wait(Wait { until: Some(until), ..Wait::default() }))
    }
}
