//! Random input, from outside: whatever is sent, nothing panics, nothing is our own fault, and what was
//! understood comes back as it went in.
//!
//! Each target is a function of bytes.

#[path = "../../../src/fuzz.rs"]
mod engine;
mod entropy;
mod targets;

use bolero::check;

pub(crate) use self::entropy::{Entropy, message};
use self::{engine::fuzz, targets::Fixture};

/// What tries `target`, in one edge.
fn within_an_edge(target: impl AsyncFn(&Fixture, &[u8])) -> impl FnMut(&[u8]) {
    // A service that never answers must not hold the run up.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let fixture = runtime.block_on(async { Fixture::new() });
    move |bytes| runtime.block_on(target(&fixture, bytes))
}

#[test]
fn a_message_comes_back_in_json_and_in_protobuf() {
    fuzz(check!(), 300, within_an_edge(targets::round_trip));
}

#[test]
fn json_that_is_nearly_right() {
    fuzz(check!(), 300, within_an_edge(targets::bent_json));
}

#[test]
fn addresses_and_queries() {
    fuzz(check!(), 80, within_an_edge(targets::address));
}

#[test]
fn envelopes_of_connect() {
    fuzz(check!(), 120, within_an_edge(targets::connect));
}

#[test]
fn frames_of_grpc_web() {
    fuzz(check!(), 120, within_an_edge(targets::grpc_web));
}

#[test]
fn messages_of_a_websocket() {
    fuzz(check!(), 120, within_an_edge(targets::websocket));
}

#[test]
fn frames_of_a_websocket() {
    fuzz(check!(), 120, within_an_edge(targets::websocket_frames));
}

#[test]
fn the_last_event_of_a_stream() {
    fuzz(check!(), 20, within_an_edge(targets::last_event));
}

#[test]
fn requests_of_agents() {
    fuzz(check!(), 200, within_an_edge(targets::mcp));
}
