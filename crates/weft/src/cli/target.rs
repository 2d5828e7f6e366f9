//! Which mesh is meant by a command, and who asks: flags, the environment, the node in the data folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use weft_kit::config::Secret;

use crate::{client::Connection, config::default_data, node_file::NodeFile};

/// Which mesh is meant, and who asks.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// Address of the mesh. That of the node in the data folder if not given.
    #[arg(long, global = true, env = "WEFT_URL", value_name = "URL")]
    url: Option<String>,
    /// File with an API key. The administrator's of the node in the data folder if not given.
    #[arg(long, global = true, env = "WEFT_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// File with the authority that the mesh's certificate is from (PEM), if the system does not trust it.
    #[arg(long, global = true, env = "WEFT_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Data folder of a node of this machine.
    #[arg(long, global = true, env = "WEFT_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

impl Target {
    /// A connection with a key.
    pub(crate) fn connect(&self) -> Result<Connection> {
        self.connection(true)
    }

    /// Address of the mesh.
    pub(crate) fn url(&self) -> Result<String> {
        let data = self.data.clone().unwrap_or_else(default_data);
        Ok(self.url_or_of(NodeFile::read(&data)?.as_ref()))
    }

    fn url_or_of(&self, node: Option<&NodeFile>) -> String {
        match (&self.url, node) {
            (Some(url), _) => url.clone(),
            (None, Some(node)) => node.url.clone(),
            (None, None) => "http://127.0.0.1:8080".to_owned(),
        }
    }

    /// A connection for what anybody may ask.
    pub(crate) fn connect_without_key(&self) -> Result<Connection> {
        self.connection(false)
    }

    /// The authority that is trusted besides.
    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    fn connection(&self, with_key: bool) -> Result<Connection> {
        let data = self.data.clone().unwrap_or_else(default_data);
        let node = NodeFile::read(&data)?;
        let url = self.url_or_of(node.as_ref());
        let key = if with_key { self.key(node.as_ref(), &data)? } else { None };
        Connection::to_url(&url, key.as_ref(), self.ca_file.as_deref())
    }

    fn key(&self, node: Option<&NodeFile>, data: &Path) -> Result<Option<Secret>> {
        if let Some(secret) = std::env::var_os("WEFT_API_KEY") {
            return Ok(Some(Secret::new(secret.to_string_lossy().trim())));
        }
        let file = match (&self.key_file, node) {
            (Some(file), _) | (None, Some(NodeFile { key_file: Some(file), .. })) => file.clone(),
            _ => data.join("admin.key"),
        };
        match std::fs::read_to_string(&file) {
            Ok(secret) => Ok(Some(Secret::new(secret.trim()))),
            Err(_) if self.key_file.is_none() => Ok(None),
            Err(error) => Err(error).with_context(|| file.display().to_string()),
        }
    }
}
