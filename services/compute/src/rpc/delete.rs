//! DeleteLayout: ends a layout, and forgets where its nodes were.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::DeleteLayoutRequest;

use crate::{
    Error,
    domain::name::LayoutName,
    session::{Layouts, live},
};

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<DeleteLayoutRequest>) -> Result<(), Error> {
    let DeleteLayoutRequest { name, etag } = call.message;
    let name = LayoutName::parse(&name, "name")?;
    let row = super::row(layouts, &name).await?;
    let version = live::check_etag(&row, &etag)?;
    let LayoutName { graph, layout } = &name;
    let saved = layouts.positions.saved(row.uid).await;
    let deleted = layouts.store.delete_layout(&graph.project, &graph.graph, layout, version).await;
    let deleted = match deleted {
        Err(weft_store::StoreError::Stale { .. }) => {
            let current = live::etag(&super::row(layouts, &name).await?);
            return Err(Error::EtagMismatch { current });
        }
        other => other.map_err(Error::store(&name))?,
    };
    layouts.delete(deleted.uid, saved).await;
    Ok(())
}
