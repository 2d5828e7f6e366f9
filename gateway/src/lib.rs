//! The edge of the mesh: protocols in, gRPC out. It decides nothing about services of the mesh, and guards
//! those of others.
//!
//! One HTTP service answers gRPC, gRPC-web, Connect, REST with JSON, WebSocket, MCP, `/openapi.json` and the
//! console, from descriptors alone: a new method of a contract is reachable every way without a
//! line here. A request walks forward through these files:
//!
//! 1. `service`: which protocol, by content type and path; `cors` for pages of other origins.
//! 2. `grpc` passes gRPC and gRPC-web through, and `watch` looks at what passes; `connect`, `rest`,
//!    `mcp` and `ws` translate.
//! 3. `json` turns messages into canonical proto3 JSON and back, within bounds.
//! 4. `call` calls the service, in this process or elsewhere; `catalog` knows which method it is,
//!    and `upstream` who answers. `draining` ends streams when the gateway does.
//! 5. `schema` says what messages look like, for `openapi` and `mcp`.
//! 6. `foreign` keeps services that weft was not built with; `tables` is all that follows from contracts, in
//!    one piece that is replaced when one comes or goes.
//! 7. `agents` is a port of its own for agents, where nothing else is answered.
//! 8. `telemetry` answers OTLP and Prometheus, whose contracts are other people's.
//! 9. `opamp` is where collectors belong to the fleet, whose contract is other people's too.
//! 10. `words` says what went wrong, the same in every protocol; `refusal` turns it into HTTP.
//!
//! What is answered where is in `docs/gateway.md`, the WebSocket in `docs/websocket.md`.
//!
//! ```
//! use weft_gateway::{Gateway, GatewayOptions, Upstreams};
//! use weft_kit::Lifecycle;
//!
//! // In a real process: `.with("weft.graph.v1.GraphService", peer)` for each service.
//! let upstreams = Upstreams::new();
//! let pool = weft_proto::pool().clone();
//! let gateway = Gateway::new(upstreams, GatewayOptions::default(), pool, Lifecycle::new())?;
//! assert!(gateway.openapi().starts_with(b"{"));
//! # Ok::<(), weft_gateway::GatewayError>(())
//! ```

mod accept;
mod agents;
mod body;
mod call;
mod catalog;
mod connect;
mod console;
mod cors;
mod docs;
mod draining;
mod error;
mod foreign;
#[cfg(test)]
mod fuzz;
mod grpc;
mod hooks;
mod json;
mod mcp;
mod metadata;
mod opamp;
mod openapi;
mod options;
mod percent;
mod refusal;
mod rest;
mod schema;
mod service;
mod shared;
mod tables;
mod telemetry;
mod upstream;
mod watch;
mod words;
mod ws;

pub use agents::AgentsPort;
pub use console::has_console;
pub use error::GatewayError;
pub use foreign::{Keeper, UpstreamAccess, UpstreamOptions};
pub use hooks::{HOOKS, Hooks};
pub use options::{GatewayOptions, WebSocketOptions};
pub use service::Gateway;
pub use telemetry::OtlpPort;
pub use upstream::Upstreams;
