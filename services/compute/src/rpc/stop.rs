//! StopLayout: lets the nodes rest where they are.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Layout, LayoutState, StopLayoutRequest};
use weft_store::DesiredState;

use crate::{
    Error,
    domain::name::LayoutName,
    session::{Layouts, live::Live},
};

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<StopLayoutRequest>) -> Result<Layout, Error> {
    let name = LayoutName::parse(&call.message.name, "name")?;
    let row = super::row(layouts, &name).await?;
    let uid = row.uid;
    let session = super::session_if_room(layouts, row.clone()).await?;
    let stopped =
        super::set_desired(layouts, &name, (uid, session.as_deref()), DesiredState::Stopped).await?;
    let Some(session) = session else {
        return Live::unloaded(Arc::new(stopped.unwrap_or(row))).layout(0);
    };
    let (mut live, viewers) = session.live();
    // The step that is being made is its last.
    if matches!(live.state, LayoutState::Running | LayoutState::Settled) {
        live.state = LayoutState::Stopped;
    }
    live.layout(viewers)
}
