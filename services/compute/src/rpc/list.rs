//! ListLayouts: the layouts of a graph or of a project, page by page. Brings none into memory.

use std::sync::Arc;

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::compute::v1::{Layout, ListLayoutsRequest, ListLayoutsResponse};
use weft_store::LayoutRow;

use crate::{
    Error,
    domain::name::GraphName,
    session::{Layouts, live::Live},
};

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<ListLayoutsRequest>,
) -> Result<ListLayoutsResponse, Error> {
    let ListLayoutsRequest { parent, page_size: asked, page_token } = call.message;
    let GraphName { project, graph } = GraphName::parse(&parent, "parent")?;
    let graph = Some(graph.as_str()).filter(|graph| *graph != "-");
    let size = page_size(asked, 50, 1_000);
    let list = List::of(&["ListLayouts", &parent]);
    // Graph and id of the last layout of the page before.
    let cursor = list
        .cursor(&page_token)
        .map_err(|_| Error::bad_field("page_token", "is not one that this list gave"))?;
    let after = cursor.split_once('/').unwrap_or_default();
    let mut rows =
        layouts.store.list_layouts(&project, graph, after, size + 1).await.map_err(Error::store(&parent))?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = match rows.last() {
        Some(last) if more => list.token(&format!("{}/{}", last.graph, last.id)),
        _ => String::new(),
    };
    let shown = rows.into_iter().map(|row| show(layouts, row)).collect::<Result<_, _>>()?;
    Ok(ListLayoutsResponse { layouts: shown, next_page_token })
}

fn show(layouts: &Layouts, row: LayoutRow) -> Result<Layout, Error> {
    match layouts.peek(row.uid) {
        Some(session) => {
            let (live, viewers) = session.live();
            live.layout(viewers)
        }
        None => Live::unloaded(Arc::new(row)).layout(0),
    }
}
