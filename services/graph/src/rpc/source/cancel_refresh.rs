//! CancelRefresh: asks for the end of a refresh, in whichever process it runs.

use weft_kit::Call;
use weft_proto::weft::graph::v1::{CancelRefreshRequest, Refresh};
use weft_store::StoreError;

use crate::{
    Error,
    source::{Sources, refresh_message, split_refresh},
};

pub(crate) async fn handle(sources: &Sources, call: Call<CancelRefreshRequest>) -> Result<Refresh, Error> {
    let name = call.message.name;
    let (source, number) = split_refresh(&name)?;
    let (names, row) = sources.get(source).await?;
    match sources.store.cancel_refresh(row.uid, number).await {
        Ok(refresh) => refresh_message(&names, &refresh, sources.now()),
        Err(StoreError::NotFound { .. }) => Err(Error::RefreshNotFound(name)),
        Err(error) => Err(error.into()),
    }
}
