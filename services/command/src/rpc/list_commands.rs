//! ListCommands: the history of a project, the newest first.

use weft_jobs::BatchView;
use weft_kit::{
    Call,
    cursor::{Cursor, CursorReader},
    filter::Filter,
    order::parse_order,
    paging::{List, page_size},
};
use weft_proto::weft::command::v1::{Command, ListCommandsRequest, ListCommandsResponse};
use weft_store::BatchFilter;

use crate::{
    Error,
    domain::{
        list::{COMMAND, CommandRecord},
        message, name,
    },
    state::State,
};

/// Commands that are read at once where a filter may leave many of them out.
const READ: u32 = 500;
/// Commands that one call looks at: the page may then be short, and not the last.
const LOOKED_AT: usize = 5_000;

pub(crate) async fn handle(
    state: &State,
    call: Call<ListCommandsRequest>,
) -> Result<ListCommandsResponse, Error> {
    let request = call.message;
    let filter = Filter::parse(&request.filter, &COMMAND)?;
    let order = parse_order(&request.order_by, &[("create_time", ())])
        .map_err(|problem| Error::field("order_by", problem))?;
    if order.iter().any(|key| !key.descending) {
        return Err(Error::field("order_by", "the newest is first: create_time desc"));
    }
    let list = List::of(&["ListCommands", &request.parent, &request.filter]);
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
    let (mut commands, mut looked_at) = (Vec::new(), 0);
    loop {
        let project = name::project(&request.parent);
        let views = state.jobs.list(project, &BatchFilter::default(), before, read).await?;
        let was_last = views.len() < read as usize;
        looked_at += views.len();
        for (view, command) in views.iter().zip(self::commands(state, &views).await?) {
            before = view.id;
            if filter.matches(&CommandRecord(&command)) {
                commands.push(command);
            }
            if commands.len() == size as usize {
                break;
            }
        }
        let is_full = commands.len() == size as usize;
        if is_full || looked_at >= LOOKED_AT || was_last {
            let is_end = was_last && views.last().is_none_or(|last| last.id == before);
            let next_page_token = if is_end {
                String::new()
            } else {
                list.token(Cursor::default().text(&before.to_string()).as_str())
            };
            return Ok(ListCommandsResponse { commands, next_page_token });
        }
    }
}

async fn commands(state: &State, views: &[BatchView]) -> Result<Vec<Command>, Error> {
    let open: Vec<i64> = views.iter().filter(|view| view.ended.is_none()).map(|view| view.id).collect();
    // Where another process has the engine its counts are not known here.
    let progress = if open.is_empty() { None } else { state.jobs.progress(open).await.ok() };
    let of = |view: &BatchView| progress.as_ref().and_then(|progress| progress.get(&view.id));
    let command = |view: &BatchView| Ok(message::command(view, of(view))?);
    views.iter().map(command).collect()
}
