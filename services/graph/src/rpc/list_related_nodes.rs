//! ListRelatedNodes: what says the same, and what knows the same.

use prost::Message;
use weft_kit::{Call, paging};
use weft_proto::weft::graph::v1::{ListRelatedNodesRequest, ListRelatedNodesResponse, RelatedNode};

use super::{bad_page_token, cursor, next_page_token, node_not_found};
use crate::{
    Error,
    domain::{
        memory::Table,
        page::{Cursor, CursorError, CursorReader},
        query::{Budget, Related, related},
    },
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListRelatedNodesRequest>,
) -> Result<ListRelatedNodesResponse, Error> {
    let request = call.message;
    let size = paging::page_size(request.page_size, 20, 100) as usize;
    let live = state.graphs.get(&request.graph).await?;
    let list = paging::List::of(&["ListRelatedNodes", &live.uid.to_string(), &request.key]);
    let cursor = cursor(list, &request.page_token)?;
    let after = CursorReader::new(&cursor).map(read_place).transpose().map_err(bad_page_token)?;
    let index = live.search_index().await?;
    live.read_long(move |content| {
        let table = content.memory.table();
        let ordinal =
            content.memory.find_node(&request.key).ok_or_else(|| node_not_found("key", &request.key))?;
        let mut found = related(&content.memory, &index, ordinal);
        if let Some((score, ordinal)) = after {
            found.retain(|related| (score, related.ordinal) > (related.score, ordinal));
        }
        let mut response = ListRelatedNodesResponse::default();
        let mut last: Option<Cursor> = None;
        let mut budget = Budget::default();
        for related in &found {
            let Some(message) = related_message(table, related) else { continue };
            if response.related.len() == size || !budget.take(message.encoded_len()) {
                response.next_page_token = next_page_token(list, last.as_ref());
                break;
            }
            last = Some(Cursor::default().fraction(related.score).number(related.ordinal));
            response.related.push(message);
        }
        Ok(response)
    })
    .await?
}

fn read_place(mut reader: CursorReader<'_>) -> Result<(f64, u32), CursorError> {
    let place = (reader.fraction()?, reader.number()?);
    reader.end()?;
    Ok(place)
}

fn related_message(table: &Table, related: &Related) -> Option<RelatedNode> {
    Some(RelatedNode {
        node: Some(table.node(related.ordinal)?.to_message()),
        score: related.score,
        text_similarity: related.text,
        link_similarity: related.link,
        shared_neighbors: related.shared.iter().map(|ordinal| table.key(*ordinal).to_owned()).collect(),
        linked: related.linked,
    })
}
