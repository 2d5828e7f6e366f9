//! StreamOutput: what a target has written, in order, until it has ended.

use std::{collections::VecDeque, sync::Arc};

use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior},
};
use weft_jobs::JobKey;
use weft_kit::Call;
use weft_proto::weft::command::v1::{
    OutputPiece, StreamOutputRequest, StreamOutputResponse, stream_output_response::Event,
};
use weft_store::JobOutput;

use super::find;
use crate::{Error, domain::message, state::State};

/// Pieces that are read at once: of 64 KiB at most.
const PIECES: u32 = 32;

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<StreamOutputRequest>,
) -> Result<impl Stream<Item = Result<StreamOutputResponse, Error>> + Send + use<>, Error> {
    let request = call.message;
    let at = message::read_cursor(&request.after_cursor)
        .ok_or_else(|| Error::field("after_cursor", "is none that this stream gave"))?;
    let (_, job) = find::job(state, &request.name).await?;
    let period = state.options.watch_heartbeat;
    let mut signs_of_life = tokio::time::interval_at(Instant::now() + period, period);
    signs_of_life.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = Reader {
        state: Arc::clone(state),
        head: state.jobs.watch(job.key.batch),
        key: job.key,
        at,
        read: VecDeque::new(),
        announced: false,
        signs_of_life,
    };
    Ok(stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(event)) => Some((Ok(StreamOutputResponse { event: Some(event) }), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Reader {
    state: Arc<State>,
    head: watch::Receiver<i64>,
    key: JobKey,
    /// Everything up to here was told: delivery and sequence.
    at: (i64, i64),
    read: VecDeque<JobOutput>,
    /// The end of the past was told.
    announced: bool,
    signs_of_life: Interval,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(piece) = self.read.pop_front() {
                self.at = (piece.fence, piece.sequence);
                return Ok(Some(Event::Piece(OutputPiece {
                    delivery: i32::try_from(piece.fence).unwrap_or(i32::MAX),
                    stream: piece.stream,
                    data: piece.bytes,
                    receive_time: Some(piece.at.into()),
                    cursor: message::cursor(self.at.0, self.at.1),
                })));
            }
            self.head.mark_unchanged();
            // In this order: a target that has ended writes nothing after what is read now.
            let jobs = self.state.jobs.jobs(self.key.batch, self.key.number, 1).await?;
            let has_ended = jobs.first().is_none_or(|job| job.state.is_terminal());
            self.read = self.state.jobs.outputs(self.key, self.at, PIECES).await?.into();
            if !self.read.is_empty() {
                continue;
            }
            if has_ended {
                return Ok(None);
            }
            let cursor = message::cursor(self.at.0, self.at.1);
            if !self.announced {
                self.announced = true;
                return Ok(Some(Event::CaughtUpCursor(cursor)));
            }
            tokio::select! {
                _ = self.head.changed() => {}
                _ = self.signs_of_life.tick() => return Ok(Some(Event::CaughtUpCursor(cursor))),
                () = self.state.lifecycle.draining() => return Err(Error::Draining),
            }
        }
    }
}
