//! ListRefreshes: the history of a source, newest first.

use weft_kit::{Call, paging};
use weft_proto::weft::graph::v1::{ListRefreshesRequest, ListRefreshesResponse};

use crate::{
    Error,
    rpc::cursor,
    source::{Sources, refresh_message},
};

pub(crate) async fn handle(
    sources: &Sources,
    call: Call<ListRefreshesRequest>,
) -> Result<ListRefreshesResponse, Error> {
    let request = call.message;
    let size = paging::page_size(request.page_size, 50, 1_000);
    let list = paging::List::of(&["ListRefreshes", &request.parent]);
    let before = match cursor(list, &request.page_token)?.as_str() {
        "" => 0,
        number => number.parse().map_err(|_| Error::field("page_token", "is not one that this list gave"))?,
    };
    let (names, row) = sources.get(&request.parent).await?;
    let mut rows = sources.store.list_refreshes(row.uid, before, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let last = rows.last().filter(|_| more);
    let next_page_token = last.map(|row| list.token(&row.number.to_string())).unwrap_or_default();
    let now = sources.now();
    let refreshes = rows.iter().map(|row| refresh_message(&names, row, now));
    Ok(ListRefreshesResponse { refreshes: refreshes.collect::<Result<_, _>>()?, next_page_token })
}
