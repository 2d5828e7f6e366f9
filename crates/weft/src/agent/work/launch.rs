//! How a script begins: a process of this very program sets its own limits, and becomes the script.

use std::{os::unix::process::CommandExt, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

/// Becomes a program, within limits.
#[derive(Debug, clap::Args)]
pub(crate) struct Launch {
    /// How much address space it may have, in bytes; any if not given.
    #[arg(long)]
    memory_bytes: Option<u64>,
    /// The program.
    program: PathBuf,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<std::ffi::OsString>,
}

impl Launch {
    /// Comes back only where it cannot.
    ///
    /// # Errors
    /// The limits cannot be set, or the program cannot be run.
    pub(crate) fn become_it(&self) -> Result<()> {
        let mut script = Command::new(&self.program);
        script.args(&self.arguments);
        // From here on there may be no more memory for this program itself.
        let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
        if let Some(most) = self.memory_bytes {
            setrlimit(Resource::As, limit(most)).context("the limit of memory cannot be set")?;
        }
        setrlimit(Resource::Core, limit(0)).context("the limit of core files cannot be set")?;
        // Where the agent is killed nothing of it goes on; its next life looks again.
        set_parent_process_death_signal(Some(Signal::KILL)).context("cannot be tied to its parent")?;
        let error = script.exec();
        Err(error).with_context(|| self.program.display().to_string())
    }
}
