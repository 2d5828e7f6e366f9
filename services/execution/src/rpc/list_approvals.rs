//! ListApprovals: what waits for a person in a project, of the newest executions first.

use weft_kit::{
    Call,
    cursor::{Cursor, CursorError, CursorReader},
    paging::{List, page_size},
};
use weft_proto::weft::execution::v1::{Approval, ListApprovalsRequest, ListApprovalsResponse};

use super::find;
use crate::{
    Error,
    domain::{message, name},
    state::State,
};

/// Executions that are read at once.
const READ: u32 = 100;

pub(crate) async fn handle(
    state: &State,
    call: Call<ListApprovalsRequest>,
) -> Result<ListApprovalsResponse, Error> {
    let ListApprovalsRequest { parent, page_size: size, page_token } = call.message;
    let list = List::of(&["ListApprovals", &parent]);
    let cursor = list.cursor(&page_token)?;
    // The execution to go on with, and the step of it that was told last.
    let (mut at, mut after) = match CursorReader::new(&cursor) {
        None => (i64::MAX, 0),
        Some(mut reader) => {
            let at: i64 = reader.text()?.parse().map_err(|_| CursorError)?;
            let after = reader.number()?;
            reader.end()?;
            (at, after)
        }
    };
    let size = page_size(size, 50, 200) as usize;
    let project = name::project(&parent);
    let mut approvals = Vec::new();
    loop {
        let rows = state.store.asking_executions(project, at.saturating_add(1), READ).await?;
        let was_last = rows.len() < READ as usize;
        for row in &rows {
            let id = row.execution.id;
            let last = if id == at { after } else { 0 };
            let found = find::see(state, row, move |row, run| {
                let execution = message::of_run(row, run);
                let steps =
                    run.asking().filter(|number| *number > last).filter_map(|number| run.step(number));
                let shown = steps.map(|step| {
                    (step.number, message::step(&execution.name, row.execution.uid, run, step, false))
                });
                let shown: Vec<_> = shown.collect();
                (execution, shown)
            });
            let (mut execution, steps) = found.await?;
            // As in a list of executions.
            (execution.input, execution.output) = (None, None);
            for (number, step) in steps {
                if approvals.len() == size {
                    let token = Cursor::default().text(&at.to_string()).number(after);
                    return Ok(ListApprovalsResponse {
                        approvals,
                        next_page_token: list.token(token.as_str()),
                    });
                }
                approvals.push(Approval { execution: Some(execution.clone()), step: Some(step) });
                (at, after) = (id, number);
            }
        }
        match rows.last() {
            // The next ones are below it.
            Some(last) if !was_last => (at, after) = (last.execution.id - 1, 0),
            _ => return Ok(ListApprovalsResponse { approvals, next_page_token: String::new() }),
        }
    }
}
