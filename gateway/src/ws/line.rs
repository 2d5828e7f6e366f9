//! Where the messages of a socket go out. Whoever says something writes it himself, if nobody else does just then
//! and the connection takes it; for what it does not take the socket's own task waits.
//!
//! A message that is handed to another task to be written touches the memory of two tasks, most of it out of the
//! processor's caches where there are thousands of sockets: that took longer than the writing.

use std::{
    collections::VecDeque,
    fmt, mem,
    task::{Context, Poll, Waker, ready},
};

use futures::{Sink, SinkExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::Message;

/// Room for so many messages is kept for the next ones.
const MOST_KEPT: usize = 16;

/// A message, and its bytes' place in its lane, which is free once it is written.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: Message,
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// Its call says nothing more before it is written; free once it is.
    pub(super) turn: Option<OwnedSemaphorePermit>,
    /// Whether it counts among those that the client acknowledges.
    pub(super) numbered: bool,
}

impl Queued {
    /// One of the socket itself.
    pub(super) fn own(message: Message) -> Self {
        Self { message, place: None, turn: None, numbered: false }
    }
}

/// The socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// One end of a connection, and what was taken to be written to it.
pub(super) struct Line<S> {
    sink: Option<S>,
    batch: VecDeque<Queued>,
    is_flushed: bool,
    /// It did not take everything: the socket's task waits until it does, and is the one to go on.
    is_stuck: bool,
    is_broken: bool,
    written: u64,
}

/// What there is to write.
pub(super) enum Next {
    /// It is in the batch.
    Batch,
    /// Nothing, for now.
    Nothing,
    /// Nothing any more.
    End,
}

/// All that waited was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// There may be more.
    ForNow,
    /// There is no more.
    All,
}

impl<S> fmt::Debug for Line<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, is_stuck, is_broken, written, .. } = self;
        let mut line = formatter.debug_struct("Line");
        line.field("batch", batch).field("is_stuck", is_stuck);
        line.field("is_broken", is_broken).field("written", written).finish_non_exhaustive()
    }
}

impl<S> Default for Line<S> {
    fn default() -> Self {
        Self {
            sink: None,
            batch: VecDeque::new(),
            is_flushed: true,
            is_stuck: false,
            is_broken: false,
            written: 0,
        }
    }
}

impl<S: Sink<Message> + Unpin> Line<S> {
    /// From now on messages go there.
    pub(super) fn connect(&mut self, sink: S) {
        *self = Self { sink: Some(sink), written: self.written, ..Self::default() };
    }

    /// From now on messages wait. What was taken, and not written, is left out.
    pub(super) fn disconnect(&mut self) -> Option<S> {
        let Self { sink, .. } = mem::replace(self, Self { written: self.written, ..Self::default() });
        sink
    }

    /// How many messages were written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes what there is, as far as that is possible without waiting. False if the socket's task is to go on.
    pub(super) fn write_now(&mut self, next: impl FnMut(&mut VecDeque<Queued>) -> Next) -> bool {
        if self.sink.is_none() || self.is_stuck {
            return false;
        }
        // Only the socket's task waits, so nobody is to be woken.
        let written = self.poll_write(&mut Context::from_waker(Waker::noop()), next);
        written == Poll::Ready(Ok(Written::ForNow))
    }

    /// Writes what there is.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        next: impl FnMut(&mut VecDeque<Queued>) -> Next,
    ) -> Poll<Result<Written, Gone>> {
        let written = self.poll_all(context, next);
        self.is_stuck = written.is_pending();
        self.is_broken |= written == Poll::Ready(Err(Gone));
        written
    }

    fn poll_all(
        &mut self,
        context: &mut Context<'_>,
        mut next: impl FnMut(&mut VecDeque<Queued>) -> Next,
    ) -> Poll<Result<Written, Gone>> {
        if self.is_broken {
            return Poll::Ready(Err(Gone));
        }
        let Some(sink) = &mut self.sink else { return Poll::Ready(Ok(Written::ForNow)) };
        loop {
            while !self.batch.is_empty() {
                ready!(sink.poll_ready_unpin(context)).map_err(|_| Gone)?;
                let Some(Queued { message, place, turn, .. }) = self.batch.pop_front() else { break };
                sink.start_send_unpin(message).map_err(|_| Gone)?;
                drop((place, turn));
                self.written += 1;
                self.is_flushed = false;
            }
            // Messages that are ready together travel together.
            if !self.is_flushed {
                ready!(sink.poll_flush_unpin(context)).map_err(|_| Gone)?;
                self.is_flushed = true;
            }
            if self.batch.capacity() > MOST_KEPT {
                self.batch = VecDeque::new();
            }
            match next(&mut self.batch) {
                Next::Batch => {}
                Next::Nothing => return Poll::Ready(Ok(Written::ForNow)),
                Next::End => return Poll::Ready(Ok(Written::All)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use futures::channel::mpsc;

    use super::*;

    fn text(text: &str) -> Queued {
        Queued::own(Message::text(text.to_owned()))
    }

    /// Each call has one batch, then nothing.
    fn once(words: &'static [&'static str]) -> impl FnMut(&mut VecDeque<Queued>) -> Next {
        let mut words = Some(words);
        move |batch| match words.take() {
            Some(words) => {
                batch.extend(words.iter().map(|word| text(word)));
                Next::Batch
            }
            None => Next::Nothing,
        }
    }

    fn nothing(_: &mut VecDeque<Queued>) -> Next {
        Next::Nothing
    }

    fn heard(receiver: &mut mpsc::Receiver<Message>) -> Vec<String> {
        std::iter::from_fn(|| receiver.try_recv().ok()).map(|message| message.to_string()).collect()
    }

    struct Count(std::sync::atomic::AtomicUsize);

    impl Wake for Count {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[test]
    fn what_is_said_is_written_at_once() {
        let mut line = Line::default();
        assert!(!line.write_now(once(&["a"])), "nobody is there");
        let (sink, mut receiver) = mpsc::channel(8);
        line.connect(sink);
        assert!(line.write_now(once(&["b", "c"])));
        assert_eq!((heard(&mut receiver), line.written()), (vec!["b".to_owned(), "c".to_owned()], 2));
    }

    #[test]
    fn what_is_not_taken_waits_for_the_one_who_waits() {
        // One message and one for each sender.
        let (sink, mut receiver) = mpsc::channel(1);
        let mut line = Line::default();
        line.connect(sink);
        assert!(!line.write_now(once(&["a", "b", "c", "d"])));
        // Whoever says more now does not take the place of the one who waits.
        let count = std::sync::Arc::new(Count(0.into()));
        let waker = Waker::from(std::sync::Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        assert!(line.poll_write(&mut context, nothing).is_pending());
        assert!(!line.write_now(nothing));
        let mut all = heard(&mut receiver);
        assert!(count.0.load(std::sync::atomic::Ordering::SeqCst) > 0, "the one who waits is woken");
        while line.poll_write(&mut context, nothing).is_pending() {
            all.append(&mut heard(&mut receiver));
        }
        all.append(&mut heard(&mut receiver));
        assert_eq!(all, ["a", "b", "c", "d"]);
        assert!(line.write_now(nothing), "it is free again");
    }

    #[test]
    fn who_is_gone_stays_gone_until_there_is_another() {
        let (sink, receiver) = mpsc::channel(1);
        let mut line = Line::default();
        line.connect(sink);
        drop(receiver);
        assert!(!line.write_now(once(&["a"])));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(line.poll_write(&mut context, nothing), Poll::Ready(Err(Gone)));
        assert!(line.disconnect().is_some());
        let (sink, mut receiver) = mpsc::channel(1);
        line.connect(sink);
        assert!(line.write_now(once(&["b"])));
        assert_eq!(heard(&mut receiver), ["b"]);
    }
}
