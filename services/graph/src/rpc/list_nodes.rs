//! ListNodes: a page of the nodes that match.

use weft_kit::{Call, paging};
use weft_proto::weft::graph::v1::{ListNodesRequest, ListNodesResponse};

use super::{bad_page_token, cursor, next_page_token};
use crate::{
    Error,
    domain::{
        filter::{Filter, NODE},
        page::CursorReader,
        query::{list_nodes, parse_node_order},
    },
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<ListNodesRequest>) -> Result<ListNodesResponse, Error> {
    let request = call.message;
    let filter = Filter::parse(&request.filter, &NODE)?;
    let order = parse_node_order(&request.order_by).map_err(|problem| Error::field("order_by", problem))?;
    let size = paging::page_size(request.page_size, 100, 1_000) as usize;
    let live = state.graphs.get(&request.graph).await?;
    let uid = live.uid.to_string();
    let list = paging::List::of(&["ListNodes", &uid, &request.filter, &request.order_by]);
    let cursor = cursor(list, &request.page_token)?;
    let quick = filter.is_empty() && order.is_empty();
    let ask = move |content: &crate::live::Content| {
        list_nodes(&content.memory, &filter, &order, CursorReader::new(&cursor), size)
    };
    let page = if quick { live.read(ask).await? } else { live.read_long(ask).await? };
    let page = page.map_err(bad_page_token)?;
    Ok(ListNodesResponse { nodes: page.nodes, next_page_token: next_page_token(list, page.next.as_ref()) })
}
