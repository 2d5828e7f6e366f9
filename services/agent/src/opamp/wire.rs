//! OpAMP's messages, as far as this mesh reads and writes them (package `opamp.proto.v1`, version 0.18 of the
//! specification). What else a collector says is left out when they are read, as protobuf leaves out what it does not know.

use std::collections::BTreeMap;

use prost::{Enumeration, Message, Oneof};

/// What a collector says. Parts that have not changed since they were said last are left out.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AgentToServer {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) instance_uid: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) sequence_num: u64,
    #[prost(message, optional, tag = "3")]
    pub(crate) agent_description: Option<AgentDescription>,
    #[prost(uint64, tag = "4")]
    pub(crate) capabilities: u64,
    #[prost(message, optional, tag = "5")]
    pub(crate) health: Option<ComponentHealth>,
    #[prost(message, optional, tag = "6")]
    pub(crate) effective_config: Option<EffectiveConfig>,
    #[prost(message, optional, tag = "7")]
    pub(crate) remote_config_status: Option<RemoteConfigStatus>,
    #[prost(message, optional, tag = "9")]
    pub(crate) agent_disconnect: Option<AgentDisconnect>,
    #[prost(uint64, tag = "10")]
    pub(crate) flags: u64,
}

/// A flag of `AgentToServer`: the server is to choose the instance's uid.
pub(crate) const REQUEST_INSTANCE_UID: u64 = 1;

/// It goes on purpose.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AgentDisconnect {}

/// What it is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AgentDescription {
    #[prost(message, repeated, tag = "1")]
    pub(crate) identifying_attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) non_identifying_attributes: Vec<KeyValue>,
}

/// An attribute.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<AnyValue>,
}

/// Its value. Lists and maps are not read.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4")]
    pub(crate) value: Option<Value>,
}

/// Kinds of values that have a text.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Value {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
}

/// How it, or a part of it, is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ComponentHealth {
    #[prost(bool, tag = "1")]
    pub(crate) healthy: bool,
    #[prost(fixed64, tag = "2")]
    pub(crate) start_time_unix_nano: u64,
    #[prost(string, tag = "3")]
    pub(crate) last_error: String,
    #[prost(string, tag = "4")]
    pub(crate) status: String,
    #[prost(fixed64, tag = "5")]
    pub(crate) status_time_unix_nano: u64,
    #[prost(btree_map = "string, message", tag = "6")]
    pub(crate) parts: BTreeMap<String, Self>,
}

/// What it runs with.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EffectiveConfig {
    #[prost(message, optional, tag = "1")]
    pub(crate) config_map: Option<ConfigMap>,
}

/// Files by name, in the order of their names: the same files have the same encoding.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigMap {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) config_map: BTreeMap<String, ConfigFile>,
}

/// A file.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigFile {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) body: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(crate) content_type: String,
}

/// How it stands with a configuration that it was offered.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RemoteConfigStatus {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) last_remote_config_hash: Vec<u8>,
    #[prost(enumeration = "RemoteConfigStatuses", tag = "2")]
    pub(crate) status: i32,
    #[prost(string, tag = "3")]
    pub(crate) error_message: String,
}

/// How far it is with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum RemoteConfigStatuses {
    Unset = 0,
    Applied = 1,
    Applying = 2,
    Failed = 3,
}

/// What a collector is told.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ServerToAgent {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) instance_uid: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub(crate) error_response: Option<ServerErrorResponse>,
    #[prost(message, optional, tag = "3")]
    pub(crate) remote_config: Option<RemoteConfig>,
    #[prost(uint64, tag = "6")]
    pub(crate) flags: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) capabilities: u64,
    #[prost(message, optional, tag = "8")]
    pub(crate) agent_identification: Option<AgentIdentification>,
    #[prost(message, optional, tag = "9")]
    pub(crate) command: Option<Command>,
}

/// A flag of `ServerToAgent`: say everything again, changed or not.
pub(crate) const REPORT_FULL_STATE: u64 = 1;
/// `ServerToAgent.capabilities` of this mesh: it takes statuses (1), offers configurations (2), and takes the
/// effective ones (4).
pub(crate) const SERVER_CAPABILITIES: u64 = 1 | 2 | 4;

/// Why a message was not taken.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ServerErrorResponse {
    #[prost(enumeration = "ErrorType", tag = "1")]
    pub(crate) r#type: i32,
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) retry_info: Option<RetryInfo>,
}

/// What kind of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum ErrorType {
    Unknown = 0,
    /// The message is wrong, and is not to be sent again.
    BadRequest = 1,
    /// It may be sent again, later.
    Unavailable = 2,
}

/// When to try again.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RetryInfo {
    #[prost(uint64, tag = "1")]
    pub(crate) retry_after_nanoseconds: u64,
}

/// A configuration that it is offered.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RemoteConfig {
    #[prost(message, optional, tag = "1")]
    pub(crate) config: Option<ConfigMap>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) config_hash: Vec<u8>,
}

/// How it is to call itself from now on.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AgentIdentification {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) new_instance_uid: Vec<u8>,
}

/// What it is to do: there is nothing but to restart, whose number is 0.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Command {
    #[prost(int32, tag = "1")]
    pub(crate) r#type: i32,
}

/// What a collector can do, by bit of `AgentToServer.capabilities`, and what this mesh calls it.
pub(crate) const CAPABILITIES: [(u64, &str); 16] = [
    (1 << 0, "opamp:reports-status"),
    (1 << 1, ACCEPTS_CONFIGURATION),
    (1 << 2, "opamp:reports-effective-configuration"),
    (1 << 3, "opamp:accepts-packages"),
    (1 << 4, "opamp:reports-package-statuses"),
    (1 << 5, "opamp:reports-own-traces"),
    (1 << 6, "opamp:reports-own-metrics"),
    (1 << 7, "opamp:reports-own-logs"),
    (1 << 8, "opamp:accepts-opamp-connection-settings"),
    (1 << 9, "opamp:accepts-other-connection-settings"),
    (1 << 10, ACCEPTS_RESTART),
    (1 << 11, "opamp:reports-health"),
    (1 << 12, "opamp:reports-configuration-status"),
    (1 << 13, "opamp:reports-heartbeat"),
    (1 << 14, "opamp:reports-available-components"),
    (1 << 15, "opamp:reports-connection-settings-status"),
];

/// It takes configurations.
pub(crate) const ACCEPTS_CONFIGURATION: &str = "opamp:accepts-configuration";
/// It can be told to restart.
pub(crate) const ACCEPTS_RESTART: &str = "opamp:accepts-restart";
/// Bits of what a collector says by itself whenever it says everything.
pub(crate) const REPORTS_EFFECTIVE: u64 = 1 << 2;
pub(crate) const REPORTS_HEALTH: u64 = 1 << 11;
