//! What every protocol looks at.

use prost_reflect::DescriptorPool;
use weft_kit::Lifecycle;

use crate::{GatewayOptions, catalog::Catalog, cors::Origins};

/// The methods, the settings and the life of a gateway.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalog: Catalog,
    pub(crate) options: GatewayOptions,
    pub(crate) origins: Origins,
    pub(crate) pool: DescriptorPool,
    pub(crate) lifecycle: Lifecycle,
}
