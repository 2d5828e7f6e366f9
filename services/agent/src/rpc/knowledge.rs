//! Knowledge files of a host: each call is a question to its agent, which knows them.

use std::sync::Arc;

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::agent::v1::{
    GetKnowledgeFileRequest, GetKnowledgeStatisticsRequest, KnowledgeFile, KnowledgeStatistics,
    ListKnowledgeFilesRequest, ListKnowledgeFilesResponse, ReadKnowledgeFileRequest,
    ReadKnowledgeFileResponse, host_answer::Outcome, host_question::Ask,
};

use crate::{
    Error,
    domain::name,
    host::{self, PATIENCE, Question},
    state::State,
};

/// What an agent that has knowledge folders can do, and one that shows texts.
const OPENED: &str = "knowledge";
const CONTENT: &str = "knowledge-content";

pub(crate) async fn list(
    state: &Arc<State>,
    call: Call<ListKnowledgeFilesRequest>,
) -> Result<ListKnowledgeFilesResponse, Error> {
    let mut request = call.message;
    let ListKnowledgeFilesRequest { parent, filter, order_by, search, .. } = &request;
    let list = List::of(&["ListKnowledgeFiles", parent, filter, order_by, search]);
    let agent = parent.clone();
    request.page_token = list.cursor(&request.page_token)?;
    request.page_size = page_size(request.page_size, 50, 200).cast_signed();
    let Outcome::KnowledgeFiles(mut page) =
        ask(state, agent, OPENED, Ask::ListKnowledgeFiles(request)).await?
    else {
        return Err(Error::unexpected_answer());
    };
    if !page.next_page_token.is_empty() {
        page.next_page_token = list.token(&page.next_page_token);
    }
    Ok(page)
}

pub(crate) async fn get(
    state: &Arc<State>,
    call: Call<GetKnowledgeFileRequest>,
) -> Result<KnowledgeFile, Error> {
    let agent = name::agent_of(&call.message.name);
    match ask(state, agent, OPENED, Ask::GetKnowledgeFile(call.message)).await? {
        Outcome::KnowledgeFile(file) => Ok(file),
        _ => Err(Error::unexpected_answer()),
    }
}

pub(crate) async fn read(
    state: &Arc<State>,
    call: Call<ReadKnowledgeFileRequest>,
) -> Result<ReadKnowledgeFileResponse, Error> {
    let agent = name::agent_of(&call.message.name);
    match ask(state, agent, CONTENT, Ask::ReadKnowledgeFile(call.message)).await? {
        Outcome::KnowledgeText(text) => Ok(text),
        _ => Err(Error::unexpected_answer()),
    }
}

pub(crate) async fn statistics(
    state: &Arc<State>,
    call: Call<GetKnowledgeStatisticsRequest>,
) -> Result<KnowledgeStatistics, Error> {
    let agent = call.message.parent.clone();
    match ask(state, agent, OPENED, Ask::GetKnowledgeStatistics(call.message)).await? {
        Outcome::KnowledgeStatistics(statistics) => Ok(statistics),
        _ => Err(Error::unexpected_answer()),
    }
}

async fn ask(state: &Arc<State>, agent: String, opened: &'static str, ask: Ask) -> Result<Outcome, Error> {
    host::ask(state, Question { agent, opened, patience: PATIENCE, ask }).await
}
