//! StartLayout: lets a layout move that was stopped, has settled or has failed.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Layout, LayoutState, StartLayoutRequest};
use weft_store::DesiredState;

use crate::{
    Error,
    domain::name::LayoutName,
    session::{Layouts, command::Command},
};

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<StartLayoutRequest>) -> Result<Layout, Error> {
    let name = LayoutName::parse(&call.message.name, "name")?;
    let session = layouts.open_anew(super::row(layouts, &name).await?)?;
    session.held().await?;
    let uid = session.live().0.row.uid;
    super::set_desired(layouts, &name, (uid, Some(&session)), DesiredState::Running).await?;
    let (mut live, viewers) = session.live();
    if live.state != LayoutState::Running && live.state != LayoutState::Loading {
        session.send(Command::Start).await?;
        live.state = LayoutState::Running;
    }
    live.layout(viewers)
}
