//! WatchCommand: how a command and its targets stand, until it has ended.
//!
//! A watcher holds a place and nothing else: it is woken when something of the command was written, and reads from the
//! store what has changed since. A slow one gets fewer states of a target, and always the newest.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior},
};
use weft_kit::Call;
use weft_proto::weft::command::v1::{
    CommandChanges, WatchCommandRequest, WatchCommandResponse, watch_command_response::Event,
};

use super::find;
use crate::{Error, domain::message, state::State};

/// Targets of one message.
const TARGETS: u32 = 200;

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<WatchCommandRequest>,
) -> Result<impl Stream<Item = Result<WatchCommandResponse, Error>> + Send + use<>, Error> {
    let request = call.message;
    let cursor = message::read_cursor(&request.after_cursor)
        .and_then(|(flush, number)| Some((flush, u32::try_from(number).ok()?)));
    let at = cursor.ok_or_else(|| Error::field("after_cursor", "is none that this watch gave"))?;
    let batch = find::batch(state, &request.name).await?;
    let period = state.options.watch_heartbeat;
    let mut signs_of_life = tokio::time::interval_at(Instant::now() + period, period);
    signs_of_life.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher {
        state: Arc::clone(state),
        head: state.jobs.watch(batch.id),
        name: request.name,
        batch: batch.id,
        at,
        note: None,
        announced: false,
        told_end: false,
        signs_of_life,
    };
    Ok(stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(Some(event)) => Some((Ok(WatchCommandResponse { event: Some(event) }), Some(watcher))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Watcher {
    state: Arc<State>,
    head: watch::Receiver<i64>,
    name: String,
    batch: i64,
    /// Everything up to here was told.
    at: (i64, u32),
    /// What was kept of the command when it was looked at last: it changes when somebody approves it.
    note: Option<Bytes>,
    /// The end of the past was told.
    announced: bool,
    told_end: bool,
    signs_of_life: Interval,
}

impl Watcher {
    fn cursor(&self) -> String {
        message::cursor(self.at.0, self.at.1.into())
    }

    async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            self.head.mark_unchanged();
            // In this order: a command that has ended has no changes after those that are read now.
            let batch = find::batch(&self.state, &self.name).await?;
            let is_decided = self.note.replace(batch.note.clone()).is_some_and(|told| told != batch.note);
            if is_decided {
                // All of its targets stand otherwise, and none of them was written.
                self.at = (0, 0);
            }
            let jobs = self.state.jobs.changed(self.batch, self.at, TARGETS).await?;
            let is_news = is_decided || !jobs.is_empty() || (batch.ended.is_some() && !self.told_end);
            if is_news {
                if let Some(last) = jobs.last() {
                    self.at = (last.changed, last.key.number);
                }
                self.told_end = batch.ended.is_some();
                return Ok(Some(Event::Changes(CommandChanges {
                    command: Some(find::command(&self.state, &batch).await?),
                    targets: jobs.iter().map(|job| message::target(&batch, job)).collect(),
                    cursor: self.cursor(),
                })));
            }
            if !self.announced {
                self.announced = true;
                return Ok(Some(Event::CaughtUpCursor(self.cursor())));
            }
            if self.told_end {
                return Ok(None);
            }
            tokio::select! {
                _ = self.head.changed() => {}
                _ = self.signs_of_life.tick() => return Ok(Some(Event::CaughtUpCursor(self.cursor()))),
                () = self.state.lifecycle.draining() => return Err(Error::Draining),
            }
        }
    }
}
