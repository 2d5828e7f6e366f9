//! ListWorkers.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::execution::v1::{ListWorkersRequest, ListWorkersResponse};

use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListWorkersRequest>,
) -> Result<ListWorkersResponse, Error> {
    let ListWorkersRequest { parent, page_size: size, page_token, queue } = call.message;
    let list = List::of(&["ListWorkers", &parent, &queue]);
    let after = list.cursor(&page_token)?;
    let size = page_size(size, 50, 1_000) as usize;
    let project = name::project(&parent).to_owned();
    let engine = state.engines.of_project(&project);
    let found =
        engine.look_at_workers(move |workers, _| workers.shown(&project, &queue, &after, size + 1)).await;
    let mut workers = found?;
    let more = workers.len() > size;
    workers.truncate(size);
    let last = workers.last().filter(|_| more);
    let next_page_token = last.map(|worker| list.token(&worker.uid)).unwrap_or_default();
    Ok(ListWorkersResponse { workers, next_page_token })
}
