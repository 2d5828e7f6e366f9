//! ListExecutions: the history of a project, the newest first.

use weft_kit::{
    Call,
    cursor::{Cursor, CursorReader},
    filter::Filter,
    order::parse_order,
    paging::{List, page_size},
};
use weft_proto::weft::execution::v1::{ListExecutionsRequest, ListExecutionsResponse};

use super::find;
use crate::{
    Error,
    domain::{
        list::{EXECUTION, ExecutionRecord},
        message, name,
    },
    state::State,
};

/// Executions that are read at once where a filter may leave many of them out.
const READ: u32 = 500;
/// Executions that one call looks at: the page may then be short, and not the last.
const LOOKED_AT: usize = 5_000;

pub(crate) async fn handle(
    state: &State,
    call: Call<ListExecutionsRequest>,
) -> Result<ListExecutionsResponse, Error> {
    let request = call.message;
    let filter = Filter::parse(&request.filter, &EXECUTION)?;
    let order = parse_order(&request.order_by, &[("create_time", ())])
        .map_err(|problem| Error::field("order_by", problem))?;
    if order.iter().any(|key| !key.descending) {
        return Err(Error::field("order_by", "the newest is first: create_time desc"));
    }
    let list = List::of(&["ListExecutions", &request.parent, &request.filter]);
    let cursor = list.cursor(&request.page_token)?;
    let mut before = match CursorReader::new(&cursor) {
        None => i64::MAX,
        Some(mut reader) => {
            let before = reader.text()?.parse().map_err(|_| weft_kit::cursor::CursorError)?;
            reader.end()?;
            before
        }
    };
    let size = page_size(request.page_size, 50, 1_000);
    let read = if request.filter.trim().is_empty() { size } else { READ };
    let project = name::project(&request.parent);
    let graph = only_graph(&request.filter);
    let (mut executions, mut looked_at) = (Vec::new(), 0);
    loop {
        let rows = state.store.list_executions(project, graph.as_deref(), before, read).await?;
        let was_last = rows.len() < read as usize;
        looked_at += rows.len();
        for row in &rows {
            before = row.execution.id;
            let execution = message::of_row(row);
            if filter.matches(&ExecutionRecord(&execution)) {
                executions.push((row.execution.id, execution));
            }
            if executions.len() == size as usize {
                break;
            }
        }
        let is_full = executions.len() == size as usize;
        if is_full || looked_at >= LOOKED_AT || was_last {
            let is_end = was_last && rows.last().is_none_or(|last| last.execution.id == before);
            let next_page_token = if is_end {
                String::new()
            } else {
                list.token(Cursor::default().text(&before.to_string()).as_str())
            };
            let mut queued: Vec<_> = executions.iter_mut().map(|(id, execution)| (*id, execution)).collect();
            find::waits(state, &mut queued).await;
            let executions = executions.into_iter().map(|(_, execution)| execution).collect();
            return Ok(ListExecutionsResponse { executions, next_page_token });
        }
    }
}

/// The graph of a filter that asks for nothing else: it is found by an index.
fn only_graph(filter: &str) -> Option<String> {
    let id = filter.trim().strip_prefix("graph")?.trim_start().strip_prefix('=')?.trim();
    let id = id.strip_prefix('"').and_then(|id| id.strip_suffix('"')).unwrap_or(id);
    let is_id = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (is_id && !id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::only_graph;

    #[test]
    fn a_graph_alone_is_found_by_its_index() {
        assert_eq!(only_graph(" graph = \"orders-2\" ").as_deref(), Some("orders-2"));
        assert_eq!(only_graph("graph=orders").as_deref(), Some("orders"));
        for filter in
            ["", "graph = \"a*\"", "graph = a AND state = failed", "graph : a", "graph_revision = 7"]
        {
            assert_eq!(only_graph(filter), None, "{filter}");
        }
    }
}
