//! Settings of the graph service.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use crate::domain::limits::GraphLimits;

/// Settings of the graph service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Memory for loaded graphs, in bytes. Above it those that were not used longest are unloaded;
    /// graphs that somebody watches stay.
    pub memory_limit: u64,
    /// Limits of each graph.
    pub limits: GraphLimits,
    /// Graphs that one project can have.
    pub max_graphs_per_project: u64,
    /// Streams of WatchGraph that are open at once.
    pub max_watches: usize,
    /// Imports that run at once. Others wait for their turn before they send data.
    pub max_imports: usize,
    /// Exports that run at once; more are refused.
    pub max_exports: usize,
    /// How long a client may be silent in an import, or not take what an export sends, before it is
    /// given up: it holds the turn of others.
    #[serde(with = "humantime_serde")]
    pub transfer_idle: Duration,
    /// Bytes of one import as they are sent.
    pub max_import_bytes: u64,
    /// Bytes of one import after decompression.
    pub max_import_content_bytes: u64,
    /// Files of one import.
    pub max_import_files: u64,
    /// Sources that one graph can have.
    pub max_sources_per_graph: u64,
    /// Refreshes of one source whose outcome is kept.
    pub max_refreshes_kept: u32,
    /// Folders that sources may bring content in from, by name (lower-case letters, digits, hyphens).
    /// Where several processes run this service, each must have the same folders.
    pub folders: BTreeMap<String, FolderOptions>,
    /// A checkpoint is written when the journal since the last one has grown to this many bytes, and
    /// to the size of that checkpoint.
    pub checkpoint_bytes: u64,
    /// Revisions that the journal keeps at least for watchers to resume from.
    pub history_revisions: u64,
    /// How long a revision is kept at most, once it is in a checkpoint.
    #[serde(with = "humantime_serde")]
    pub history: Duration,
    /// How often a stream that has nothing to tell gives a sign of life.
    #[serde(with = "humantime_serde")]
    pub watch_heartbeat: Duration,
    /// How often other processes' revisions are looked for, should a notification be lost.
    #[serde(with = "humantime_serde")]
    pub heal_interval: Duration,
}

/// A folder that sources may bring content in from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderOptions {
    /// Where it is on the machine of the graph service. No link leads out of it.
    pub path: PathBuf,
    /// Ids of the projects whose operators may bring content in from it; "*" is all of them.
    pub projects: Vec<String>,
    /// What it is, for people.
    #[serde(default)]
    pub description: String,
}

impl FolderOptions {
    /// Whether a project may use it.
    pub fn is_open_to(&self, project: &str) -> bool {
        self.projects.iter().any(|open| open == "*" || open == project)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_limit: 4 << 30,
            limits: GraphLimits::default(),
            max_graphs_per_project: 10_000,
            max_watches: 10_000,
            max_imports: 2,
            max_exports: 8,
            transfer_idle: Duration::from_secs(60),
            max_import_bytes: 256 << 20,
            max_import_content_bytes: 512 << 20,
            max_import_files: 100_000,
            max_sources_per_graph: 100,
            max_refreshes_kept: 100,
            folders: BTreeMap::new(),
            checkpoint_bytes: 4 << 20,
            history_revisions: 10_000,
            history: Duration::from_hours(7 * 24),
            watch_heartbeat: Duration::from_secs(15),
            heal_interval: Duration::from_secs(1),
        }
    }
}

impl Options {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The setting and what it must be.
    pub fn check(&self) -> Result<(), String> {
        let rules = [
            (self.limits.max_property_bytes <= 512 << 10, "limits.max_property_bytes must be at most 524288"),
            (self.limits.max_property_depth <= 64, "limits.max_property_depth must be at most 64"),
            (self.max_imports > 0, "max_imports must be at least 1"),
            (self.max_exports > 0, "max_exports must be at least 1"),
            (!self.transfer_idle.is_zero(), "transfer_idle must be more than nothing"),
            (
                self.folders.keys().all(|name| is_id(name)),
                "folders must be named with lower-case letters, digits and hyphens",
            ),
            (
                self.folders.values().all(|folder| folder.path.is_absolute()),
                "folders.NAME.path must be an absolute path",
            ),
            (self.max_refreshes_kept > 0, "max_refreshes_kept must be at least 1"),
            (self.history_revisions > 0, "history_revisions must be at least 1"),
            (!self.watch_heartbeat.is_zero(), "watch_heartbeat must be more than nothing"),
            (!self.heal_interval.is_zero(), "heal_interval must be more than nothing"),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err((*rule).to_owned()),
            None => Ok(()),
        }
    }
}

/// Whether a text can be the last part of a resource name.
fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| allowed(byte) || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_settings_and_impossible_values_are_refused() {
        assert!(serde_json::from_str::<Options>(r#"{"memory": 1}"#).is_err());
        assert!(serde_json::from_str::<Options>(r#"{"limits": {"nodes": 1}}"#).is_err());
        let options: Options = serde_json::from_str(r#"{"heal_interval": "0s"}"#).expect("it can be read");
        assert!(options.check().is_err());
        assert_eq!(Options::default().check(), Ok(()));
    }
}
