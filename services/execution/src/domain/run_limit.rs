//! Limits of whole runs as they are kept: what they cover, what a run counts under, and whether one is right.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use serde_json::Value as Json;
use weft_kit::span;
use weft_proto::weft::execution::v1::{RunLimit as Shown, RunLimitOverflow};
use weft_store::RunLimitRow;

use super::{
    expression::{Expression, Variables},
    gate::{Overflow, Rate, Terms},
    name,
};
use crate::Error;

/// What a key may name.
const NAMES: &[&str] = &["input", "run"];
/// Longest value of a key, in bytes.
const LONGEST: usize = 200;
/// Shortest and longest interval of a rate, in microseconds.
const INTERVALS: std::ops::RangeInclusive<i64> = 1_000_000..=30 * 24 * 3_600 * 1_000_000;

/// What is kept of a limit beside its row.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Kept {
    /// As somebody wants it: what the server tells is empty.
    #[prost(message, optional, tag = "1")]
    pub(crate) limit: Option<Shown>,
    /// Which request created it, and the digest of that.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) request: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) print: Bytes,
}

/// A limit of whole runs.
#[derive(Debug)]
pub(crate) struct RunLimit {
    pub(crate) row: RunLimitRow,
    pub(crate) kept: Kept,
    key: Option<Expression>,
}

/// What a key is evaluated with.
struct Given<'a> {
    input: &'a Arc<Json>,
    about: &'a Arc<Json>,
}

impl Variables for Given<'_> {
    fn variable(&self, name: &str) -> Option<Arc<Json>> {
        match name {
            "input" => Some(Arc::clone(self.input)),
            "run" => Some(Arc::clone(self.about)),
            _ => None,
        }
    }

    fn step(&self, _key: &str) -> Option<Arc<Json>> {
        None
    }
}

impl RunLimit {
    /// A limit as it is to be kept.
    ///
    /// # Errors
    /// What is wrong with its key.
    pub(crate) fn new(row: RunLimitRow) -> Result<Self, String> {
        let kept = Kept::decode(row.settings.clone()).map_err(|error| error.to_string())?;
        let key = kept.limit.as_ref().map(|limit| limit.key.as_str()).filter(|key| !key.is_empty());
        let key = key.map(|key| Expression::compile(key, NAMES)).transpose()?;
        Ok(Self { row, kept, key })
    }

    /// A limit out of the store. One whose key cannot be read any more counts all runs together: more wait than have to,
    /// none is without a limit, and the limits of others hold.
    pub(crate) fn stored(row: RunLimitRow) -> Self {
        Self::new(row.clone()).unwrap_or_else(|error| {
            tracing::error!(
                error,
                project = row.project,
                limit = row.id,
                "the key of a run limit cannot be read"
            );
            let kept = Kept::decode(row.settings.clone()).unwrap_or_default();
            Self { row, kept, key: None }
        })
    }

    /// As somebody wants it.
    pub(crate) fn wanted(&self) -> Shown {
        self.kept.limit.clone().unwrap_or_default()
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        name::of_run_limit(&self.row.project, &self.row.id)
    }

    /// Whether it needs to know what a run is given.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The last part of its graph's name, if it is about one.
    pub(crate) fn graph(&self) -> Option<&str> {
        let graph = &self.kept.limit.as_ref()?.graph;
        name::graph(graph).map(|(_, graph)| graph)
    }

    /// Whether a graph's runs count against it.
    pub(crate) fn covers(&self, graph: &str) -> bool {
        self.graph().is_none_or(|of| of == graph)
    }

    /// What a run counts under. Runs without a value that can be a key share the empty one: none is without a limit.
    pub(crate) fn key_of(&self, input: &Arc<Json>, about: &Arc<Json>) -> String {
        let value = self.key.as_ref().and_then(|key| key.evaluate(&Given { input, about }).ok());
        let key = match value {
            Some(Json::String(key)) => key,
            Some(key @ (Json::Number(_) | Json::Bool(_))) => key.to_string(),
            _ => String::new(),
        };
        // The store takes no NUL in a text.
        if key.len() > LONGEST || key.contains('\0') { String::new() } else { key }
    }

    /// What it allows.
    pub(crate) fn terms(&self) -> Terms {
        let limit = self.wanted();
        let count = |count: i32| u32::try_from(count).unwrap_or(0);
        let rate = limit.rate.as_ref().and_then(|rate| {
            let (starts, interval) = (count(rate.starts).max(1), micros(rate.interval.as_ref())?);
            let burst = if rate.burst > 0 { count(rate.burst) } else { starts };
            // Rounded up: never more than the rate.
            Some(Rate { pause: (interval + i64::from(starts) - 1) / i64::from(starts), burst })
        });
        Terms {
            most: Some(count(limit.max_concurrent) as usize).filter(|most| *most > 0),
            rate,
            overflow: match limit.overflow() {
                RunLimitOverflow::Unspecified | RunLimitOverflow::Wait => Overflow::Wait,
                RunLimitOverflow::Skip => Overflow::Skip,
                RunLimitOverflow::Replace => Overflow::Replace,
            },
        }
    }

    /// As clients see it.
    pub(crate) fn shown(&self, (running, waiting): (usize, usize)) -> Shown {
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        Shown {
            name: self.name(),
            uid: self.row.uid.to_string(),
            running_count: count(running),
            waiting_count: count(waiting),
            create_time: Some(self.row.created.into()),
            update_time: Some(self.row.updated.into()),
            etag: self.row.version.to_string(),
            ..self.wanted()
        }
    }
}

fn micros(interval: Option<&prost_types::Duration>) -> Option<i64> {
    let interval = i64::try_from(span::to_std(interval?)?.as_micros()).ok()?;
    INTERVALS.contains(&interval).then_some(interval)
}

/// A limit of a project as it is to be kept, if it is right.
///
/// # Errors
/// Which field is wrong.
pub(crate) fn checked(limit: Shown, project: &str) -> Result<Shown, Error> {
    if !limit.graph.is_empty() && name::graph(&limit.graph).is_none_or(|(of, _)| of != project) {
        return Err(Error::field("run_limit.graph", "must be of the same project"));
    }
    if !limit.key.is_empty() {
        let key = Expression::compile(&limit.key, NAMES);
        key.map_err(|problem| Error::field("run_limit.key", problem))?;
    }
    if limit.max_concurrent == 0 && limit.rate.is_none() {
        return Err(Error::field("run_limit.max_concurrent", "say how many may run, or a rate"));
    }
    if let Some(rate) = &limit.rate
        && micros(rate.interval.as_ref()).is_none()
    {
        return Err(Error::field("run_limit.rate.interval", "must be from one second to 30 days"));
    }
    let overflow = match limit.overflow() {
        RunLimitOverflow::Unspecified => RunLimitOverflow::Wait,
        given => given,
    };
    Ok(Shown {
        display_name: limit.display_name,
        graph: limit.graph,
        key: limit.key,
        max_concurrent: limit.max_concurrent,
        rate: limit.rate,
        overflow: overflow.into(),
        ..Shown::default()
    })
}

/// Fields that can be changed, whether a limit has them set, and how one takes another's.
type Field = (&'static str, fn(&Shown) -> bool, fn(&mut Shown, &Shown));

const FIELDS: &[Field] = &[
    ("display_name", |l| !l.display_name.is_empty(), |l, w| l.display_name.clone_from(&w.display_name)),
    ("max_concurrent", |l| l.max_concurrent > 0, |l, w| l.max_concurrent = w.max_concurrent),
    ("rate", |l| l.rate.is_some(), |l, w| l.rate.clone_from(&w.rate)),
    ("overflow", |l| l.overflow != 0, |l, w| l.overflow = w.overflow),
];

/// A limit as an update leaves it.
///
/// # Errors
/// Which field cannot be changed.
pub(crate) fn changed(before: &Shown, wanted: &Shown, paths: &[String]) -> Result<Shown, Error> {
    let is_known = |path: &String| path == "*" || FIELDS.iter().any(|field| field.0 == path.as_str());
    if let Some(path) = paths.iter().find(|path| !is_known(path)) {
        return Err(Error::field("update_mask", format!("{path:?} cannot be changed")));
    }
    // What is not given is not meant, unless all of it is.
    let is_all = paths.iter().any(|path| path == "*");
    let is_other =
        |before: &str, wanted: &str| before != wanted && (is_all || (paths.is_empty() && !wanted.is_empty()));
    if is_other(&before.graph, &wanted.graph) {
        return Err(Error::field("run_limit.graph", "stays what it is: make another limit"));
    }
    if is_other(&before.key, &wanted.key) {
        return Err(Error::field("run_limit.key", "stays what it is: make another limit"));
    }
    let mut now = before.clone();
    for (name, is_set, take) in FIELDS {
        let is_meant =
            if paths.is_empty() { is_set(wanted) } else { is_all || paths.iter().any(|path| path == name) };
        if is_meant {
            take(&mut now, wanted);
        }
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;
    use weft_proto::weft::execution::v1::RunRate;
    use weft_store::Timestamp;

    use super::*;

    fn limit(limit: Shown) -> RunLimit {
        let kept = Kept { limit: Some(checked(limit, "p").unwrap()), ..Kept::default() };
        let row = RunLimitRow {
            uid: Uuid::nil(),
            project: "p".into(),
            id: "l".into(),
            settings: kept.encode_to_vec().into(),
            version: 1,
            created: Timestamp::from_micros(0),
            updated: Timestamp::from_micros(0),
        };
        RunLimit::stored(row)
    }

    fn refused(limit: Shown) -> &'static str {
        match checked(limit, "p").unwrap_err() {
            Error::BadField { field, .. } => field,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_key_counts_what_is_alike_together_and_leaves_nothing_out() {
        let limit = limit(Shown { key: "input.customer".into(), max_concurrent: 1, ..Shown::default() });
        let key = |input: Json| limit.key_of(&Arc::new(input), &Arc::new(json!({"graph": "g"})));
        assert_eq!(key(json!({"customer": "ada"})), "ada");
        assert_eq!(
            (key(json!({"customer": 7})), key(json!({"customer": true}))),
            ("7".into(), "true".into())
        );
        let too_long = "x".repeat(201);
        let odd = [
            json!({}),
            json!(null),
            json!({"customer": [1]}),
            json!({"customer": too_long}),
            json!({"customer": "\0"}),
        ];
        for input in odd {
            assert_eq!(key(input.clone()), "", "{input}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        let one = Shown { max_concurrent: 1, ..Shown::default() };
        assert_eq!(refused(Shown::default()), "run_limit.max_concurrent");
        assert_eq!(refused(Shown { key: "input.".into(), ..one.clone() }), "run_limit.key");
        assert_eq!(refused(Shown { key: "steps.a".into(), ..one.clone() }), "run_limit.key");
        assert_eq!(refused(Shown { graph: "projects/q/graphs/g".into(), ..one.clone() }), "run_limit.graph");
        let rate = RunRate { starts: 1, ..RunRate::default() };
        assert_eq!(refused(Shown { rate: Some(rate), ..one.clone() }), "run_limit.rate.interval");
        let named = Shown { key: "input.a".into(), ..one.clone() };
        assert!(changed(&one, &named, &[]).is_err());
        assert!(changed(&one, &named, &["key".to_owned()]).is_err());
        let all = ["*".to_owned()];
        assert!(changed(&one, &named, &all).is_err() && changed(&named, &one, &all).is_err());
        assert_eq!(
            changed(&named, &Shown { max_concurrent: 2, ..named.clone() }, &all).unwrap().max_concurrent,
            2
        );
        let more = changed(&named, &Shown { max_concurrent: 3, ..Shown::default() }, &[]).unwrap();
        assert_eq!((more.max_concurrent, &more.key[..]), (3, "input.a"));
    }

    #[test]
    fn a_rate_is_never_rounded_up() {
        let interval = Some(prost_types::Duration { seconds: 1, nanos: 0 });
        let limit =
            limit(Shown { rate: Some(RunRate { starts: 3, interval, burst: 0 }), ..Shown::default() });
        let rate = limit.terms().rate.unwrap();
        assert_eq!((rate.pause, rate.burst, limit.terms().most), (333_334, 3, None));
    }
}
