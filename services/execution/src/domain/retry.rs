//! When is a failed step tried again?

use std::time::Duration;

use serde_json::Value as Json;

use super::{duration, fault::StepError};

/// What is done after a failure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retry {
    /// Attempts in all.
    attempts: u32,
    first: Duration,
    factor: f64,
    longest: Duration,
    /// Which part of a pause is left to chance.
    jitter: f64,
    /// Reasons after which it is not tried again.
    not_after: Vec<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            first: Duration::from_secs(1),
            factor: 2.0,
            longest: Duration::from_mins(5),
            jitter: 0.2,
            not_after: Vec::new(),
        }
    }
}

impl Retry {
    /// Never again.
    pub(crate) fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Of a node's property `retry`; what is wrong with it by path.
    pub(crate) fn of(settings: &Json) -> Result<Self, (String, String)> {
        let mut retry = Self::default();
        let Json::Object(members) = settings else {
            return Err((String::new(), "must be an object".to_owned()));
        };
        for (name, value) in members {
            let wrong = |problem: String| (name.clone(), problem);
            match name.as_str() {
                "attempts" => {
                    let attempts = value.as_u64().filter(|attempts| (1..=100).contains(attempts));
                    retry.attempts = attempts.ok_or_else(|| wrong("must be from 1 to 100".into()))? as u32;
                }
                "first" => retry.first = duration::parse(value).map_err(wrong)?,
                "longest" => retry.longest = duration::parse(value).map_err(wrong)?,
                "factor" => {
                    let factor = value.as_f64().filter(|factor| (1.0..=100.0).contains(factor));
                    retry.factor = factor.ok_or_else(|| wrong("must be from 1 to 100".into()))?;
                }
                "jitter" => {
                    let jitter = value.as_f64().filter(|jitter| (0.0..=1.0).contains(jitter));
                    retry.jitter = jitter.ok_or_else(|| wrong("must be from 0 to 1".into()))?;
                }
                "not_after" => {
                    let reasons = value.as_array().map(|reasons| reasons.iter().map(Json::as_str).collect());
                    let reasons: Option<Vec<&str>> = reasons.flatten();
                    let reasons = reasons.ok_or_else(|| wrong("must be a list of reasons".into()))?;
                    retry.not_after = reasons.into_iter().map(str::to_owned).collect();
                }
                _ => return Err(wrong("there is no such setting of a retry".into())),
            }
        }
        Ok(retry)
    }

    /// How long to wait after the failure of that number (from 1); nothing: it was the last one.
    pub(crate) fn pause(&self, failures: u32, error: &StepError, chance: f64) -> Option<Duration> {
        if !error.again || failures >= self.attempts || self.not_after.contains(&error.reason) {
            return None;
        }
        let growth = self.factor.powi(failures.saturating_sub(1).min(1_000).cast_signed());
        let full = (self.first.as_secs_f64() * growth).min(self.longest.as_secs_f64());
        Some(Duration::from_secs_f64(full * (1.0 - self.jitter * chance)).max(error.pause))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_end() {
        let retry =
            Retry::of(&json!({"attempts": 4, "first": "2s", "factor": 3, "longest": "10s", "jitter": 0.5}));
        let retry = retry.unwrap();
        let error = StepError::passing("HTTP_STATUS", "503");
        let pauses: Vec<_> = (1..=4).map(|failure| retry.pause(failure, &error, 0.0)).collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pauses, [seconds(2), seconds(6), seconds(10), None]);
        assert_eq!(retry.pause(1, &error, 1.0), seconds(1));
        let later = StepError { pause: Duration::from_secs(30), ..error };
        assert_eq!(retry.pause(1, &later, 0.0), seconds(30), "whoever failed knows better");
        assert_eq!(retry.pause(1, &StepError::new("BAD", "for good"), 0.0), None);
        assert_eq!(Retry::of(&json!({"attempts": 0})).unwrap_err().0, "attempts");
        assert!(Retry::of(&json!({"often": true})).is_err());
    }
}
