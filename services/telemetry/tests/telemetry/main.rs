//! The telemetry service behind its generated client.

#![expect(clippy::float_cmp, reason = "values are kept to the bit")]

mod alerts;
mod forecasts;
mod logs;
mod others;
mod reports;
mod sealing;
mod thinning;
mod traces;
mod world;
