//! How many steps that share something may act outside at once, and how many may begin to in a time.

use serde_json::Value as Json;

use super::{
    duration,
    expression::{Expression, Variables},
    fault::StepError,
    gate::Rate,
};
use crate::kinds::{Kind, Settings};

/// Longest key, in bytes.
const LONGEST: usize = 200;
/// Most that a limit may allow.
const MOST: u64 = 100_000;
/// Shortest and longest interval of a rate, in seconds.
const INTERVALS: std::ops::RangeInclusive<f64> = 1.0..=30.0 * 86_400.0;

/// The limit that a node sets for its steps.
#[derive(Debug)]
pub(crate) struct Limit {
    /// Whose steps share it, for example `projects/p/graphs/g/nodes/fetch`, or the name that several nodes give.
    base: String,
    most: Option<u32>,
    rate: Option<Rate>,
    key: Option<Expression>,
}

/// What a step counts against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Which limit, in its project.
    pub(crate) name: String,
    /// How many may act at once. Whoever comes last decides.
    pub(crate) most: Option<u32>,
    /// How many may begin in a time. Whoever comes last decides.
    pub(crate) rate: Option<Rate>,
}

impl Limit {
    /// Of a node's property `limit`: `at_once`, or a `rate` such as `100/1m` and perhaps its `burst`, or both; perhaps a
    /// `key` (an expression: each of its values has a limit of its own) and a `name` (nodes and workflows of a project that
    /// give the same share it).
    pub(crate) fn of(settings: &mut Settings<'_>, kind: &dyn Kind, graph: &str, node: &str) -> Option<Self> {
        let Json::Object(members) = settings.get("limit")? else {
            settings.wrong("limit", "must be an object");
            return None;
        };
        if !kind.acts() {
            settings.wrong("limit", "the node does nothing outside, so there is nothing to limit");
            return None;
        }
        let (mut limit, mut rate, mut burst) =
            (Self { base: format!("{graph}/nodes/{node}"), most: None, rate: None, key: None }, None, None);
        for (name, value) in members {
            match name.as_str() {
                "at_once" => limit.most = number(settings, "limit.at_once", value),
                "rate" => match value.as_str().and_then(starts_of) {
                    Some(starts) => rate = Some(starts),
                    None => settings.wrong(
                        "limit.rate",
                        format!(
                            "must be so many in a time, such as \"100/1m\": from 1 to {MOST}, in 1 s to 30 d"
                        ),
                    ),
                },
                "burst" => burst = number(settings, "limit.burst", value),
                "key" => limit.key = settings.compile("limit.key", value),
                "name" => match value.as_str().filter(|name| (1..=LONGEST).contains(&name.len())) {
                    Some(name) => name.clone_into(&mut limit.base),
                    None => {
                        settings.wrong("limit.name", format!("must be a text of at most {LONGEST} bytes"));
                    }
                },
                _ => settings.wrong(&format!("limit.{name}"), "there is no such setting of a limit"),
            }
        }
        let has = |name| members.contains_key(name);
        if !has("at_once") && !has("rate") {
            settings.wrong("limit", "needs `at_once` or `rate`");
        }
        if has("burst") && !has("rate") {
            settings.wrong("limit.burst", "is of a `rate`, and there is none");
        }
        limit.rate = rate.map(|(starts, pause)| Rate { pause, burst: burst.unwrap_or(starts) });
        Some(limit)
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
        Ok(Counted { name: format!("{:?}\n{key}", self.base), most: self.most, rate: self.rate })
    }
}

fn number(settings: &mut Settings<'_>, name: &str, value: &Json) -> Option<u32> {
    let number = value.as_u64().filter(|number| (1..=MOST).contains(number));
    if number.is_none() {
        settings.wrong(name, format!("must be from 1 to {MOST}"));
    }
    number.and_then(|number| u32::try_from(number).ok())
}

/// How many of `100/1m`, and the microseconds for each.
fn starts_of(text: &str) -> Option<(u32, i64)> {
    let (starts, interval) = text.split_once('/')?;
    let starts =
        starts.trim().parse::<u32>().ok().filter(|starts| (1..=MOST).contains(&u64::from(*starts)))?;
    let interval = duration::parse(&Json::String(interval.to_owned())).ok()?;
    INTERVALS.contains(&interval.as_secs_f64()).then(|| {
        let micros = interval.as_micros() as i64;
        (starts, (micros + i64::from(starts) - 1) / i64::from(starts))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_people_write_it() {
        assert_eq!(starts_of("100/1m"), Some((100, 600_000)));
        assert_eq!(starts_of("3/1s"), Some((3, 333_334)), "never more than the rate");
        assert_eq!(starts_of("1/30d"), Some((1, 2_592_000_000_000)));
        for wrong in ["", "1", "0/1s", "1/0s", "1/500ms", "1/31d", "100001/1s", "-1/1s", "1/1s/1s", "x/1s"] {
            assert_eq!(starts_of(wrong), None, "{wrong}");
        }
    }
}
