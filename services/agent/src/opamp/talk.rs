//! What a conversation with a collector remembers: which message was the last, what it was offered, and what it runs with
//! while that is not written down.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::effective::Effective;
use crate::domain::record::Record;

/// Answers in which a collector is asked for everything, one after the other.
const ASKED: u32 = 3;
/// One that does not give it is asked no more often from then on: it answers at once, and so would never rest.
const ASKED_AGAIN: Duration = Duration::from_secs(30);
/// How often at most it is written down what a collector runs with.
const WRITTEN_AGAIN: Duration = Duration::from_secs(10);

/// What a collector is to be told of when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// SHA-256 of what it is offered; empty where that is nothing.
    pub(crate) offered: Vec<u8>,
    /// The restart that was asked for; empty where none is.
    pub(crate) restart: String,
}

impl Wanted {
    pub(crate) fn of(record: &Record) -> Self {
        Self { offered: record.offered.clone(), restart: record.restart.clone() }
    }
}

/// A conversation. It goes on over the connections of a session.
#[derive(Debug)]
pub(crate) struct Talk {
    inner: Mutex<Memory>,
    wanted: watch::Sender<Wanted>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Number of the newest message.
    last: Option<u64>,
    /// When it was asked for everything last, and how often, and has not given it.
    asked: Option<(Instant, u32)>,
    /// SHA-256 of the configuration that it was sent.
    sent: Vec<u8>,
    /// When it was written down last what it runs with.
    written: Option<Instant>,
    /// What it runs with, where that waits to be written down.
    waiting: Option<Effective>,
}

impl Talk {
    /// A conversation after which comes this one; none where the collector was not connected here before.
    pub(crate) fn after(before: Option<&Self>) -> Self {
        let mut memory = Memory::default();
        if let Some(before) = before {
            let before = before.lock();
            // What waits to be written down does so no more with that session, and what was asked for has not come:
            // everything is to be said again.
            let is_whole = before.waiting.is_none() && before.asked.is_none();
            memory.last = before.last.filter(|_| is_whole);
            memory.written = before.written;
        }
        Self { inner: Mutex::new(memory), wanted: watch::Sender::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.inner.lock().expect("nobody panics with it")
    }

    /// Notes the number of a message that was taken. Whether the collector must be asked for everything, because messages
    /// before it are missing: `is_full` says that this one leaves nothing out.
    pub(crate) fn note(&self, sequence: u64, is_full: bool) -> bool {
        let mut memory = self.lock();
        if memory.last == Some(sequence) {
            // It was sent twice, because the answer was lost: what was in that may be, too.
            memory.sent.clear();
        }
        let is_next = match memory.last {
            None => is_full,
            Some(last) => sequence == last || sequence == last.wrapping_add(1),
        };
        memory.last = Some(sequence);
        if is_full || (is_next && memory.asked.is_none()) {
            memory.asked = None;
            return false;
        }
        let now = Instant::now();
        let (is_due, times) = match memory.asked {
            None => (true, 0),
            Some((at, times)) => (times < ASKED || now.duration_since(at) >= ASKED_AGAIN, times),
        };
        if is_due {
            memory.asked = Some((now, times.saturating_add(1)));
        }
        is_due
    }

    /// Whether it was sent this configuration.
    pub(crate) fn has_sent(&self, hash: &[u8]) -> bool {
        self.lock().sent == hash
    }

    /// It is sent this configuration.
    pub(crate) fn sends(&self, hash: &[u8]) {
        self.lock().sent = hash.to_vec();
    }

    /// What is to be written down now of what it runs with. Where that was done a moment ago it waits, and takes the place
    /// of what waited before; whoever is told when must come back then.
    pub(crate) fn write(&self, effective: Effective) -> Result<Effective, Option<Instant>> {
        let mut memory = self.lock();
        let now = Instant::now();
        let due = memory.written.map(|written| written + WRITTEN_AGAIN).filter(|due| *due > now);
        match due {
            None => {
                memory.written = Some(now);
                memory.waiting = None;
                Ok(effective)
            }
            Some(due) => {
                let is_first = memory.waiting.replace(effective).is_none();
                Err(is_first.then_some(due))
            }
        }
    }

    /// It runs with what is written down: nothing that waits is true any more.
    pub(crate) fn is_written(&self) {
        self.lock().waiting = None;
    }

    /// What has waited to be written down.
    pub(crate) fn waited(&self) -> Option<Effective> {
        let mut memory = self.lock();
        memory.written = Some(Instant::now());
        memory.waiting.take()
    }

    /// It comes by another connection: what was on its way on the one before may be lost.
    pub(crate) fn forget_sent(&self) {
        self.lock().sent.clear();
    }

    /// What it is to be told of.
    pub(crate) fn want(&self, wanted: Wanted) {
        self.wanted.send_if_modified(|there| {
            let is_new = *there != wanted;
            *there = wanted;
            is_new
        });
    }

    /// Learns when it is to be told of something.
    pub(crate) fn wanted(&self) -> watch::Receiver<Wanted> {
        self.wanted.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_asked_about_until_everything_comes() {
        let talk = Talk::after(None);
        assert!(!talk.note(5, true), "it begins with everything");
        assert!(!talk.note(6, false));
        assert!(!talk.note(6, false), "sent twice");
        assert!(talk.note(8, false), "7 is missing");
        assert!(talk.note(9, false), "a message in order is no answer to that");
        assert!(talk.note(9, false), "nor is one that comes twice");
        assert!(!talk.note(10, false), "who does not give it is not asked without end");
        tokio::time::advance(ASKED_AGAIN).await;
        assert!(talk.note(11, false), "but now and then");
        assert!(!talk.note(40, true), "it has");
        assert!(!talk.note(41, false));
        assert!(talk.note(39, false), "back is no order either");
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_comes_too_often_the_last_is_written() {
        let talk = Talk::after(None);
        let told = |text: &str| Effective::of_content(text.as_bytes().to_vec());
        assert_eq!(talk.write(told("a")), Ok(told("a")));
        let due = talk.write(told("b")).expect_err("it was written just now").expect("it is to come back");
        assert_eq!(due - Instant::now(), WRITTEN_AGAIN);
        assert_eq!(talk.write(told("c")), Err(None), "somebody comes back already");
        tokio::time::advance(WRITTEN_AGAIN).await;
        assert_eq!((talk.waited(), talk.waited()), (Some(told("c")), None));
        talk.write(told("d")).expect_err("it was written just now");
        talk.is_written();
        assert_eq!(talk.waited(), None, "it went back to what is written");
    }

    #[tokio::test(start_paused = true)]
    async fn who_begins_in_the_middle_is_asked_and_who_comes_back_is_not() {
        let talk = Talk::after(None);
        assert!(talk.note(17, false));
        assert!(Talk::after(Some(&talk)).note(18, false), "it has not said everything");
        assert!(!talk.note(18, true));
        let back = Talk::after(Some(&talk));
        assert!(!back.note(19, false));
        assert!(!Talk::after(Some(&back)).note(u64::MAX, true));
    }

    #[tokio::test]
    async fn what_is_wanted_is_told_once() {
        let talk = Talk::after(None);
        let mut told = talk.wanted();
        let wanted = Wanted { offered: vec![1], ..Wanted::default() };
        talk.want(wanted.clone());
        assert!(told.has_changed().expect("it is there"));
        assert_eq!(*told.borrow_and_update(), wanted);
        talk.want(wanted);
        assert!(!told.has_changed().expect("it is there"));
        assert!(!talk.has_sent(&[1]));
        talk.sends(&[1]);
        assert!(talk.has_sent(&[1]) && !talk.has_sent(&[2]));
        talk.forget_sent();
        assert!(!talk.has_sent(&[1]), "another connection");
        talk.sends(&[1]);
        talk.note(7, true);
        assert!(talk.has_sent(&[1]));
        talk.note(7, true);
        assert!(!talk.has_sent(&[1]), "the answer did not arrive");
    }
}
