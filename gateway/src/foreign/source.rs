//! Where the contracts of a foreign service come from: its file, or the service itself.

use std::{io, path::Path};

use tokio::io::AsyncReadExt;
use weft_kit::Peer;

use super::{
    UpstreamOptions,
    contracts::{Files, MOST_BYTES, Mistake, files_of_set},
    reflection::{self, ReflectionError},
};

/// Why a foreign service's contracts could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// The file is not there, or may not be read.
    #[error("{file}: {error}")]
    File {
        /// Which one.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The service did not tell.
    #[error(transparent)]
    Reflection(#[from] ReflectionError),
    /// What the file holds cannot be used.
    #[error(transparent)]
    Mistake(#[from] Mistake),
}

/// Its files as they are now.
pub(super) async fn load(options: &UpstreamOptions, peer: &Peer) -> Result<Files, SourceError> {
    if options.descriptors.as_os_str().is_empty() {
        return Ok(reflection::ask(peer, &options.services).await?);
    }
    let file = &options.descriptors;
    let set =
        read(file).await.map_err(|error| SourceError::File { file: file.display().to_string(), error })?;
    Ok(files_of_set(set.into())?)
}

/// What a file holds, one byte more than is allowed at most: it may be a device without an end.
async fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(file).await?;
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}
