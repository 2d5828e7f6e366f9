//! WatchLogs: what arrives and matches.

use std::sync::Arc;

use futures::{Stream, stream};
use prost::Message;
use tokio::sync::{
    broadcast::{Receiver, error::RecvError},
    watch,
};
use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{WatchLogsRequest, WatchLogsResponse};

use super::search_logs::{Filter, wanted};
use crate::{
    Error,
    domain::name,
    events::{Kind, chunk::Chunk, records, wanted::Wanted},
    state::{Arrival, State},
};

/// Bytes of a message after which another one is begun.
const MESSAGE_BYTES: usize = 1 << 20;

pub(crate) fn handle(
    state: &Arc<State>,
    call: &Call<WatchLogsRequest>,
) -> Result<impl Stream<Item = Result<WatchLogsResponse, Error>> + Send + use<>, Error> {
    let request = &call.message;
    let filter = Filter {
        query: &request.query,
        severity: request.min_severity,
        service: &request.service_name,
        attributes: &request.attributes,
        trace: &request.trace_id,
    };
    let wanted = wanted(&filter)?;
    state.ready()?;
    let watch = Watch {
        epoch: state.epoch.subscribe(),
        arrivals: state.arrivals.subscribe(),
        state: Arc::clone(state),
        project: name::project(&request.parent).to_owned(),
        wanted,
        current: None,
        missed: 0,
    };
    let begun = stream::iter([Ok(WatchLogsResponse::default())]);
    let more = stream::unfold(Some(watch), |watch| async move {
        let mut watch = watch?;
        let next = watch.next().await;
        let rest = next.is_ok().then_some(watch);
        Some((next, rest))
    });
    Ok(stream::StreamExt::chain(begun, more))
}

/// Somebody who watches.
struct Watch {
    state: Arc<State>,
    epoch: watch::Receiver<i64>,
    arrivals: Receiver<Arrival>,
    project: String,
    wanted: Wanted,
    /// A chunk, and how many of its records were looked at.
    current: Option<(Arc<Chunk>, usize)>,
    missed: u64,
}

impl Watch {
    async fn next(&mut self) -> Result<WatchLogsResponse, Error> {
        loop {
            if let Some((chunk, seen)) = self.current.take() {
                let response = self.matching(chunk, seen)?;
                if !response.logs.is_empty() {
                    return Ok(response);
                }
                continue;
            }
            tokio::select! {
                arrived = self.arrivals.recv() => match arrived {
                    Ok((project, chunk)) if *project == *self.project => self.current = Some((chunk, 0)),
                    Ok(_) => {}
                    Err(RecvError::Lagged(missed)) => self.missed += missed,
                    Err(RecvError::Closed) => return Err(Error::Draining),
                },
                changed = self.epoch.changed() => {
                    changed.map_err(|_| Error::Draining)?;
                    self.state.ready()?;
                }
                () = self.state.lifecycle.draining() => return Err(Error::Draining),
            }
        }
    }

    /// Records of a chunk that are wanted, from one on: as many as a message has room for.
    fn matching(&mut self, chunk: Arc<Chunk>, mut seen: usize) -> Result<WatchLogsResponse, Error> {
        let damaged = |error| weft_series::promql::Failure::Source(format!("a chunk {error}"));
        let mut response = WatchLogsResponse::default();
        let mut bytes = 0;
        for event in chunk.events().skip(seen) {
            if bytes >= MESSAGE_BYTES {
                break;
            }
            seen += 1;
            let event = event.map_err(damaged)?;
            let Some(origin) = chunk.origins.get(event.origin as usize) else { continue };
            if self.wanted.is(Kind::Logs, &event, origin).map_err(damaged)? {
                let record = records::record(&event, origin).map_err(damaged)?;
                bytes += record.encoded_len();
                response.logs.push(record);
            }
        }
        if seen < chunk.rows {
            self.current = Some((chunk, seen));
        }
        if !response.logs.is_empty() {
            response.missed_message_count = std::mem::take(&mut self.missed) as i64;
        }
        Ok(response)
    }
}
