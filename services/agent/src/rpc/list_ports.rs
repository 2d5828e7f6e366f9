//! ListPorts: the agent filters, sorts and cuts; the token of the next page is made here.

use std::sync::Arc;

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::agent::v1::{
    ListPortsRequest, ListPortsResponse, host_answer::Outcome, host_question::Ask,
};

use crate::{
    Error,
    host::{self, PATIENCE, Question},
    state::State,
};

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<ListPortsRequest>,
) -> Result<ListPortsResponse, Error> {
    let mut request = call.message;
    let list = List::of(&["ListPorts", &request.parent, &request.filter, &request.order_by]);
    request.page_token = list.cursor(&request.page_token)?;
    request.page_size = page_size(request.page_size, 200, 500).cast_signed();
    let question = Question {
        agent: request.parent.clone(),
        opened: "ports",
        patience: PATIENCE,
        ask: Ask::ListPorts(request),
    };
    let Outcome::Ports(mut page) = host::ask(state, question).await? else {
        return Err(Error::unexpected_answer());
    };
    if !page.next_page_token.is_empty() {
        page.next_page_token = list.token(&page.next_page_token);
    }
    Ok(page)
}
