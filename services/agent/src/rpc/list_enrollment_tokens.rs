//! ListEnrollmentTokens.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::agent::v1::{ListEnrollmentTokensRequest, ListEnrollmentTokensResponse};

use super::token_message;
use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListEnrollmentTokensRequest>,
) -> Result<ListEnrollmentTokensResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListEnrollmentTokens", &request.parent]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000);
    // One more than the page, to know whether there is another.
    let project = name::project(&request.parent);
    let mut rows = state.store.list_enrollment_tokens(project, &after, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows.last().filter(|_| more).map(|last| list.token(&last.id)).unwrap_or_default();
    Ok(ListEnrollmentTokensResponse {
        enrollment_tokens: rows.iter().map(token_message::of).collect(),
        next_page_token,
    })
}
