//! The sections of the configuration that every process has.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::Network;

/// How connections are treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionOptions {
    /// Most open connections, WebSockets among them; further ones are closed at once.
    pub max_connections: usize,
    /// Most open connections of one address (of one /64 in IPv6); further ones are closed at once. Those of
    /// `trusted_proxies` may have all: behind a proxy everybody has its address.
    pub max_connections_per_address: usize,
    /// How many connections one address may open anew, if it is no trusted proxy's; further ones are closed
    /// at once.
    pub new_connections_per_address: Rates,
    /// Most calls at once on one HTTP/2 connection.
    pub max_streams_per_connection: u32,
    /// How long a client may take to say what it wants after connecting, and for the headers of
    /// a request.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// Largest list of headers, in bytes.
    pub max_header_bytes: u32,
    /// How long the body of a request may be waited for; each KiB of it gives a second more, up to as
    /// much again. Streams of gRPC and Connect may be silent for as long as their client lives.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// How long a client may take nothing of what is there for it, before its connection, or its one
    /// stream of HTTP/2, is cut off.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// How many frames of HTTP/2 that carry nothing (PING, SETTINGS, resets, next to no data) one
    /// connection may send, beside those that answer what we send: more are a flood, and end it.
    pub control_frames: Rates,
    /// How long no connection is taken from an address that is no trusted proxy's (from a /64 of IPv6) when it comes
    /// back within a minute of a flood and floods again: twice as long each time, up to 32 times as long. What it has
    /// connected already stays. Not at all if zero, and a day at most. Ports that only other processes of the mesh call do
    /// not do it.
    #[serde(with = "humantime_serde")]
    pub flood_pause: Duration,
    /// How often an idle HTTP/2 connection is asked whether it is still there.
    #[serde(with = "humantime_serde")]
    pub keep_alive_interval: Duration,
    /// How long the answer to that may take.
    #[serde(with = "humantime_serde")]
    pub keep_alive_timeout: Duration,
    /// How old a connection grows before its client is asked to make a new one, so that load
    /// spreads to new processes; varied by a tenth either way.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// How long calls may go on after that, and after the process was told to end.
    #[serde(with = "humantime_serde")]
    pub drain_grace: Duration,
    /// Where other processes of the same services reach this one, for example `http://10.0.0.7:8080`, where several share a
    /// PostgreSQL database. If empty, the address that it listens on; where that is all addresses, the name of the host.
    pub advertise: String,
    /// Proxies in front, by address or network (`["10.0.0.0/8", "::1"]`): what they say of where a request
    /// came from is believed. None by default: then whoever connects is the client.
    pub trusted_proxies: Vec<Network>,
    /// The header in which those proxies say it: "x-forwarded-for", with the scheme in `x-forwarded-proto`,
    /// or "forwarded" (RFC 7239). They must write it themselves; the other one is not looked at.
    pub forwarded_header: ForwardedHeader,
    /// TLS. Without files the port speaks plain text, and whatever is in front of it TLS.
    pub tls: TlsOptions,
}

/// How proxies in front tell where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `x-forwarded-for` and `x-forwarded-proto`, as most write them.
    XForwardedFor,
    /// `forwarded`, as RFC 7239 has it.
    Forwarded,
}

/// TLS of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// File with the certificate, and after it those that lead to its authority, in PEM.
    pub certificate_file: PathBuf,
    /// File with the certificate's private key, in PEM.
    pub key_file: PathBuf,
    /// How often the files are looked at: new connections get a new certificate without a restart.
    #[serde(with = "humantime_serde")]
    pub reload_interval: Duration,
    /// For how long browsers are told to reach this host over TLS only (HSTS), when they reach it so: here,
    /// or at a trusted proxy. Not told if zero: they keep it, also when the certificate is gone.
    #[serde(with = "humantime_serde")]
    pub hsts_max_age: Duration,
}

impl TlsOptions {
    /// Whether the port speaks TLS.
    pub fn is_on(&self) -> bool {
        !self.certificate_file.as_os_str().is_empty()
    }
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            reload_interval: Duration::from_secs(10),
            hsts_max_age: Duration::ZERO,
        }
    }
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_address: 5_000,
            new_connections_per_address: Rates { per_second: 1_000, burst: 10_000 },
            max_streams_per_connection: 256,
            header_timeout: Duration::from_secs(8),
            max_header_bytes: 16 * 1024,
            body_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_mins(1),
            control_frames: Rates { per_second: 400, burst: 4_000 },
            flood_pause: Duration::from_secs(1),
            keep_alive_interval: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(20),
            max_age: Duration::from_hours(1),
            drain_grace: Duration::from_secs(10),
            advertise: String::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            tls: TlsOptions::default(),
        }
    }
}

/// How much a process takes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitOptions {
    /// Most calls at once that are not streams; further ones are told to try again.
    pub max_calls: usize,
    /// Most open streams; further ones are told to try again.
    pub max_streams: usize,
    /// Largest message, in bytes, also after decompression.
    pub max_message_bytes: usize,
    /// How long a call that is not a stream may take if its client does not say, and at most.
    #[serde(with = "humantime_serde")]
    pub max_call_duration: Duration,
    /// Rates of each caller.
    pub rate: RateOptions,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            max_calls: 4_096,
            max_streams: 10_000,
            max_message_bytes: 4 * 1024 * 1024,
            max_call_duration: Duration::from_mins(1),
            rate: RateOptions::default(),
        }
    }
}

/// Token buckets of each caller, by the rate class that a contract states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateOptions {
    /// Cheap look-ups.
    pub read: Rates,
    /// Changes of single resources.
    pub write: Rates,
    /// Imports, exports, snapshots.
    pub bulk: Rates,
    /// Opening of streams.
    pub stream: Rates,
    /// Attempts to sign in, by address.
    pub sign_in: Rates,
}

impl Default for RateOptions {
    fn default() -> Self {
        let rates = |per_second, burst| Rates { per_second, burst };
        Self {
            read: rates(2_000, 4_000),
            write: rates(1_000, 2_000),
            bulk: rates(20, 60),
            stream: rates(50, 200),
            sign_in: rates(5, 30),
        }
    }
}

/// One token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Tokens that come back each second. At least 1.
    pub per_second: u32,
    /// Tokens in a full bucket. At least 1.
    pub burst: u32,
}

/// How a process calls others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientOptions {
    /// HTTP/2 connections to each address: one alone is bound by one lock.
    pub connections: usize,
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How often names are resolved anew.
    #[serde(with = "humantime_serde")]
    pub resolve_interval: Duration,
    /// Attempts of a call in all, where the contract says that it may be repeated (at most 5).
    pub max_attempts: u32,
    /// Pause before the second attempt; it doubles each time and is varied.
    #[serde(with = "humantime_serde")]
    pub initial_backoff: Duration,
    /// Longest pause.
    #[serde(with = "humantime_serde")]
    pub max_backoff: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connections: 2,
            connect_timeout: Duration::from_secs(3),
            resolve_interval: Duration::from_secs(15),
            max_attempts: 4,
            initial_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_secs(2),
        }
    }
}

/// What a process tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObserveOptions {
    /// What is logged, as `level` or `target=level,…`.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// Where traces go: an OTLP/gRPC collector such as `http://127.0.0.1:4317`. Nowhere if empty.
    pub otlp_endpoint: String,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self { log: "info".into(), log_format: LogFormat::Human, otlp_endpoint: String::new() }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}
