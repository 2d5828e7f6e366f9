//! ListProcesses: the agent filters, sorts and cuts; the token of the next page is made here.

use std::sync::Arc;

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::agent::v1::{
    ListProcessesRequest, ListProcessesResponse, host_answer::Outcome, host_question::Ask,
};

use crate::{
    Error,
    host::{self, PATIENCE, Question},
    state::State,
};

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<ListProcessesRequest>,
) -> Result<ListProcessesResponse, Error> {
    let mut request = call.message;
    let root = request.root_process_id.to_string();
    let list = List::of(&["ListProcesses", &request.parent, &request.filter, &request.order_by, &root]);
    request.page_token = list.cursor(&request.page_token)?;
    request.page_size = page_size(request.page_size, 50, 200).cast_signed();
    let question = Question {
        agent: request.parent.clone(),
        opened: "processes",
        patience: PATIENCE,
        ask: Ask::ListProcesses(request),
    };
    let Outcome::Processes(mut page) = host::ask(state, question).await? else {
        return Err(Error::unexpected_answer());
    };
    if !page.next_page_token.is_empty() {
        page.next_page_token = list.token(&page.next_page_token);
    }
    Ok(page)
}
