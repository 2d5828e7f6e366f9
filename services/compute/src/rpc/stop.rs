//! StopLayout: lets the nodes rest where they are.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Layout, LayoutState, StopLayoutRequest};
use weft_store::DesiredState;

use crate::{Error, domain::name::LayoutName, session::Layouts};

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<StopLayoutRequest>) -> Result<Layout, Error> {
    let name = LayoutName::parse(&call.message.name, "name")?;
    let session = layouts.open(super::row(layouts, &name).await?)?;
    super::set_desired(layouts, &name, &session, DesiredState::Stopped).await?;
    let (mut live, viewers) = session.live();
    // The step that is being made is its last.
    if matches!(live.state, LayoutState::Running | LayoutState::Settled) {
        live.state = LayoutState::Stopped;
    }
    live.layout(viewers)
}
