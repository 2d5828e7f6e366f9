//! SearchNodes: full-text search, best first.

use prost::Message;
use weft_kit::{Call, paging};
use weft_proto::weft::graph::v1::{SearchNodesRequest, SearchNodesResponse, SearchResult};

use super::{bad_page_token, cursor, next_page_token};
use crate::{
    Error,
    domain::{
        filter::{Filter, NODE, NodeRecord},
        page::{Cursor, CursorError, CursorReader},
        query::Budget,
        search::{Hit, SearchIndex, search, snippet},
    },
    live::Content,
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<SearchNodesRequest>,
) -> Result<SearchNodesResponse, Error> {
    let request = call.message;
    let filter = Filter::parse(&request.filter, &NODE)?;
    let size = paging::page_size(request.page_size, 20, 200) as usize;
    let live = state.graphs.get(&request.graph).await?;
    let list = paging::List::of(&["SearchNodes", &live.uid.to_string(), &request.query, &request.filter]);
    let cursor = cursor(list, &request.page_token)?;
    let after = CursorReader::new(&cursor).map(read_place).transpose().map_err(bad_page_token)?;
    let index = live.search_index().await?;
    let query = request.query;
    let (results, next, total) =
        live.read_long(move |content| page(content, &index, &query, &filter, after, size)).await?;
    Ok(SearchNodesResponse {
        results,
        next_page_token: next_page_token(list, next.as_ref()),
        total_size: total as i64,
    })
}

fn read_place(mut reader: CursorReader<'_>) -> Result<Hit, CursorError> {
    let hit = Hit { score: reader.fraction()?, ordinal: reader.number()? };
    reader.end()?;
    Ok(hit)
}

fn page(
    content: &Content,
    index: &SearchIndex,
    query: &str,
    filter: &Filter,
    after: Option<Hit>,
    size: usize,
) -> (Vec<SearchResult>, Option<Cursor>, usize) {
    let (memory, table) = (&content.memory, content.memory.table());
    let mut hits = search(memory, index, query);
    // The index may be a revision ahead or behind.
    hits.retain(|hit| {
        table
            .node(hit.ordinal)
            .is_some_and(|node| filter.is_empty() || filter.matches(&NodeRecord { node, memory }))
    });
    let total = hits.len();
    if let Some(after) = after {
        hits.retain(|hit| (after.score, hit.ordinal) > (hit.score, after.ordinal));
    }
    let mut results = Vec::new();
    let mut last = None;
    let mut budget = Budget::default();
    for hit in &hits {
        let Some(node) = table.node(hit.ordinal) else { continue };
        let snippet = snippet(node, query);
        let result = SearchResult { node: Some(node.to_message()), score: hit.score, snippet };
        if results.len() == size || !budget.take(result.encoded_len()) {
            return (results, last, total);
        }
        last = Some(Cursor::default().fraction(hit.score).number(hit.ordinal));
        results.push(result);
    }
    (results, None, total)
}
