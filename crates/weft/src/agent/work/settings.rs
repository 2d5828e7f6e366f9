//! What commands this host's owner lets an agent do: nothing but what is written here.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

/// The `[commands]` of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CommandSettings {
    /// How many commands are worked on at a time; 0: none are taken.
    pub(crate) max_parallel: u16,
    /// Scripts that may be run, by name.
    pub(crate) scripts: BTreeMap<String, Script>,
}

impl Default for CommandSettings {
    fn default() -> Self {
        Self { max_parallel: 4, scripts: BTreeMap::new() }
    }
}

/// A program that may be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    /// Path of the program. No shell is asked, and no path searched.
    pub(crate) program: PathBuf,
    /// Its first arguments.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// Whether who submits a command may add arguments.
    #[serde(default)]
    pub(crate) more_arguments: bool,
    /// Folder that it runs in; `/` if not set.
    #[serde(default = "root")]
    pub(crate) folder: PathBuf,
    /// Its environment, beside `PATH` and what the agent tells it. It gets nothing of the agent's own.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// How long it may run.
    #[serde(default = "ten_minutes", with = "humantime_serde")]
    pub(crate) timeout: Duration,
    /// How much address space each of its processes may have, in bytes.
    #[serde(default = "gibibyte")]
    pub(crate) memory_bytes: u64,
    /// How much of its output is kept, in bytes; the rest is dropped.
    #[serde(default = "mebibyte")]
    pub(crate) output_bytes: usize,
}

fn root() -> PathBuf {
    "/".into()
}

const fn ten_minutes() -> Duration {
    Duration::from_mins(10)
}

const fn gibibyte() -> u64 {
    1 << 30
}

const fn mebibyte() -> usize {
    1 << 20
}

impl CommandSettings {
    /// Whether nobody has written anything: then it is left to whoever does.
    pub(crate) fn is_untouched(&self) -> bool {
        *self == Self::default()
    }

    /// What this agent can do, by names.
    pub(super) fn capabilities(&self) -> Vec<String> {
        if self.max_parallel == 0 {
            return Vec::new();
        }
        let scripts = self.scripts.keys().map(|name| format!("script:{name}"));
        let with_scripts = (!self.scripts.is_empty()).then(|| "run-script".to_owned());
        let simple = ["echo", "noop"].map(str::to_owned).into_iter();
        simple.chain(with_scripts).chain(scripts).filter(|name| name.len() <= 64).collect()
    }
}
