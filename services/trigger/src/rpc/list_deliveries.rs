//! ListDeliveries.

use weft_kit::{Call, paging::page_size};
use weft_proto::weft::trigger::v1::{ListDeliveriesRequest, ListDeliveriesResponse};

use super::find::Search;
use crate::{Error, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListDeliveriesRequest>,
) -> Result<ListDeliveriesResponse, Error> {
    let request = call.message;
    let search = Search::open(state, "ListDeliveries", &request.parent, &request.filter).await?;
    let before = search.before(&request.page_token)?;
    let page = search.page(state, before, page_size(request.page_size, 50, 1_000)).await?;
    Ok(ListDeliveriesResponse {
        next_page_token: search.token(page.next),
        deliveries: page.found.into_iter().map(|(_, delivery)| delivery).collect(),
    })
}
