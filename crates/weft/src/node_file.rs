//! `weft.json`: where a node listens, for programs of this machine. A node writes it; the command
//! line and tests read it.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// How programs find a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFile {
    /// Base address of everything, for example `http://127.0.0.1:8080`.
    pub url: String,
    /// Host and port that are listened on.
    pub address: String,
    /// Host and port that are listened on for agents alone, if there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents_address: Option<String>,
    /// Hosts and ports that are listened on for OTLP alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub otlp_addresses: Vec<String>,
    /// File with the administrator's key, if this node has the identity service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Id of the process.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
}

impl NodeFile {
    /// That of this very process.
    pub(crate) fn new(
        url: String,
        address: SocketAddr,
        agents: Option<SocketAddr>,
        otlp: &[SocketAddr],
        key_file: Option<PathBuf>,
    ) -> Self {
        Self {
            url,
            address: address.to_string(),
            agents_address: agents.map(|agents| agents.to_string()),
            otlp_addresses: otlp.iter().map(SocketAddr::to_string).collect(),
            key_file,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Where it is in a data folder.
    pub fn path(data: &Path) -> PathBuf {
        data.join("weft.json")
    }

    /// The file in a data folder; `None` if no node runs there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(data: &Path) -> Result<Option<Self>> {
        let path = Self::path(data);
        match fs::read(&path) {
            Ok(bytes) => {
                Ok(Some(serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Writes it into a data folder.
    pub(crate) fn write(&self, data: &Path) -> Result<()> {
        let path = Self::path(data);
        let temporary = path.with_extension("json.new");
        fs::write(&temporary, serde_json::to_vec_pretty(self)?)
            .with_context(|| temporary.display().to_string())?;
        // In one step, so that whoever waits for it never reads half of it.
        fs::rename(&temporary, &path).with_context(|| path.display().to_string())
    }
}
