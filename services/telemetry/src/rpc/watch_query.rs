//! WatchQuery: the newest answer of a query, at the client's rate.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::time::{MissedTickBehavior, interval};
use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{WatchQueryRequest, WatchQueryResponse};
use weft_series::promql::{self, Query};

use super::query_instant;
use crate::{
    Error,
    domain::{name, time},
    state::State,
};

/// How often, where nobody says.
const PERIOD: Duration = Duration::from_secs(2);
/// No more often.
const SHORTEST: Duration = Duration::from_millis(200);
/// No more seldom.
const LONGEST: Duration = Duration::from_hours(1);

pub(crate) fn handle(
    state: &Arc<State>,
    call: Call<WatchQueryRequest>,
) -> Result<impl Stream<Item = Result<WatchQueryResponse, Error>> + Send + use<>, Error> {
    let request = call.message;
    let query = Query::parse(&request.query)?;
    let period = match request.interval {
        None => PERIOD,
        Some(asked) => match Duration::try_from(asked) {
            Ok(asked) if (SHORTEST..=LONGEST).contains(&asked) => asked,
            _ => return Err(Error::field("interval", "must be 0.2 seconds to an hour")),
        },
    };
    state.ready()?;
    let mut ticks = interval(period);
    // What a slow client did not read is not made up for: it gets the newest.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch = (Arc::clone(state), ticks, query, request.parent);
    Ok(stream::unfold(Some(watch), |watch| async move {
        let (state, mut ticks, query, parent) = watch?;
        tokio::select! {
            _ = ticks.tick() => {}
            () = state.lifecycle.draining() => return Some((Err(Error::Draining), None)),
        }
        let (at, limits, asked) = (state.now(), state.limits(), query.clone());
        let answer = state
            .ask(name::project(&parent), move |view| {
                Ok(query_instant::response(promql::instant(&asked, view, at, &limits)?, at))
            })
            .await;
        match answer {
            Ok(answer) => {
                let response =
                    WatchQueryResponse { query_time: Some(time::timestamp(at)), series: answer.series };
                Some((Ok(response), Some((state, ticks, query, parent))))
            }
            Err(error) => Some((Err(error), None)),
        }
    }))
}
