//! ListSources: the sources of a graph, by name.

use weft_kit::{Call, paging};
use weft_proto::weft::graph::v1::{ListSourcesRequest, ListSourcesResponse};

use crate::{
    Error,
    rpc::cursor,
    source::{Names, Sources, source_message},
};

pub(crate) async fn handle(
    sources: &Sources,
    call: Call<ListSourcesRequest>,
) -> Result<ListSourcesResponse, Error> {
    let request = call.message;
    let size = paging::page_size(request.page_size, 50, 1_000);
    let list = paging::List::of(&["ListSources", &request.parent]);
    let after = cursor(list, &request.page_token)?;
    let graph = sources.graph.graphs.row(&request.parent).await?;
    let mut rows = sources.store.list_sources(graph.uid, &after, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows.last().filter(|_| more).map(|row| list.token(&row.id)).unwrap_or_default();
    let now = sources.now();
    let found = rows.iter().map(|row| source_message(&Names::new(&request.parent, &row.id), row, now));
    Ok(ListSourcesResponse { sources: found.collect::<Result<_, _>>()?, next_page_token })
}
