//! ReheatLayout: lets nodes leave poor places, or places all of them anew.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Layout, LayoutState, ReheatLayoutRequest};
use weft_store::{DesiredState, Written, once};

use crate::{
    Error,
    domain::name::LayoutName,
    session::{Layouts, command::Command},
};

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<ReheatLayoutRequest>) -> Result<Layout, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "ReheatLayout", &request_id, &request);
    let name = LayoutName::parse(&request.name, "name")?;
    if let Some(once) = &once
        && let Some(answer) = layouts.store.recall(once).await.map_err(Error::store(&name))?
    {
        return once::replay(&answer).map_err(Error::Store);
    }
    let session = super::session(layouts, &request.name).await?;
    session.send(Command::Reheat { reset: request.reset_positions }).await?;
    let (mut live, viewers) = session.live();
    // A stopped layout stays stopped: it is hot when it is started.
    if live.state == LayoutState::Settled && live.row.desired_state == DesiredState::Running {
        live.state = LayoutState::Running;
    }
    let layout = live.layout(viewers)?;
    if let Some(remember) = once::remember(once, &layout)
        && let Written::Replayed(answer) =
            layouts.store.remember(remember, layouts.now()).await.map_err(Error::store(&name))?
    {
        return once::replay(&answer).map_err(Error::Store);
    }
    Ok(layout)
}
