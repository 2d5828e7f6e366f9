//! Tests of the bus and the cache against what really carries them.

mod conformance;
mod redis;
mod support;
