//! ListCommandTypes: those of the project and those that ship with the mesh, by name.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::command::v1::{CommandType, ListCommandTypesRequest, ListCommandTypesResponse};

use crate::{Error, domain::name, state::State, types};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListCommandTypesRequest>,
) -> Result<ListCommandTypesResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListCommandTypes", &request.parent]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000) as usize;
    let project = name::project(&request.parent);
    let rows = state.store.list_command_types(project, &after, size as u32 + 1).await?;
    let mut found: Vec<(String, CommandType)> = Vec::new();
    for row in &rows {
        found.push((row.id.clone(), types::read(row)?));
    }
    for id in state.types.built_in_after(&after) {
        found.extend(state.types.built_in(project, id).map(|built_in| (id.to_owned(), built_in)));
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let more = found.len() > size;
    found.truncate(size);
    let next_page_token = found.last().filter(|_| more).map(|(id, _)| list.token(id)).unwrap_or_default();
    let command_types = found.into_iter().map(|(_, command_type)| command_type).collect();
    Ok(ListCommandTypesResponse { command_types, next_page_token })
}
