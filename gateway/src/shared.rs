//! What every protocol looks at.

use std::sync::Arc;

use arc_swap::ArcSwap;
use prost_reflect::DescriptorPool;
use weft_kit::Lifecycle;

use crate::{GatewayOptions, cors::Origins, tables::Tables, ws::Sessions};

/// The methods, the settings and the life of a gateway.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What there is to call. A call takes what it needs of it once, at its beginning, and goes on with
    /// that whatever comes after.
    pub(crate) tables: ArcSwap<Tables>,
    pub(crate) options: GatewayOptions,
    pub(crate) origins: Origins,
    /// The contracts of the mesh itself: errors are written with them.
    pub(crate) pool: DescriptorPool,
    pub(crate) lifecycle: Lifecycle,
    /// WebSockets whose clients may come back.
    pub(crate) sessions: Arc<Sessions>,
}
