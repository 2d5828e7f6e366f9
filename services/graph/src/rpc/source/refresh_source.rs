//! RefreshSource: begins to bring a source's content up to date.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::graph::v1::{Refresh, RefreshSourceRequest};

use crate::{
    Error,
    source::{Sources, start},
};

pub(crate) async fn handle(
    sources: &Arc<Sources>,
    call: Call<RefreshSourceRequest>,
) -> Result<Refresh, Error> {
    start(sources, &call.message.name, &call.caller.name).await
}
