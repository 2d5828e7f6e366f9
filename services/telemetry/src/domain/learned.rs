//! Series of a query, each learned from by itself: on all cores, and for no longer than a query may take.

use rayon::prelude::*;
use weft_proto::weft::telemetry::v1::Season;
use weft_series::{
    Labels,
    forecast::{self, Fit},
    promql::{self, Answer, Failure, Limits, Query, Row, Source, Steps},
};

use super::time;

/// Most series of one answer that are learned from: one of 11,000 steps takes some hundredths of a second.
const MOST_SERIES: u64 = 2_000;

/// The series of a query over time. A number is a series without labels.
pub(crate) fn rows(
    query: &Query,
    source: &dyn Source,
    steps: Steps,
    limits: &Limits,
) -> Result<Vec<Row>, Failure> {
    Ok(match promql::range(query, source, steps, limits)? {
        Answer::Scalar(values) => vec![Row { labels: Labels::default(), values }],
        Answer::Vector(rows) => rows,
        _ => Vec::new(),
    })
}

/// What is made of each series and what was learned of it, in their order.
pub(crate) fn each<T: Send>(
    rows: &[Row],
    steps: Steps,
    limits: &Limits,
    made: impl Fn(&Row, Option<Fit>) -> T + Sync,
) -> Result<Vec<T>, Failure> {
    if rows.len() as u64 > MOST_SERIES {
        return Err(Failure::TooMuch { what: "series", most: MOST_SERIES });
    }
    let learn = |row: &Row| {
        limits.in_time()?;
        Ok(made(row, Fit::learn(steps, &row.values)))
    };
    rows.par_iter().map(learn).collect()
}

/// A season as the contract writes it.
pub(crate) fn season(season: &forecast::Season) -> Season {
    Season { period: Some(time::duration(season.period)), strength: season.strength }
}

/// How many, as the contract writes it.
pub(crate) fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
