//! An agent's folder: its key, which only its owner reads, and which mesh it belongs to.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use weft_kit::{Ids, auth};

use super::{
    host::settings::HostSettings, knowledge::settings::FolderSettings, report::settings::TelemetrySettings,
    services::spec::Spec, work::settings::CommandSettings,
};

/// Where an agent keeps what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Home(pub(crate) PathBuf);

/// What `agent.toml` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Address of the mesh.
    pub(crate) url: String,
    /// Resource name of this agent.
    pub(crate) name: String,
    /// File with the authority that the mesh's certificate is from, if the system does not trust it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// What commands it takes.
    #[serde(default, skip_serializing_if = "CommandSettings::is_untouched")]
    pub(crate) commands: CommandSettings,
    /// What it reports of its host.
    #[serde(default, skip_serializing_if = "TelemetrySettings::is_untouched")]
    pub(crate) telemetry: TelemetrySettings,
    /// What it shows of its host, and lets be done to it.
    #[serde(default, skip_serializing_if = "HostSettings::is_untouched")]
    pub(crate) host: HostSettings,
    /// Where it looks for knowledge files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) knowledge: Vec<FolderSettings>,
    /// What it keeps running on its host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) services: Vec<Spec>,
}

/// An agent's key. It never leaves the host, and is shown nowhere.
pub(crate) struct Key(SigningKey);

impl Key {
    /// The public half.
    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// What operators see of it.
    pub(crate) fn id(&self) -> String {
        auth::thumbprint(&self.public())
    }

    /// Its signature of a purpose, a zero byte and a subject.
    pub(crate) fn sign(&self, purpose: &str, subject: &[u8]) -> [u8; 64] {
        self.0.sign(&[purpose.as_bytes(), &[0], subject].concat()).to_bytes()
    }
}

impl Home {
    fn key_file(&self) -> PathBuf {
        self.0.join("agent.key")
    }

    fn settings_file(&self) -> PathBuf {
        self.0.join("agent.toml")
    }

    /// The key that is there, or a new one.
    pub(crate) fn key_or_new(&self) -> Result<Key> {
        let folder = self.0.display();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .with_context(|| format!("cannot make the folder {folder}"))?;
        let file = self.key_file();
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
            Ok(mut new) => {
                let seed = Ids::system().bytes::<32>();
                new.write_all(STANDARD.encode(seed).as_bytes())?;
                new.sync_all()?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        }
        self.key()
    }

    /// The key.
    pub(crate) fn key(&self) -> Result<Key> {
        let file = self.key_file();
        let shown = file.display();
        let text = fs::read_to_string(&file)
            .with_context(|| format!("{shown}: has this host joined? `weft agent enroll` does that"))?;
        let mode = fs::metadata(&file)?.permissions().mode();
        let (group, others) = (mode & 0o070, mode & 0o007);
        ensure!(
            group | others == 0,
            "{shown} can be read by others; make it so that only its owner can (0600)"
        );
        let seed = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        Ok(Key(SigningKey::from_bytes(
            &seed.with_context(|| format!("{shown} must hold 32 bytes as base64"))?,
        )))
    }

    /// Where this agent belongs.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let file = self.settings_file();
        let text = fs::read_to_string(&file).with_context(|| {
            format!("{}: has this host joined? `weft agent enroll` does that", file.display())
        })?;
        toml::from_str(&text).with_context(|| file.display().to_string())
    }

    pub(super) fn write(&self, settings: &Settings) -> Result<()> {
        let file = self.settings_file();
        fs::write(&file, toml::to_string(settings)?).with_context(|| file.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home(folder.path().join("agent"));
        let key = home.key_or_new().expect("a new key");
        assert_eq!(home.key_or_new().expect("the same key").public(), key.public());
        fs::set_permissions(home.key_file(), fs::Permissions::from_mode(0o640)).expect("it is ours");
        assert!(home.key().is_err());
    }
}
