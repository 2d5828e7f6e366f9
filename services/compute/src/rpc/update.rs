//! UpdateLayout: other parameters, also while it runs.

use std::sync::Arc;

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::compute::v1::{Layout, UpdateLayoutRequest};
use weft_store::{LayoutUpdate, StoreError, Versioned, Written};

use crate::{
    Error,
    domain::{name::LayoutName, parameters},
    session::{Layouts, live},
};

/// Tries where others write at the same time and the client does not mind.
const TRIES: usize = 8;

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<UpdateLayoutRequest>) -> Result<Layout, Error> {
    let UpdateLayoutRequest { layout, update_mask } = call.message;
    let layout = layout.unwrap_or_default();
    let name = LayoutName::parse(&layout.name, "layout.name")?;
    let new = layout.parameters.unwrap_or_default();
    // The first reading says whether it is there at all.
    let session = super::session_if_room(layouts, super::row(layouts, &name).await?).await?;
    let _writing = match &session {
        Some(session) => Some(session.writing().await),
        None => None,
    };
    let mut tries = 0;
    let row = loop {
        let row = super::row(layouts, &name).await?;
        live::check_etag(&row, &layout.etag)?;
        let stored = live::stored_parameters(&row)?;
        let parameters = parameters::updated(stored, &new, update_mask.as_ref())?;
        if parameters == stored {
            break row;
        }
        let update = LayoutUpdate {
            uid: row.uid,
            expected_version: Some(row.version),
            parameters: Some(parameters.encode_to_vec().into()),
            desired_state: None,
            pins: None,
            constraints: None,
            expected_constraints_version: None,
            held: session.as_ref().and_then(|session| session.epoch()),
            at: layouts.now(),
        };
        tries += 1;
        match layouts.store.update_layout(update, None).await {
            Ok(Written::Done(row)) => break row,
            // Nothing is remembered of an update, so there is nothing to replay.
            Ok(Written::Replayed(_)) => break row,
            Err(error @ StoreError::Stale { of: Versioned::Epoch, .. }) => {
                return Err(Error::store(&name)(error));
            }
            Err(StoreError::Stale { .. }) if tries < TRIES => {}
            Err(StoreError::Stale { .. }) => {
                let current = live::etag(&super::row(layouts, &name).await?);
                return Err(Error::EtagMismatch { current });
            }
            Err(error) => return Err(Error::store(&name)(error)),
        }
    };
    let Some(session) = &session else { return live::Live::unloaded(Arc::new(row)).layout(0) };
    session.set_row(row);
    let (live, viewers) = session.live();
    live.layout(viewers)
}
