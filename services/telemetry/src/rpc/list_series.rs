//! ListSeries.

use weft_kit::{
    Call,
    cursor::{Cursor, CursorError, CursorReader},
    paging::{List, page_size},
};
use weft_proto::weft::telemetry::v1::{ListSeriesRequest, ListSeriesResponse};
use weft_series::promql;

use crate::{
    Error,
    domain::{message, name},
    state::State,
};

pub(crate) fn handle(state: &State, call: Call<ListSeriesRequest>) -> Result<ListSeriesResponse, Error> {
    let request = call.message;
    let matchers =
        if request.selector.is_empty() { Vec::new() } else { promql::selector(&request.selector)? };
    let list = List::of(&["ListSeries", &request.parent, &request.selector]);
    let cursor = list.cursor(&request.page_token)?;
    let after = match CursorReader::new(&cursor) {
        None => 0,
        Some(mut reader) => {
            let after: u32 = reader.text()?.parse().map_err(|_| CursorError)?;
            reader.end()?;
            after
        }
    };
    state.ready()?;
    let size = page_size(request.page_size, 100, 10_000) as usize;
    let Some(project) = state.projects.find(name::project(&request.parent)) else {
        return Ok(ListSeriesResponse::default());
    };
    let project = project.read();
    let found = project.index.matching(&matchers);
    let begin = found.partition_point(|id| *id < after);
    let page = &found[begin..found.len().min(begin + size)];
    let series = page.iter().map(|id| message::labels(&project.index.series(*id).labels)).collect();
    let next_page_token = match found.get(begin + size) {
        Some(next) => list.token(Cursor::default().text(&next.to_string()).as_str()),
        None => String::new(),
    };
    Ok(ListSeriesResponse { series, next_page_token })
}
