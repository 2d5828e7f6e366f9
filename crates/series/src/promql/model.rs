//! What a query is asked of, and what comes out.

use std::time::{Duration, Instant};

use promql_parser::label::Matcher;

use super::coarse::Coarse;
use crate::{Labels, group::Samples, value::ABSENT};

/// How far back the newest value of a series counts, where a query does not say otherwise.
const LOOK_BACK: Duration = Duration::from_mins(5);

/// Where samples come from.
pub trait Source: Sync {
    /// Series that match all matchers, with their samples from `from` up to and including `to` (milliseconds); of
    /// those that were thinned out also the neighbours, [`Coarse::BEFORE`] intervals before and [`Coarse::AFTER`] after.
    /// At most `limits.samples` in all.
    ///
    /// # Errors
    /// There are more than that, or they cannot be read.
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        limits: &Limits,
    ) -> Result<Vec<StoredSeries>, Failure>;
}

/// A series as it is kept.
#[derive(Clone, Debug, Default)]
pub struct StoredSeries {
    /// Its name.
    pub labels: Labels,
    /// Its samples, by time.
    pub samples: Samples,
    /// Which of them were thinned out.
    pub coarse: Coarse,
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It is no query, or asks for what there is not.
    #[error("{0}")]
    Query(String),
    /// It would look at more than is allowed: of what, and how many.
    #[error(
        "the query needs more than {most} {what}; ask for less of the time, fewer series or longer steps"
    )]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: u64,
    },
    /// It takes too long.
    #[error("the query takes too long")]
    TooLong,
    /// Its source failed.
    #[error("{0}")]
    Source(String),
}

/// How much a query may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most series that one selector finds.
    pub series: u64,
    /// Most samples that are read for one selector.
    pub samples: u64,
    /// Most steps.
    pub steps: u64,
    /// Most values of one part of the query: rows × steps.
    pub points: u64,
    /// When it must be over.
    pub deadline: Option<Instant>,
    /// How far back the newest value of a series counts.
    pub look_back: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            series: 100_000,
            samples: 50_000_000,
            steps: 11_000,
            points: 20_000_000,
            deadline: None,
            look_back: LOOK_BACK,
        }
    }
}

impl Limits {
    /// Refuses when it is over.
    ///
    /// # Errors
    /// It is.
    pub fn in_time(&self) -> Result<(), Failure> {
        let is_over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if is_over { Err(Failure::TooLong) } else { Ok(()) }
    }

    /// Refuses what is more than `most`.
    pub(super) fn at_most(count: u64, most: u64, what: &'static str) -> Result<(), Failure> {
        if count > most { Err(Failure::TooMuch { what, most }) } else { Ok(()) }
    }
}

/// The times at which a query is evaluated, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first.
    pub first: i64,
    /// From one to the next: more than 0.
    pub step: i64,
    /// How many.
    pub count: usize,
}

impl Steps {
    /// Once.
    pub fn once(time: i64) -> Self {
        Self { first: time, step: 1, count: 1 }
    }

    /// From one time to another; the last step is not after it.
    ///
    /// # Errors
    /// There are none, or too many.
    pub fn new(first: i64, last: i64, step: i64, most: u64) -> Result<Self, Failure> {
        if step <= 0 {
            return Err(Failure::Query("the step must be longer than zero".into()));
        }
        let span = last.checked_sub(first).filter(|span| *span >= 0);
        let span = span.ok_or_else(|| Failure::Query("the end must not be before the start".into()))?;
        let count = span as u64 / step as u64 + 1;
        Limits::at_most(count, most, "steps")?;
        Ok(Self { first, step, count: count as usize })
    }

    /// The time of a step.
    pub fn time(&self, place: usize) -> i64 {
        self.first + self.step * place as i64
    }

    /// The time of the last step.
    pub fn last(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }
}

/// A series of an answer: a value for each step.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub labels: Labels,
    /// One for each step; absent where there is none.
    pub values: Vec<f64>,
}

impl Row {
    pub(super) fn absent(labels: Labels, count: usize) -> Self {
        Self { labels, values: vec![ABSENT; count] }
    }
}

/// What came out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// A number for each step.
    Scalar(Vec<f64>),
    /// Series.
    Vector(Vec<Row>),
    /// A text.
    Text(String),
    /// Series with all of their samples in a window: of an instant query that is a range selector.
    Matrix(Vec<StoredSeries>),
}
