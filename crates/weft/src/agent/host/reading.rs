//! Reading the host where nobody waits for it.

use weft_proto::weft::agent::v1::HostRefusal;

use super::refusal;

/// Reads the host on a thread where it may take its time.
pub(in crate::agent) async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, HostRefusal> + Send + 'static,
) -> Result<T, HostRefusal> {
    tokio::task::spawn_blocking(read).await.map_err(|error| refusal::failed(&error.to_string()))?
}
