//! The whole configuration, as one typed tree. `deploy/weft.toml` shows and explains every key.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use weft_kit::config::{ClientOptions, ConfigError, ConnectionOptions, LimitOptions, ObserveOptions, Secret};

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of this node: its database, its objects, its keys, and `weft.json`, which says where
    /// it listens.
    pub data: PathBuf,
    /// Address that is listened on; port 0 takes a free one.
    pub listen: String,
    /// Connections.
    pub server: ConnectionOptions,
    /// How much is taken on.
    pub limits: LimitOptions,
    /// Calls to other processes.
    pub client: ClientOptions,
    /// Logs and traces.
    pub observe: ObserveOptions,
    /// Where things are kept.
    pub storage: StorageOptions,
    /// What makes several processes one mesh.
    pub mesh: MeshOptions,
    /// Where services are that do not run in this process: `graph = "http://graph:8080"`.
    pub peers: BTreeMap<String, String>,
    /// The identity service.
    pub identity: weft_identity::Options,
    /// The graph service.
    pub graph: weft_graph::Options,
    /// The compute service.
    pub compute: weft_compute::Options,
    /// The agent service.
    pub agent: weft_agent::Options,
    /// The command service.
    pub command: weft_command::Options,
    /// The execution service.
    pub execution: weft_execution::Options,
    /// The telemetry service.
    pub telemetry: weft_telemetry::Options,
    /// The trigger service.
    pub trigger: weft_trigger::Options,
    /// The gateway.
    pub gateway: weft_gateway::GatewayOptions,
    /// The agent that `weft up` runs for its own host.
    pub host_agent: HostAgentOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: default_data(),
            listen: "127.0.0.1:8080".into(),
            server: ConnectionOptions::default(),
            limits: LimitOptions::default(),
            client: ClientOptions::default(),
            observe: ObserveOptions::default(),
            storage: StorageOptions::default(),
            mesh: MeshOptions::default(),
            peers: BTreeMap::new(),
            identity: weft_identity::Options::default(),
            graph: weft_graph::Options::default(),
            compute: weft_compute::Options::default(),
            agent: weft_agent::Options::default(),
            command: weft_command::Options::default(),
            execution: weft_execution::Options::default(),
            telemetry: weft_telemetry::Options::default(),
            trigger: weft_trigger::Options::default(),
            gateway: weft_gateway::GatewayOptions::default(),
            host_agent: HostAgentOptions::default(),
        }
    }
}

/// The agent that `weft up` runs for its own host, in its own process. What it reports and allows is in `agent.toml` in
/// the folder `host-agent` of the data folder, as with every agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostAgentOptions {
    /// Whether there is one.
    pub enabled: bool,
    /// Id of the project whose fleet this host joins.
    pub project: String,
}

impl Default for HostAgentOptions {
    fn default() -> Self {
        Self { enabled: true, project: "default".into() }
    }
}

/// Where things are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageOptions {
    /// Database: `sqlite:PATH` or `postgres://…`. A file in the data folder if empty. It may hold
    /// a password, so it is not shown.
    pub database: Secret,
    /// Cache and bus: `memory:` or `redis://…`. In memory if empty.
    pub bus: Secret,
    /// Large objects: `file:///…` or `s3://bucket/prefix?endpoint=…`. The data folder if empty.
    pub objects: Secret,
}

/// What makes several processes one mesh.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeshOptions {
    /// File with the mesh's secret: 32 bytes as base64. All processes of a mesh have the same. In
    /// the data folder if empty, where `weft up` makes it.
    pub key_file: PathBuf,
}

/// What flags of the command line set; the rest stays as it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Flags {
    /// `--data`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// `--listen`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// What belongs to the graph service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphFlags>,
    /// What belongs to the agent of this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_agent: Option<HostAgentFlags>,
}

/// Flags of the agent of this host.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HostAgentFlags {
    /// `--no-host-agent`
    pub enabled: bool,
}

/// Flags of the graph service.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GraphFlags {
    /// `--folder`, beside those of the configuration.
    pub folders: BTreeMap<String, weft_graph::FolderOptions>,
}

/// Where a configuration comes from, so that it can be read again.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// `--config`
    pub file: Option<PathBuf>,
    /// What flags set.
    pub flags: Flags,
}

impl Source {
    /// Reads it, as it is now.
    ///
    /// # Errors
    /// A key that is not known, or a value that does not fit.
    pub fn read(&self) -> Result<Config, ConfigError> {
        weft_kit::config::load(self.file.as_deref(), &self.flags, &NOT_CONFIGURATION)
    }
}

/// Variables of the environment that begin with `WEFT_` and are not configuration: they belong to
/// the command line and to tests.
pub const NOT_CONFIGURATION: [&str; 6] =
    ["config", "url", "key_file", "api_key", "ca_file", "enrollment_token"];

/// `weft` in the user's folder for program data.
pub fn default_data() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    variable("XDG_DATA_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("."))
        .join("weft")
}

impl Config {
    /// File with the mesh's secret.
    pub fn mesh_key_file(&self) -> PathBuf {
        if self.mesh.key_file.as_os_str().is_empty() {
            self.data.join("mesh.key")
        } else {
            self.mesh.key_file.clone()
        }
    }

    /// File with the administrator's key.
    pub fn admin_key_file(&self) -> PathBuf {
        self.data.join("admin.key")
    }
}
