//! What a mesh promises when the power goes, when it is told to end, and when a viewer does not read.

mod analyses;
mod drain;
mod executions;
mod kill;
mod ledger;
mod refresh;
mod rounds;
mod shards;
mod sharing;
mod slow_viewer;
mod telemetry;
mod terminate;
mod workers;
mod writers;
