//! Tests of the store against a real PostgreSQL server.

mod conformance;
mod opening;
mod schema;
mod world;
