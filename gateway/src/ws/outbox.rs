//! What waits to be written to a socket, in two lanes, and what was written and may have to be said again.
//!
//! *Ordered*: everything, in the order in which it was said, and nothing is left out. *Latest*: messages that only
//! say how things are now; of each call the newest one waits, and goes when nothing ordered does.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    mem,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{future::poll_immediate, stream::SplitSink};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    line::{Gone, Line, Next, Queued, Written},
    session::Connection,
};

/// What a message costs besides its bytes.
const OVERHEAD: usize = 64;

/// The half of a connection on which is written.
type Sink = SplitSink<Connection, Message>;

/// Where the calls of a socket write. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queues: Mutex<Queues>,
    line: Mutex<Line<Sink>>,
    /// For the socket's task: something is to be written that was not at once.
    wake: Notify,
    /// Free bytes of the lanes. First come, first served, so that no call starves another.
    ordered_room: Arc<Semaphore>,
    latest_room: Arc<Semaphore>,
    capacity: u32,
}

#[derive(Debug, Default)]
struct Queues {
    ordered: VecDeque<Queued>,
    /// The newest of each call.
    latest: HashMap<u64, Queued>,
    replay: Option<Replay>,
    finished: bool,
}

/// The last messages of a session, until the client has acknowledged them.
#[derive(Debug)]
struct Replay {
    /// Messages that were taken to be written, since the session began.
    taken: u64,
    kept: VecDeque<Message>,
    bytes: usize,
    capacity: usize,
}

/// The client takes nothing for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooSlow;

impl Outbox {
    /// An outbox whose two lanes have room for so many bytes each.
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = u32::try_from(capacity.max(1)).unwrap_or(u32::MAX);
        let room = || Arc::new(Semaphore::new(capacity as usize));
        Self(Arc::new(Inner {
            queues: Mutex::default(),
            line: Mutex::default(),
            wake: Notify::new(),
            ordered_room: room(),
            latest_room: room(),
            capacity,
        }))
    }

    /// From now on messages are kept until they are acknowledged, at most so many bytes of them.
    pub(super) fn keep(&self, capacity: usize) {
        let replay = Replay { taken: 0, kept: VecDeque::new(), bytes: 0, capacity };
        self.queues().replay = Some(replay);
    }

    /// Queues a message of `call`, once there is room. One that is larger than the whole lane has it to itself.
    /// It is written when the call, which may have more to say at once, calls [`write`](Self::write). It keeps `turn` until
    /// then.
    pub(super) async fn queue(
        &self,
        call: u64,
        message: Message,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Gone> {
        let place = Some(self.place(&self.0.ordered_room, &message).await?);
        self.push(call, Queued { message, place, turn, numbered: true });
        Ok(())
    }

    /// As [`queue`](Self::queue), in place of the message of `call` that waits, if one does.
    pub(super) async fn queue_latest(&self, call: u64, message: Message) -> Result<(), Gone> {
        // Its place is free at once.
        drop(self.queues().latest.remove(&call));
        let place = Some(self.place(&self.0.latest_room, &message).await?);
        self.queues().latest.insert(call, Queued { message, place, turn: None, numbered: true });
        Ok(())
    }

    /// Has what is queued be written: now, if nobody writes just then and the connection takes it.
    pub(super) fn write(&self) {
        let is_written =
            self.0.line.try_lock().is_ok_and(|mut line| line.write_now(|batch| self.queues().take(batch)));
        if !is_written {
            self.0.wake.notify_one();
        }
    }

    /// From now on messages go there.
    pub(super) fn connect(&self, sink: Sink) {
        self.line().connect(sink);
    }

    /// From now on messages wait. What was taken and not written is left out.
    pub(super) fn disconnect(&self) -> Option<Sink> {
        self.line().disconnect()
    }

    /// Writes what was not written at once, until there is no more or the client is gone. Only one may wait here.
    ///
    /// # Errors
    /// The client took no message for all of `patience`.
    pub(super) async fn write_on(&self, patience: Duration) -> Result<(), TooSlow> {
        loop {
            let mut work = pin!(poll_fn(|context| {
                self.line().poll_write(context, |batch| self.queues().take(batch))
            }));
            // No timer is set for what is done at once.
            let mut done = poll_immediate(work.as_mut()).await;
            while done.is_none() {
                let before = self.line().written();
                done = timeout(patience, work.as_mut()).await.ok();
                if done.is_none() && self.line().written() == before {
                    return Err(TooSlow);
                }
            }
            match done {
                Some(Ok(Written::ForNow)) => self.0.wake.notified().await,
                _ => return Ok(()),
            }
        }
    }

    async fn place(&self, room: &Arc<Semaphore>, message: &Message) -> Result<OwnedSemaphorePermit, Gone> {
        let size = u32::try_from(message.len().saturating_add(OVERHEAD)).unwrap_or(u32::MAX);
        let size = size.min(self.0.capacity);
        match Arc::clone(room).try_acquire_many_owned(size) {
            Ok(place) => Ok(place),
            Err(TryAcquireError::Closed) => Err(Gone),
            Err(TryAcquireError::NoPermits) => {
                // There is room when what is queued is written.
                self.write();
                Arc::clone(room).acquire_many_owned(size).await.map_err(|_| Gone)
            }
        }
    }

    /// Queues the last word of a call, and has it written.
    pub(super) async fn send(&self, call: u64, message: Message) -> Result<(), Gone> {
        self.queue(call, message, None).await?;
        self.write();
        Ok(())
    }

    /// As [`send`](Self::send), without waiting for room: there are no more last words than calls.
    pub(super) fn send_last(&self, call: u64, message: Message) {
        self.push(call, Queued { message, place: None, turn: None, numbered: true });
        self.write();
    }

    fn push(&self, call: u64, queued: Queued) {
        let mut queues = self.queues();
        // What a call says stays in the order in which it says it.
        if let Some(before) = queues.latest.remove(&call) {
            queues.ordered.push_back(before);
        }
        queues.ordered.push_back(queued);
    }

    /// Queues a ping, without waiting: there is at most one each interval.
    pub(super) fn ping(&self) {
        self.push_own(Message::Ping(Bytes::new()));
    }

    /// Queues a message of the socket itself, which the client does not acknowledge.
    pub(super) fn push_own(&self, message: Message) {
        self.queues().ordered.push_back(Queued::own(message));
        self.write();
    }

    /// Leaves out what waits to be said how things are in a call that is over.
    pub(super) fn forget(&self, call: u64) {
        drop(self.queues().latest.remove(&call));
    }

    /// The client has the first `number` messages.
    ///
    /// # Errors
    /// It cannot: so many were not sent.
    pub(super) fn acknowledged(&self, number: u64) -> Result<(), &'static str> {
        match &mut self.queues().replay {
            None => Err("ack is for sessions"),
            Some(replay) if number > replay.taken => Err("so many messages were not sent"),
            Some(replay) => {
                replay.forget(number);
                Ok(())
            }
        }
    }

    /// Whether a client which has the first `number` messages can go on: what came after them is kept.
    pub(super) fn can_resume(&self, number: u64) -> bool {
        let queues = self.queues();
        queues
            .replay
            .as_ref()
            .is_some_and(|replay| number <= replay.taken && number >= replay.taken - replay.kept.len() as u64)
    }

    /// Says again all that came after the first `number` messages, after `welcome`.
    pub(super) fn resume(&self, number: u64, welcome: Message) {
        let mut queues = self.queues();
        let Queues { ordered, replay: Some(replay), .. } = &mut *queues else { return };
        replay.forget(number);
        // Pings and acknowledgements were for the connection that is gone.
        ordered.retain(|queued| queued.numbered);
        for message in mem::take(&mut replay.kept).into_iter().rev() {
            ordered.push_front(Queued { message, place: None, turn: None, numbered: true });
        }
        ordered.push_front(Queued::own(welcome));
        (replay.taken, replay.bytes) = (number, 0);
        drop(queues);
        self.write();
    }

    /// Nothing more will be queued: [`take`](Self::take) ends when everything is taken.
    pub(super) fn finish(&self) {
        self.queues().finished = true;
        self.0.ordered_room.close();
        self.0.latest_room.close();
        self.write();
    }

    fn line(&self) -> MutexGuard<'_, Line<Sink>> {
        // Nothing panics while it is held.
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // Nothing panics while it is held.
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// What is to be written next, put into the empty `batch`: all that is ordered, or the newest of one call.
    fn take(&mut self, batch: &mut VecDeque<Queued>) -> Next {
        if !self.ordered.is_empty() {
            mem::swap(&mut self.ordered, batch);
        } else if let Some(call) = self.latest.keys().next().copied() {
            batch.extend(self.latest.remove(&call));
        } else {
            return if self.finished { Next::End } else { Next::Nothing };
        }
        if let Some(replay) = &mut self.replay {
            batch.iter().filter(|queued| queued.numbered).for_each(|queued| replay.keep(&queued.message));
        }
        Next::Batch
    }
}

impl Replay {
    fn keep(&mut self, message: &Message) {
        self.taken += 1;
        self.bytes += message.len() + OVERHEAD;
        self.kept.push_back(message.clone());
        // A client that acknowledges too little can go on living, but not come back.
        while self.bytes > self.capacity && self.drop_first() {}
    }

    fn forget(&mut self, number: u64) {
        while self.taken - (self.kept.len() as u64) < number && self.drop_first() {}
    }

    fn drop_first(&mut self) -> bool {
        let first = self.kept.pop_front();
        self.bytes -= first.as_ref().map_or(0, |message| message.len() + OVERHEAD);
        first.is_some()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn text(text: &str) -> Message {
        Message::text(text.to_owned())
    }

    fn taken(outbox: &Outbox) -> Vec<String> {
        let mut all = Vec::new();
        let mut batch = VecDeque::new();
        while let Next::Batch = outbox.queues().take(&mut batch) {
            all.extend(batch.drain(..).map(|queued| queued.message.to_text().expect("text").to_owned()));
        }
        all
    }

    fn say(outbox: &Outbox, call: u64, words: &str) {
        outbox.queue(call, text(words), None).now_or_never().expect("there is room").expect("it lives");
    }

    fn show(outbox: &Outbox, call: u64, words: &str) {
        outbox.queue_latest(call, text(words)).now_or_never().expect("there is room").expect("it lives");
    }

    #[test]
    fn the_latest_wins_and_what_is_ordered_goes_first() {
        let outbox = Outbox::new(1_000);
        for frame in 0..100 {
            show(&outbox, 1, &format!("frame {frame}"));
        }
        say(&outbox, 2, "a");
        say(&outbox, 2, "b");
        assert_eq!(taken(&outbox), ["a", "b", "frame 99"]);
    }

    #[test]
    fn what_one_call_says_stays_in_order() {
        let outbox = Outbox::new(1_000);
        show(&outbox, 1, "old frame");
        say(&outbox, 1, "other nodes");
        show(&outbox, 1, "frame 1");
        show(&outbox, 1, "frame 2");
        outbox.send_last(1, text("the end"));
        show(&outbox, 3, "of a call that is given up");
        outbox.forget(3);
        assert_eq!(taken(&outbox), ["old frame", "other nodes", "frame 2", "the end"]);
    }

    #[tokio::test]
    async fn a_turn_is_free_when_its_message_is_written() {
        let outbox = Outbox::new(1_000);
        let turns = Arc::new(Semaphore::new(1));
        let turn = Arc::clone(&turns).acquire_owned().await.expect("nobody closes it");
        outbox.queue(1, text("step"), Some(turn)).await.expect("it lives");
        assert_eq!(turns.available_permits(), 0, "what comes next would have to wait here and grow old");
        assert_eq!(taken(&outbox), ["step"]);
        assert_eq!(turns.available_permits(), 1);
        // A call that is given up holds up nobody either.
        let turn = Arc::clone(&turns).acquire_owned().await.expect("nobody closes it");
        outbox.queue(1, text("step"), Some(turn)).await.expect("it lives");
        drop(outbox);
        assert_eq!(turns.available_permits(), 1);
    }

    #[tokio::test]
    async fn each_lane_has_room_of_its_own() {
        let outbox = Outbox::new(100);
        say(&outbox, 1, "a");
        assert!(outbox.send(2, text("b")).now_or_never().is_none(), "no room");
        show(&outbox, 1, "c");
        show(&outbox, 1, "d");
        assert!(outbox.queue_latest(2, text("e")).now_or_never().is_none(), "no room");
        assert_eq!(taken(&outbox), ["a", "d"]);
        say(&outbox, 2, "b");
        outbox.finish();
        assert_eq!(outbox.send(3, text("x")).await, Err(Gone));
        assert_eq!(taken(&outbox), ["b"]);
        assert!(matches!(outbox.queues().take(&mut VecDeque::new()), Next::End), "there is no more");
    }

    #[test]
    fn what_was_not_acknowledged_is_said_again() {
        let outbox = Outbox::new(10_000);
        outbox.keep(10_000);
        for word in ["a", "b", "c", "d"] {
            say(&outbox, 1, word);
        }
        outbox.ping();
        assert_eq!(taken(&outbox), ["a", "b", "c", "d", ""]);
        outbox.acknowledged(1).expect("it was sent");
        assert!(outbox.acknowledged(5).is_err());
        assert!(outbox.can_resume(1) && outbox.can_resume(4));
        assert!(!outbox.can_resume(0) && !outbox.can_resume(5));
        outbox.ping();
        show(&outbox, 1, "frame");
        say(&outbox, 2, "e");
        outbox.resume(2, text("welcome"));
        assert_eq!(taken(&outbox), ["welcome", "c", "d", "e", "frame"]);
        assert!(outbox.can_resume(2) && outbox.can_resume(6) && !outbox.can_resume(7));
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let outbox = Outbox::new(10_000);
        outbox.keep(3 * (OVERHEAD + 1));
        for word in ["a", "b", "c", "d"] {
            say(&outbox, 1, word);
        }
        taken(&outbox);
        assert!(!outbox.can_resume(0), "a is gone");
        assert!(outbox.can_resume(1));
        say(&outbox, 1, &"x".repeat(1_000));
        taken(&outbox);
        assert!(!outbox.can_resume(4) && outbox.can_resume(5), "it is larger than all that is kept");
    }
}
