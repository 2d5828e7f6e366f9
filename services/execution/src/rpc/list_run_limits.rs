//! ListRunLimits.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::execution::v1::{ListRunLimitsRequest, ListRunLimitsResponse};

use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListRunLimitsRequest>,
) -> Result<ListRunLimitsResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListRunLimits", &request.parent]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000) as usize;
    let project = name::project(&request.parent).to_owned();
    let found = state.engines.of_project(&project).look_at_limits(move |limits, gate| {
        let some = limits.of_project(&project).filter(|limit| limit.row.id > after).take(size + 1);
        let shown = some.map(|limit| (limit.row.id.clone(), limit.shown(gate.counts(limit.row.uid))));
        shown.collect::<Vec<_>>()
    });
    let mut found = found.await?;
    let more = found.len() > size;
    found.truncate(size);
    let next_page_token = found.last().filter(|_| more).map(|(id, _)| list.token(id)).unwrap_or_default();
    let run_limits = found.into_iter().map(|(_, limit)| limit).collect();
    Ok(ListRunLimitsResponse { run_limits, next_page_token })
}
