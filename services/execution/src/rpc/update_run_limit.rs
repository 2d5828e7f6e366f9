//! UpdateRunLimit: what waits and may start does, what runs goes on.

use weft_kit::Call;
use weft_proto::weft::execution::v1::{RunLimit, UpdateRunLimitRequest};

use super::get_run_limit;
use crate::{
    Error,
    domain::{
        name,
        run_limit::{Kept, changed, checked},
    },
    engine::OfLimits,
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<UpdateRunLimitRequest>) -> Result<RunLimit, Error> {
    let wanted = call.message.run_limit.unwrap_or_default();
    let paths = call.message.update_mask.map(|mask| mask.paths).unwrap_or_default();
    let (project, id) = name::run_limit(&wanted.name);
    let (project, id, etag) = (project.to_owned(), id.to_owned(), wanted.etag.clone());
    let of = project.clone();
    let change = Box::new(move |before: &crate::domain::run_limit::RunLimit| {
        let limit = checked(changed(&before.wanted(), &wanted, &paths)?, &of)?;
        Ok(Kept { limit: Some(limit), ..before.kept.clone() })
    });
    let limit =
        state.engines.of_project(&project).of_limits(OfLimits::Update { project, id, etag, change }).await?;
    get_run_limit::shown(state, limit).await
}
