//! Services that were added by a call, in a file that is whole before anybody hears of them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::spec::Spec;
use crate::agent::files;

/// A service, and what is known of it besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) spec: Spec,
    /// Never used again.
    pub(super) uid: String,
    /// Microseconds since 1970.
    pub(super) created: i64,
    pub(super) updated: i64,
    /// The request that has made it; empty if it had no id.
    pub(super) request_id: String,
    /// Whether it is in `agent.toml`, and not in this file.
    #[serde(skip)]
    pub(super) is_configured: bool,
}

/// The file, and the lock that says whose it is for as long as this program lives.
pub(super) struct Store {
    path: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens it, and reads what is there. `None` if another program has it.
    pub(super) fn open(folder: &Path) -> Result<Option<(Self, Vec<Record>)>> {
        let Some(lock) = files::lock(folder, "services.lock")? else { return Ok(None) };
        let path = folder.join("services.json");
        let records = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => serde_json::from_slice(&read?).with_context(|| path.display().to_string())?,
        };
        Ok(Some((Self { path, _lock: lock }, records)))
    }

    /// Writes all of them; on disk when it returns.
    pub(super) fn write(&self, records: &[&Record]) -> io::Result<()> {
        files::replace(&self.path, &serde_json::to_vec_pretty(records)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_one_program_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, records) = Store::open(folder.path()).expect("it opens").expect("nobody has it");
        assert!(records.is_empty());
        assert!(Store::open(folder.path()).expect("it opens").is_none(), "it is taken");
        let record = Record {
            spec: toml::from_str("name = \"x\"\nprogram = \"/bin/true\"").expect("it is right"),
            uid: "u".into(),
            created: 1,
            updated: 2,
            request_id: String::new(),
            is_configured: false,
        };
        store.write(&[&record]).expect("it is written");
        drop(store);
        let (_, records) = Store::open(folder.path()).expect("it opens").expect("nobody has it");
        assert_eq!(records, [record]);
    }
}
