//! GetLayout: what a layout is and what it is doing. Brings it into memory.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{GetLayoutRequest, Layout};

use crate::{
    Error,
    domain::name::LayoutName,
    session::{Layouts, live::Live},
};

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<GetLayoutRequest>) -> Result<Layout, Error> {
    let row = super::row(layouts, &LayoutName::parse(&call.message.name, "name")?).await?;
    match layouts.open(row.clone()) {
        Ok(session) => {
            let (live, viewers) = session.live();
            live.layout(viewers)
        }
        // Reading goes on where there is no room for another session.
        Err(Error::Limit { .. }) => Live::unloaded(Arc::new(row)).layout(0),
        Err(error) => Err(error),
    }
}
