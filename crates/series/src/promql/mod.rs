//! The query language of Prometheus, as its version 3 understands it, over anything that gives samples.
//!
//! A query is evaluated for all of its steps at once: every part of it becomes rows of as many values as there are
//! steps, and a step without a value is absent. What is implemented follows the published semantics
//! (prometheus.io/docs/prometheus/latest/querying): look-back of five minutes, marks of an end, resets of counters,
//! extrapolation to the ends of a window, windows that do not include their beginning. Not implemented, and refused
//! by name: native histograms, `limitk`, `limit_ratio`, `info`, `or` between matchers.
//!
//! Of samples that were thinned out (`coarse`) there may be fewer than a look or a window needs: then those count that
//! are before it, as long as no gap is between. That is ours.
//!
//! `parse` reads and bounds a query; `eval` walks it with its `context`; `select` cuts samples into looks and windows; `windows` are the
//! functions of windows, `functions` those of values and labels, `aggregate` and `binary` what their names say.

mod aggregate;
mod binary;
mod coarse;
mod context;
mod dates;
mod eval;
mod functions;
mod histogram;
mod model;
mod parse;
mod select;
mod statistics;
mod text;
mod windows;

#[cfg(test)]
mod tests;

pub use coarse::Coarse;
pub use eval::{instant, range};
pub use model::{Answer, Failure, Limits, Row, Source, Steps, StoredSeries};
pub use parse::{Query, selector};
pub use promql_parser::label::Matcher;
pub use text::format_value;
