//! ListAlerts.

use weft_kit::{
    Call,
    cursor::CursorError,
    paging::{List, page_size},
};
use weft_proto::weft::telemetry::v1::{ListAlertsRequest, ListAlertsResponse};

use crate::{
    Error,
    domain::{name, time},
    state::State,
};

pub(crate) fn handle(state: &State, call: Call<ListAlertsRequest>) -> Result<ListAlertsResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListAlerts", &request.parent]);
    let cursor = list.cursor(&request.page_token)?;
    let begin: usize = if cursor.is_empty() { 0 } else { cursor.parse().map_err(|_| CursorError)? };
    state.ready()?;
    let size = page_size(request.page_size, 1_000, 10_000) as usize;
    let board = state.alerts.newest();
    let evaluate_time = (board.evaluated > 0).then(|| time::timestamp(board.evaluated));
    let Some(alerts) = board.projects.get(name::project(&request.parent)) else {
        return Ok(ListAlertsResponse { evaluate_time, ..ListAlertsResponse::default() });
    };
    let end = begin.saturating_add(size);
    let next_page_token = if end < alerts.len() { list.token(&end.to_string()) } else { String::new() };
    Ok(ListAlertsResponse {
        alerts: alerts.iter().skip(begin).take(size).cloned().collect(),
        next_page_token,
        evaluate_time,
    })
}
