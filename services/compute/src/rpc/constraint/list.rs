//! ListConstraints: what a layout keeps to, page by page.

use std::sync::Arc;

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::compute::v1::{ListConstraintsRequest, ListConstraintsResponse};

use crate::{
    Error,
    domain::{
        constraints::{self, Constraints},
        name::LayoutName,
    },
    session::Layouts,
};

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<ListConstraintsRequest>,
) -> Result<ListConstraintsResponse, Error> {
    let ListConstraintsRequest { parent, page_size: asked, page_token } = call.message;
    let layout = LayoutName::parse(&parent, "parent")?;
    let list = List::of(&["ListConstraints", &parent]);
    // Id of the last constraint of the page before.
    let after = list
        .cursor(&page_token)
        .map_err(|_| Error::bad_field("page_token", "is not one that this list gave"))?;
    let row = super::super::row(layouts, &layout).await?;
    let all = Constraints::of(&row, &layout)?;
    let rest = &all.all()[all.all().partition_point(|kept| kept.name.as_str() <= after.as_str())..];
    let page = &rest[..rest.len().min(page_size(asked, 50, 1_000) as usize)];
    let next_page_token = match page.last() {
        Some(last) if page.len() < rest.len() => list.token(&last.name),
        _ => String::new(),
    };
    let show = |kept| constraints::shown(&layout, kept, super::node_count(layouts, &row, &kept.uid));
    Ok(ListConstraintsResponse { constraints: page.iter().map(show).collect(), next_page_token })
}
