//! ListEdges: a page of the edges that match.

use weft_kit::{Call, paging};
use weft_proto::weft::graph::v1::{ListEdgesRequest, ListEdgesResponse};

use super::{bad_page_token, cursor, next_page_token};
use crate::{
    Error,
    domain::{
        filter::{EDGE, Filter},
        page::CursorReader,
        query::list_edges,
    },
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<ListEdgesRequest>) -> Result<ListEdgesResponse, Error> {
    let request = call.message;
    let filter = Filter::parse(&request.filter, &EDGE)?;
    let size = paging::page_size(request.page_size, 100, 1_000) as usize;
    let live = state.graphs.get(&request.graph).await?;
    let list = paging::List::of(&["ListEdges", &live.uid.to_string(), &request.filter]);
    let cursor = cursor(list, &request.page_token)?;
    let page = live
        .read_long(move |content| list_edges(&content.memory, &filter, CursorReader::new(&cursor), size))
        .await?
        .map_err(bad_page_token)?;
    Ok(ListEdgesResponse { edges: page.edges, next_page_token: next_page_token(list, page.next.as_ref()) })
}
