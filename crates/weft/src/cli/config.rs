//! `weft config`: the configuration as it takes effect.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::output::{OutputFormat, line};
use crate::config::{Config, Flags, NOT_CONFIGURATION};

/// Show or check the configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print what takes effect, from defaults, file and environment; secrets are hidden.
    Show,
    /// Say whether a file is right.
    Check {
        /// The file. That of `--config` if not given.
        file: Option<PathBuf>,
    },
}

impl ConfigCommand {
    pub(crate) fn run(self, config: Option<&Path>, output: OutputFormat) -> Result<()> {
        let (file, show) = match &self {
            Self::Show => (config, true),
            Self::Check { file } => (file.as_deref().or(config), false),
        };
        let config: Config = weft_kit::config::load(file, &Flags::default(), &NOT_CONFIGURATION)?;
        match (show, output) {
            (true, OutputFormat::Table) => line(toml::to_string_pretty(&config)?.trim_end()),
            (true, OutputFormat::Json) => line(&serde_json::to_string_pretty(&config)?),
            (false, _) => line("the configuration is right"),
        }
        Ok(())
    }
}
