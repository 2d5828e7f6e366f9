//! DeleteRunLimit: what waits for nothing else starts.

use weft_kit::Call;
use weft_proto::weft::execution::v1::DeleteRunLimitRequest;

use crate::{Error, domain::name, engine::OfLimits, state::State};

pub(crate) async fn handle(state: &State, call: Call<DeleteRunLimitRequest>) -> Result<(), Error> {
    let DeleteRunLimitRequest { name: full, etag } = call.message;
    let (project, id) = name::run_limit(&full);
    let (project, id) = (project.to_owned(), id.to_owned());
    state.engines.of_project(&project).of_limits(OfLimits::Delete { project, id, etag }).await?;
    Ok(())
}
