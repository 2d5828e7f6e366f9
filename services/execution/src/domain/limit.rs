//! How many steps that share something may act outside at once.

use serde_json::Value as Json;

use super::{
    expression::{Expression, Variables},
    fault::StepError,
};
use crate::kinds::{Kind, Settings};

/// Longest key, in bytes.
const LONGEST: usize = 200;
/// Most that a limit may allow.
const MOST: u64 = 100_000;

/// The limit that a node sets for its steps.
#[derive(Debug)]
pub(crate) struct Limit {
    /// Whose steps share it, for example `projects/p/graphs/g/nodes/fetch`, or the name that several nodes give.
    base: String,
    most: u32,
    key: Option<Expression>,
}

/// What a step counts against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Which limit, in its project.
    pub(crate) name: String,
    /// How many may act at once. Whoever comes last decides.
    pub(crate) most: u32,
}

impl Limit {
    /// Of a node's property `limit`: `at_once`, and perhaps a `key` (an expression: each of its values has a limit of
    /// its own) and a `name` (nodes and workflows of a project that give the same share it).
    pub(crate) fn of(settings: &mut Settings<'_>, kind: &dyn Kind, graph: &str, node: &str) -> Option<Self> {
        let Json::Object(members) = settings.get("limit")? else {
            settings.wrong("limit", "must be an object");
            return None;
        };
        if !kind.acts() {
            settings.wrong("limit", "the node does nothing outside, so there is nothing to limit");
            return None;
        }
        let (mut most, mut key, mut base) = (None, None, format!("{graph}/nodes/{node}"));
        for (name, value) in members {
            match name.as_str() {
                "at_once" => match value.as_u64().filter(|most| (1..=MOST).contains(most)) {
                    Some(number) => most = u32::try_from(number).ok(),
                    None => settings.wrong("limit.at_once", format!("must be from 1 to {MOST}")),
                },
                "key" => key = settings.compile("limit.key", value),
                "name" => match value.as_str().filter(|name| (1..=LONGEST).contains(&name.len())) {
                    Some(name) => name.clone_into(&mut base),
                    None => {
                        settings.wrong("limit.name", format!("must be a text of at most {LONGEST} bytes"));
                    }
                },
                _ => settings.wrong(&format!("limit.{name}"), "there is no such setting of a limit"),
            }
        }
        if most.is_none() && !members.contains_key("at_once") {
            settings.wrong("limit", "needs `at_once`");
        }
        Some(Self { base, most: most?, key })
    }

    /// What a step counts against.
    ///
    /// # Errors
    /// Why its key is none.
    pub(crate) fn count(&self, step: &dyn Variables) -> Result<Counted, StepError> {
        let key = match self.key.as_ref().map(|key| key.evaluate(step)).transpose()? {
            None => String::new(),
            Some(Json::String(key)) => key,
            Some(key @ (Json::Number(_) | Json::Bool(_))) => key.to_string(),
            Some(_) => {
                return Err(StepError::new(
                    "BAD_LIMIT_KEY",
                    "the key of its limit is no text, number or bool",
                ));
            }
        };
        if key.len() > LONGEST {
            let problem = format!("the key of its limit has more than {LONGEST} bytes");
            return Err(StepError::new("BAD_LIMIT_KEY", problem));
        }
        // No name has a line break in it that is not quoted.
        Ok(Counted { name: format!("{:?}\n{key}", self.base), most: self.most })
    }
}
