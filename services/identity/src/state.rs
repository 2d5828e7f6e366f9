//! What the service holds, and every RPC works on.

use std::sync::{Arc, Mutex, RwLock};

use weft_kit::{
    Clock, Ids, Lifecycle,
    seal::{Code, Seal},
};
use weft_store::{IdentityStore, KeyUse, SecretStore};

use crate::{Options, keys::Keys};

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where credentials are kept.
    pub store: Arc<dyn IdentityStore>,
    /// Where secrets of workflows are kept.
    pub secrets: Arc<dyn SecretStore>,
    /// The mesh's secret; signing keys and secrets are sealed with what is derived from it.
    pub mesh_secret: [u8; 32],
    /// Time.
    pub clock: Clock,
    /// Identities and secrets.
    pub ids: Ids,
    /// Background work.
    pub lifecycle: Lifecycle,
}

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn IdentityStore>,
    /// Seals signing keys; the key's id is authenticated too.
    pub(crate) seal: Seal,
    pub(crate) secrets: Arc<dyn SecretStore>,
    /// Seals secrets; whose and for which hosts is authenticated too.
    pub(crate) secret_seal: Seal,
    /// Digests of requests that have secrets in them.
    pub(crate) secret_requests: Code,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) keys: RwLock<Keys>,
    /// Uses of API keys that are not stored yet.
    pub(crate) uses: Mutex<Vec<KeyUse>>,
}

impl State {
    pub(crate) fn keys(&self) -> Keys {
        self.keys.read().expect("nobody panics with it").clone()
    }
}
