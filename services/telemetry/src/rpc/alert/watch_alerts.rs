//! WatchAlerts: all alerts of a project, now and whenever something of them has changed.

use std::sync::Arc;

use futures::{Stream, stream};
use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{WatchAlertsRequest, WatchAlertsResponse};

use crate::{
    Error,
    alerts::board::Board,
    domain::{name, time},
    state::State,
};

/// Alerts in one message.
const MOST: usize = 10_000;

pub(crate) fn handle(
    state: &Arc<State>,
    call: &Call<WatchAlertsRequest>,
) -> Result<impl Stream<Item = Result<WatchAlertsResponse, Error>> + Send + use<>, Error> {
    state.ready()?;
    let project = name::project(&call.message.parent).to_owned();
    let boards = state.alerts.watch();
    let watch = (Arc::clone(state), boards, project, None::<WatchAlertsResponse>);
    Ok(stream::unfold(Some(watch), |watch| async move {
        let (state, mut boards, project, mut last) = watch?;
        loop {
            let now = response(&boards.borrow_and_update(), &project);
            // When it was evaluated is no change of what it says.
            if last.as_ref().is_none_or(|last| last.alerts != now.alerts) {
                last = Some(now.clone());
                return Some((Ok(now), Some((state, boards, project, last))));
            }
            tokio::select! {
                changed = boards.changed() => changed.ok()?,
                () = state.lifecycle.draining() => return Some((Err(Error::Draining), None)),
            }
            if let Err(error) = state.ready() {
                return Some((Err(error), None));
            }
        }
    }))
}

fn response(board: &Board, project: &str) -> WatchAlertsResponse {
    let alerts = board.projects.get(project).map(|alerts| alerts.iter().take(MOST).cloned().collect());
    WatchAlertsResponse {
        alerts: alerts.unwrap_or_default(),
        evaluation_time: (board.evaluated > 0).then(|| time::timestamp(board.evaluated)),
    }
}
