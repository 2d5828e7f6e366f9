//! What the configuration says of a service that weft was not built with.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use weft_kit::client::ClientTls;
use weft_proto::weft::options::v1::Access;

/// A service that weft was not built with.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamOptions {
    /// Where it is: `http://host:port`, or `https://host:port` for TLS. The name is looked up again and again,
    /// and every address that it has is used. Several hosts, with commas between them, are one service:
    /// `http://10.0.0.1:50051,10.0.0.2:50051`. It goes by the first name, in its certificate too.
    pub address: String,
    /// With `https:`, file with the authorities that its certificate may be from (PEM). Those of the system if
    /// empty.
    pub ca_file: PathBuf,
    /// With `https:`, file with the gateway's own certificate, if the service asks for one (mTLS, PEM).
    pub certificate_file: PathBuf,
    /// File with the private key of that certificate (PEM).
    pub key_file: PathBuf,
    /// File with its contracts: a `google.protobuf.FileDescriptorSet` as `buf build -o` or `protoc
    /// --include_imports --descriptor_set_out` write it. The service is asked by gRPC reflection if empty.
    pub descriptors: PathBuf,
    /// Which services are served, by their full names. All of them if empty, but for health and reflection.
    pub services: Vec<String>,
    /// How often its contracts are looked at again.
    #[serde(with = "humantime_serde")]
    pub refresh: Duration,
    /// The least that a caller must be: "admin", "operator" or "viewer" in the project `mesh`, "authenticated"
    /// (any good credential), or "public" (anybody).
    pub access: UpstreamAccess,
    /// Whether it gets the credential of the caller. Only for services that check the mesh's tokens
    /// themselves: whoever has the credential can do what the caller can.
    pub forward_credential: bool,
    /// Whether its methods without streams are offered to AI agents as tools.
    pub mcp: bool,
    /// Most calls and streams at once. One more is refused with RESOURCE_EXHAUSTED.
    pub max_calls: usize,
    /// Most calls and streams that begin in a second; 0 for any number. One more is refused in the same way.
    pub max_calls_per_second: u32,
    /// How long a call that is not a stream may take at most.
    #[serde(with = "humantime_serde")]
    pub max_call_duration: Duration,
    /// After how long a call without streams that changes nothing, or may be repeated, is asked a second time
    /// beside the first, at another of its addresses if it has several; the answer that comes first counts.
    /// With "0s" only where its contract says so (`weft.options.v1.hedging`).
    #[serde(with = "humantime_serde")]
    pub hedging_delay: Duration,
    /// HTTP/2 connections to each of its addresses.
    pub connections: usize,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            address: String::new(),
            ca_file: PathBuf::new(),
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            descriptors: PathBuf::new(),
            services: Vec::new(),
            refresh: Duration::from_secs(10),
            access: UpstreamAccess::Admin,
            forward_credential: false,
            mcp: false,
            max_calls: 256,
            max_calls_per_second: 0,
            max_call_duration: Duration::from_secs(30),
            hedging_delay: Duration::ZERO,
            connections: 2,
        }
    }
}

impl UpstreamOptions {
    pub(super) fn tls(&self) -> ClientTls {
        ClientTls {
            ca_file: self.ca_file.clone(),
            certificate_file: self.certificate_file.clone(),
            key_file: self.key_file.clone(),
        }
    }

    /// Whether contracts and calls of both come from and go to the same place.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        self.address == other.address
            && self.tls() == other.tls()
            && self.descriptors == other.descriptors
            && self.connections == other.connections
    }
}

/// The least that a caller of a foreign service must be.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamAccess {
    /// Administrator in the project `mesh`.
    Admin,
    /// Operator in the project `mesh`.
    Operator,
    /// Viewer in the project `mesh`.
    Viewer,
    /// Anybody with a good credential.
    Authenticated,
    /// Anybody.
    Public,
}

impl From<UpstreamAccess> for Access {
    fn from(access: UpstreamAccess) -> Self {
        match access {
            UpstreamAccess::Admin => Self::Admin,
            UpstreamAccess::Operator => Self::Operator,
            UpstreamAccess::Viewer => Self::Viewer,
            UpstreamAccess::Authenticated => Self::Authenticated,
            UpstreamAccess::Public => Self::Public,
        }
    }
}
