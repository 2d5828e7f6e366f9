//! What can be set at the edge.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::UpstreamOptions;

/// Settings of the gateway. Every one has a default that is safe on an open network.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayOptions {
    /// Web origins whose pages may call this gateway, besides its own: `https://app.example.org`,
    /// or `*` for every page. None by default: a page of another origin gets no answer to read.
    pub allowed_origins: Vec<String>,
    /// Most bytes of a REST request's body. A larger one is answered with 413.
    pub max_body_bytes: usize,
    /// Most bytes of one message in REST answers and on a WebSocket, before JSON.
    pub max_message_bytes: usize,
    /// Most levels of objects and lists in JSON. No contract of ours needs more than ten. At most
    /// 100 counts: the parser itself ends at 127.
    pub max_json_depth: usize,
    /// Pause after which a quiet event stream says that it still lives, so that proxies between
    /// do not cut it.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// WebSockets.
    pub websocket: WebSocketOptions,
    /// Title of the OpenAPI document.
    pub title: String,
    /// Address of a port of its own for agents (`0.0.0.0:8081`), with their doors at `/v1/agent`, `/v1/reporter` and
    /// `/v1/opamp`, the calls that lead to them, and nothing else. `server` holds for it too. None if empty: the door is at `listen` in any case.
    pub agents_listen: String,
    /// Addresses of ports of their own for OTLP (`0.0.0.0:4317`, `0.0.0.0:4318`): metrics, logs and traces over gRPC
    /// and over HTTP are taken on each of them, and nothing else. `server` holds for them too. None by default: `listen`
    /// takes both in any case.
    pub otlp_listen: Vec<String>,
    /// Services that weft was not built with, by a name for people. They are added, changed and removed
    /// while the gateway runs: when this file changes, or on SIGHUP.
    pub upstreams: BTreeMap<String, UpstreamOptions>,
}

/// Bounds of one WebSocket.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocketOptions {
    /// Whether messages are compressed with clients that offer it (permessage-deflate), as browsers do: those of
    /// 1 KiB and more that get smaller by it.
    pub compression: bool,
    /// Most calls that run at once on one socket. One more ends with RESOURCE_EXHAUSTED.
    pub max_calls: usize,
    /// How often the server pings.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// A socket from which nothing was heard for so long is closed, and one that takes nothing of what is
    /// said to it.
    #[serde(with = "humantime_serde")]
    pub answer_timeout: Duration,
    /// Bytes that wait to be written to one socket, in each of its two lanes; calls with more to say wait
    /// for their turn. Of a session so many bytes that its client has not acknowledged are kept besides.
    pub send_queue_bytes: usize,
    /// How long a session waits for its client to come back. Its calls go on meanwhile.
    #[serde(with = "humantime_serde")]
    pub resume_window: Duration,
    /// Most sessions that wait for their clients; one caller may have a sixteenth of them. A client for which
    /// there is no place begins anew.
    pub max_waiting_sessions: usize,
    /// Bytes that wait for one call's service to read them. When they are this many, the socket
    /// is not read until there is room: TCP makes the client wait.
    pub call_queue_bytes: usize,
    /// Bytes that wait for all services of one socket.
    pub receive_queue_bytes: usize,
    /// A call whose service reads nothing for so long while its queue is full ends with
    /// RESOURCE_EXHAUSTED, so that it cannot hold up the other calls of its socket for ever.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            max_body_bytes: 4 << 20,
            max_message_bytes: 4 << 20,
            max_json_depth: 64,
            heartbeat: Duration::from_secs(15),
            websocket: WebSocketOptions::default(),
            title: "weft".to_owned(),
            agents_listen: String::new(),
            otlp_listen: Vec::new(),
            upstreams: BTreeMap::new(),
        }
    }
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            compression: true,
            max_calls: 64,
            ping_interval: Duration::from_secs(20),
            answer_timeout: Duration::from_secs(40),
            send_queue_bytes: 1 << 20,
            resume_window: Duration::from_secs(60),
            max_waiting_sessions: 256,
            call_queue_bytes: 1 << 20,
            receive_queue_bytes: 8 << 20,
            stall_timeout: Duration::from_secs(15),
        }
    }
}
