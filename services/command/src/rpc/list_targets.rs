//! ListTargets: whom a command is for, in the order in which they were accepted.

use weft_kit::{
    Call,
    cursor::{Cursor, CursorReader},
    paging::{List, page_size},
};
use weft_proto::weft::command::v1::{ListTargetsRequest, ListTargetsResponse};

use super::find;
use crate::{Error, domain::message, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListTargetsRequest>,
) -> Result<ListTargetsResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListTargets", &request.parent]);
    let cursor = list.cursor(&request.page_token)?;
    let from = match CursorReader::new(&cursor) {
        None => 0,
        Some(mut reader) => {
            let from = reader.number()?;
            reader.end()?;
            from
        }
    };
    let batch = find::batch(state, &request.parent).await?;
    let size = page_size(request.page_size, 50, 1_000);
    let jobs = state.jobs.jobs(batch.id, from, size).await?;
    let next = jobs.last().map(|job| job.key.number + 1).filter(|next| *next < batch.total);
    Ok(ListTargetsResponse {
        targets: jobs.iter().map(|job| message::target(&batch, job)).collect(),
        next_page_token: next
            .map(|next| list.token(Cursor::default().number(next).as_str()))
            .unwrap_or_default(),
    })
}
