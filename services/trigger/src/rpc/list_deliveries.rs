//! ListDeliveries.

use uuid::Uuid;
use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::trigger::v1::{ListDeliveriesRequest, ListDeliveriesResponse};

use super::{get_delivery, get_trigger};
use crate::{Error, domain::kept, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListDeliveriesRequest>,
) -> Result<ListDeliveriesResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListDeliveries", &request.parent]);
    let before = match list.cursor(&request.page_token)?.as_str() {
        "" => None,
        id => Some(Uuid::try_parse(id).map_err(|_| weft_kit::cursor::CursorError)?),
    };
    let size = page_size(request.page_size, 50, 1_000);
    let row = get_trigger::row(state, &request.parent).await?;
    let mut rows = state.store.list_deliveries(row.uid, before, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token =
        rows.last().filter(|_| more).map(|row| list.token(&row.id.to_string())).unwrap_or_default();
    let shown = rows.iter().map(|row| Ok(get_delivery::shown(&request.parent, row.id, kept::head(row)?)));
    Ok(ListDeliveriesResponse { deliveries: shown.collect::<Result<_, Error>>()?, next_page_token })
}
