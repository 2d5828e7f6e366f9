//! What a series is likely to be, and when it was not what it usually is: trends, seasons, forecasts, anomalies.
//!
//! A [`Fit`] is what was learned of one series: a level and a slope, how it comes again by day or by week, and how
//! far its values usually are from that. Everything in it is made of medians, so that a few wild values, a restart of
//! a counter, or an outage hardly move it. From it come [`Fit::ahead`] (a value and an interval at a time),
//! [`Fit::crossing`] (when the series comes to a threshold), and [`Fit::anomalies`].
//!
//! - `robust`: medians, and spreads that wild values do not widen.
//! - `trend`: a line through values, and the range that its slope may have.
//! - `season`: what comes again, and whether it really does.
//! - `fit`: the parts put together; whether a day, a week or neither explains the series best.
//! - `ahead`, `anomaly`: what is asked of it.
//!
//! A value that is no finite number is a gap. Nothing here depends on chance or on the order of threads. A fit of *n*
//! steps takes memory of O(*n*) and time of O(*n* log *n*): what is quadratic works on no more than [`BUCKETS`]
//! medians. Periods are of UTC: a day of 23 hours is not known.
//!
//! ```
//! use weft_series::{forecast::{Direction, Fit}, promql::Steps};
//!
//! // A disk that fills by 1 an hour, asked every hour: it is full at 100.
//! let hour = 3_600_000;
//! let steps = Steps { first: 0, step: hour, count: 48 };
//! let values: Vec<f64> = (0..48).map(|hours| f64::from(hours)).collect();
//! let fit = Fit::learn(steps, &values).expect("48 values are enough");
//! let full = fit.crossing(47 * hour, 200 * hour, 100.0, Direction::Rising).expect("within 200 hours");
//! assert_eq!(full.time, Some(100 * hour));
//! ```

mod ahead;
mod anomaly;
mod fit;
mod robust;
mod season;
mod trend;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use ahead::{Ahead, Crossing, Direction};
pub use anomaly::Anomaly;
pub use fit::{Fit, LEAST_VALUES};
pub use season::Season;
pub use trend::BUCKETS;
