//! The telemetry service behind its generated client.

mod others;
mod reports;
mod sealing;
mod world;
