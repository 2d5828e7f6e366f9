//! The data folder of a node, and the keys in it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use weft_kit::{Ids, config::Secret};

use super::{AdminKey, Assembly};
use crate::config::Config;

/// Makes the data folder, for its owner only.
pub(crate) fn prepare_folder(data: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make the data folder {}", data.display()))
}

/// The mesh's secret. A node with the identity service makes it the first time; every other one
/// must be given the same.
pub(crate) fn mesh_secret(config: &Config, may_make: bool) -> Result<[u8; 32]> {
    let path = config.mesh_key_file();
    match fs::read_to_string(&path) {
        Ok(text) => {
            let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.with_context(|| format!("{} must hold 32 bytes as base64", path.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => {
            let secret = Ids::system().bytes::<32>();
            write_secret(&path, &STANDARD.encode(secret))?;
            Ok(secret)
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "the mesh's key cannot be read from {}; copy it from a node with the identity service",
                path.display()
            )
        }),
    }
}

/// The administrator's key: read from its file, or made the first time.
pub(crate) async fn administrator(node: &Assembly) -> Result<AdminKey> {
    let file = node.config.admin_key_file();
    match fs::read_to_string(&file) {
        Ok(secret) => Ok(AdminKey { secret: Secret::new(secret.trim()), file }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made =
                weft_identity::administrator(&*node.storage.stores.identity, &node.clock, &node.ids).await?;
            write_secret(&file, made.secret.reveal())?;
            tracing::info!(key = made.name, file = %file.display(), "made an administrator's key");
            Ok(AdminKey { secret: made.secret, file })
        }
        Err(error) => Err(error).with_context(|| file.display().to_string()),
    }
}

fn write_secret(path: &Path, secret: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(file, "{secret}").and_then(|()| file.sync_all()).with_context(|| path.display().to_string())
}
