//! WatchPositions: a stream of positions at the viewer's rate.

use std::sync::Arc;

use futures::Stream;
use weft_kit::Call;
use weft_proto::weft::compute::v1::{LayoutEvent, WatchPositionsRequest};

use crate::{
    Error,
    session::{
        Layouts,
        viewer::{Viewer, Wish},
    },
};

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<WatchPositionsRequest>,
) -> Result<impl Stream<Item = Result<LayoutEvent, Error>> + Send + use<>, Error> {
    let WatchPositionsRequest { name, options } = call.message;
    let wish = Wish::new(options.as_ref(), "options")?;
    let seat = super::session(layouts, &name).await?.seat()?;
    Ok(Viewer::new(seat, wish).into_stream())
}
