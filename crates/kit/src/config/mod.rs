//! Configuration: one typed tree; defaults, then a TOML file, then the environment, then flags.
//! A key that nobody knows is an error.

mod network;
mod options;
mod secret;

use std::path::Path;

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Serialize, de::DeserializeOwned};

pub use network::{Network, NetworkError};
pub use options::{
    ClientOptions, ConnectionOptions, ForwardedHeader, LimitOptions, LogFormat, ObserveOptions, RateOptions,
    Rates, TlsOptions,
};
pub use secret::Secret;

/// What every variable of the environment begins with: `WEFT_LIMITS__MAX_CALLS` is `limits.max_calls`.
pub const ENVIRONMENT_PREFIX: &str = "WEFT_";

/// What is wrong with the configuration: which key, where it came from, and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not right: {0}")]
pub struct ConfigError(Box<figment::Error>);

/// Reads the configuration `T`: its defaults, the file, the environment (`WEFT_`, with `__`
/// between levels), and last `flags` (only what they set). Keys that `ignored` names belong to
/// somebody else.
///
/// # Errors
/// A key that is not known, or a value that does not fit.
pub fn load<T, F>(file: Option<&Path>, flags: &F, ignored: &[&str]) -> Result<T, ConfigError>
where
    T: Default + Serialize + DeserializeOwned,
    F: Serialize,
{
    let mut figment = Figment::from(Serialized::defaults(T::default()));
    if let Some(file) = file {
        figment = figment.merge(Toml::file_exact(file));
    }
    figment
        .merge(Env::prefixed(ENVIRONMENT_PREFIX).ignore(ignored).split("__"))
        .merge(Serialized::defaults(flags))
        .extract()
        .map_err(|error| ConfigError(Box::new(error)))
}
