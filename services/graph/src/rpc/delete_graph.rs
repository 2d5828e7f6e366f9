//! DeleteGraph: gone at once for everybody.

use weft_kit::Call;
use weft_proto::weft::graph::v1::DeleteGraphRequest;
use weft_store::StoreError;

use crate::{
    Error,
    live::{gone, split_name, version_of_etag},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<DeleteGraphRequest>) -> Result<(), Error> {
    let DeleteGraphRequest { name, etag } = call.message;
    let (project, id) = split_name(&name)?;
    let expected = match etag.as_str() {
        "" => None,
        etag => Some(version_of_etag(etag).ok_or_else(|| Error::EtagMismatch(name.clone()))?),
    };
    let row = match state.graphs.store.delete_graph(project, id, expected).await {
        Err(StoreError::Stale { .. }) => return Err(Error::EtagMismatch(name)),
        other => other.map_err(|error| gone(&name, error))?,
    };
    state.graphs.deleted(&name, &row).await;
    Ok(())
}
