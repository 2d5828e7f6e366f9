//! ListTriggers.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::trigger::v1::{ListTriggersRequest, ListTriggersResponse};

use crate::{
    Error,
    domain::{name, trigger},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListTriggersRequest>,
) -> Result<ListTriggersResponse, Error> {
    let Call { caller, message: request, .. } = call;
    let list = List::of(&["ListTriggers", &request.parent]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000);
    let project = name::project(&request.parent);
    let mut rows = state.store.list_triggers(project, &after, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows.last().filter(|_| more).map(|row| list.token(&row.id)).unwrap_or_default();
    let role = caller.role_in(project);
    let shown = rows.iter().map(|row| trigger::read(row, role, &state.seal));
    Ok(ListTriggersResponse { triggers: shown.collect::<Result<_, _>>()?, next_page_token })
}
