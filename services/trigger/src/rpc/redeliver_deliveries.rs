//! RedeliverDeliveries: many at once, in the order in which they came.

use weft_kit::{Call, Caller, paging::page_size};
use weft_proto::weft::trigger::v1::{Delivery, RedeliverDeliveriesRequest, RedeliverDeliveriesResponse};
use weft_store::{Accepted, DeliveryRow, StoreError};

use super::{dismiss_delivery::dismiss, find::Search, redeliver_delivery::repeat};
use crate::{
    Error,
    domain::{delivery::Same, name},
    pending::Pending,
    state::{State, may_start},
};

/// Deliveries that are written together: what came with them is in memory meanwhile.
const TOGETHER: usize = 16;

pub(crate) async fn handle(
    state: &State,
    call: Call<RedeliverDeliveriesRequest>,
) -> Result<RedeliverDeliveriesResponse, Error> {
    let Call { caller, message: request, .. } = call;
    let search = Search::open(state, "RedeliverDeliveries", &request.parent, &request.filter).await?;
    may_start(&caller, &search.project)?;
    let before = search.before(&request.page_token)?;
    let own = state.ids.uuid().to_string();
    let request_id = if request.request_id.is_empty() { &own } else { &request.request_id };
    // What this request itself has made, and is asked for again, is none of what it is about.
    let is_own = |row: &DeliveryRow, delivery: &Delivery| {
        name::delivery(&delivery.redelivery_of)
            .is_some_and(|(_, first)| Same::Again(&caller.name, request_id, first).digest() == row.dedup)
    };
    let size = page_size(request.max_count, 100, 1_000);
    let mut page = search.page_without(state, (before, size), &is_own).await?;
    page.found.reverse();
    let (mut redelivered, looked_at) = (0, page.found.len());
    for group in page.found.chunks(TOGETHER) {
        redelivered += together(state, &caller, group, request_id).await?;
    }
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    Ok(RedeliverDeliveriesResponse {
        redelivered_count: count(redelivered),
        skipped_count: count(looked_at - redelivered),
        next_page_token: search.token(page.next),
    })
}

/// Redelivers some, and says how many could be.
async fn together(
    state: &State,
    caller: &Caller,
    group: &[(DeliveryRow, Delivery)],
    request_id: &str,
) -> Result<usize, Error> {
    let maker = state.maker();
    let (mut rows, mut first) = (Vec::new(), Vec::new());
    for (listed, head) in group {
        // What came with it is not in a list. It may be forgotten by now.
        let whole = match state.store.get_delivery(listed.trigger, listed.id).await {
            Ok(whole) => whole,
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        match repeat(&maker, caller, (&head.name, &whole, head), request_id) {
            Ok(row) => {
                rows.push(row);
                first.push((whole, head.clone()));
            }
            Err(Error::NotAgain { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let count = rows.len();
    let accepted = state.store.accept_deliveries(rows.clone()).await?;
    for (row, accepted) in rows.into_iter().zip(accepted) {
        if accepted == Accepted::New {
            let mut pending = Pending::of(row)?;
            pending.due = state.now().as_micros();
            state.dispatcher.offer(pending);
        }
    }
    state.news.tell();
    dismiss(state, first).await?;
    Ok(count)
}
