//! What the service holds, and every RPC works on.

use std::sync::{Arc, Mutex, RwLock};

use weft_kit::{Clock, Ids, Lifecycle};
use weft_store::{IdentityStore, KeyUse};

use crate::{Options, domain::seal::Seal, keys::Keys};

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where credentials are kept.
    pub store: Arc<dyn IdentityStore>,
    /// The mesh's secret; signing keys are sealed with it.
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
    pub(crate) seal: Seal,
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
