//! All that is made of contracts, in one piece: it is never changed, only replaced.

use std::sync::Arc;

use prost_reflect::DescriptorPool;
use tokio_util::sync::CancellationToken;

use crate::{
    GatewayError, Upstreams,
    catalog::Catalog,
    foreign::{self, Foreign},
    mcp::tools::Tools,
    openapi::Document,
    rest::Router,
};

/// What there is to call, as each protocol needs it.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) catalog: Catalog,
    pub(crate) router: Router,
    pub(crate) tools: Tools,
    pub(crate) openapi: Document,
}

impl Tables {
    /// Makes them of the mesh's own services, and of those that it was not built with.
    ///
    /// # Errors
    /// A contract that cannot be served, by the name of its method.
    pub(crate) fn new(
        upstreams: &Upstreams,
        pool: &DescriptorPool,
        title: &str,
        foreign: &[Arc<Foreign>],
        draining: &CancellationToken,
    ) -> Result<Self, GatewayError> {
        let catalog = Catalog::new(upstreams.clone(), pool, foreign, draining)?;
        let router = Router::new(&catalog)?;
        foreign::check_paths(&router)?;
        let tools = Tools::new(&catalog)?;
        Ok(Self { catalog, router, tools, openapi: Document::new(title) })
    }
}
