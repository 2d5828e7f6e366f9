//! Tests of the store against a real PostgreSQL server.

mod conformance;
mod opening;
mod partitions;
mod schema;
mod world;
