//! GetRefresh: how far a refresh is, or how it ended.

use weft_kit::Call;
use weft_proto::weft::graph::v1::{GetRefreshRequest, Refresh};
use weft_store::StoreError;

use crate::{
    Error,
    source::{Sources, refresh_message, split_refresh},
};

pub(crate) async fn handle(sources: &Sources, call: Call<GetRefreshRequest>) -> Result<Refresh, Error> {
    let name = call.message.name;
    let (source, number) = split_refresh(&name)?;
    let (names, row) = sources.get(source).await?;
    match sources.store.get_refresh(row.uid, number).await {
        Ok(refresh) => refresh_message(&names, &refresh, sources.now()),
        Err(StoreError::NotFound { .. }) => Err(Error::RefreshNotFound(name)),
        Err(error) => Err(error.into()),
    }
}
