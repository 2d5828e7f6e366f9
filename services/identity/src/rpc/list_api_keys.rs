//! ListApiKeys.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::identity::v1::{ListApiKeysRequest, ListApiKeysResponse};

use super::message;
use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListApiKeysRequest>,
) -> Result<ListApiKeysResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListApiKeys", &request.parent]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000);
    let project = name::project(&request.parent).unwrap_or_default();
    // One more than the page, to know whether there is another.
    let mut rows = state.store.list_api_keys(project, &after, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows.last().filter(|_| more).map(|last| list.token(&last.id)).unwrap_or_default();
    Ok(ListApiKeysResponse { api_keys: rows.iter().map(message::api_key).collect(), next_page_token })
}
