//! What all parts of a query share, and what a part of one is.

use std::collections::HashMap;

use promql_parser::parser::{AtModifier, Offset};

use super::model::{Failure, Limits, Row, Source, Steps};
use crate::{Labels, value::is_absent};

/// What a part of a query is.
pub(super) enum Value {
    Scalar(Vec<f64>),
    Vector(Vec<Row>),
    Text(String),
}

/// What all parts of a query share.
pub(super) struct Context<'s> {
    pub(super) source: &'s dyn Source,
    pub(super) limits: &'s Limits,
    pub(super) steps: Steps,
    /// The first and the last time of the whole query, for `@ start()` and `@ end()`.
    pub(super) whole: (i64, i64),
}

pub(super) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

pub(super) fn vector(value: Value) -> Result<Vec<Row>, Failure> {
    match value {
        Value::Vector(rows) => Ok(rows),
        _ => Err(Failure::Query("series are asked for where there is something else".into())),
    }
}

pub(super) fn scalar(value: Value) -> Result<Vec<f64>, Failure> {
    match value {
        Value::Scalar(values) => Ok(values),
        _ => Err(Failure::Query("a number is asked for where there is something else".into())),
    }
}

pub(super) fn text(value: Value) -> Result<String, Failure> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(Failure::Query("a text is asked for where there is something else".into())),
    }
}

/// Rows of equal names as one, where no step has a value of both.
pub(super) fn merged(rows: Vec<Row>) -> Result<Vec<Row>, Failure> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(place) = places.get(&row.labels) else {
            places.insert(row.labels.clone(), merged.len());
            merged.push(row);
            continue;
        };
        for (kept, value) in merged[*place].values.iter_mut().zip(row.values) {
            if is_absent(value) {
                continue;
            }
            if !is_absent(*kept) {
                let reason = format!("several series would have the labels {}", row.labels);
                return Err(Failure::Query(reason));
            }
            *kept = value;
        }
    }
    Ok(merged)
}

/// Milliseconds that an offset takes away.
pub(super) fn offset(offset: Option<&Offset>) -> i64 {
    match offset {
        None => 0,
        Some(Offset::Pos(duration)) => millis(*duration),
        Some(Offset::Neg(duration)) => -millis(*duration),
    }
}

/// The time that `@` names.
pub(super) fn pinned(at: Option<&AtModifier>, whole: (i64, i64)) -> Option<i64> {
    let unix = std::time::SystemTime::UNIX_EPOCH;
    match at? {
        AtModifier::Start => Some(whole.0),
        AtModifier::End => Some(whole.1),
        AtModifier::At(time) => Some(match time.duration_since(unix) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        }),
    }
}
