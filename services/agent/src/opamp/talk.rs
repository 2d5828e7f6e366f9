//! What a conversation with a collector remembers: which message was the last, how many may come, and what it was offered.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::domain::record::Record;

/// Messages that may come at once.
const AT_ONCE: f64 = 64.0;
/// And how many each second, in the long run.
const EACH_SECOND: f64 = 8.0;
/// A collector that does not count is asked for everything no more often.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

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

#[derive(Debug)]
struct Memory {
    /// Number of the newest message.
    last: Option<u64>,
    /// When it was asked for everything, and has not given it.
    asked: Option<Instant>,
    /// SHA-256 of the configuration that it was sent.
    sent: Vec<u8>,
    budget: Budget,
}

impl Talk {
    /// A conversation after which comes this one; none where the collector was not connected here before.
    pub(crate) fn after(before: Option<&Self>) -> Self {
        let last = before.and_then(|before| before.lock().last);
        let memory = Memory { last, asked: None, sent: Vec::new(), budget: Budget::new(Instant::now()) };
        Self { inner: Mutex::new(memory), wanted: watch::Sender::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.inner.lock().expect("nobody panics with it")
    }

    /// Whether one more message may come now.
    pub(crate) fn may_speak(&self) -> bool {
        self.lock().budget.take(Instant::now())
    }

    /// Notes a message's number. Whether the collector must be asked for everything, because messages before it are
    /// missing: `is_full` says that this one leaves nothing out.
    pub(crate) fn note(&self, sequence: u64, is_full: bool) -> bool {
        let mut memory = self.lock();
        let is_next = match memory.last {
            None => is_full,
            // The same again is a message that was sent twice.
            Some(last) => sequence == last || sequence == last.wrapping_add(1),
        };
        memory.last = Some(sequence);
        if is_next || is_full {
            memory.asked = None;
            return false;
        }
        let now = Instant::now();
        let is_due = memory.asked.is_none_or(|asked| now.duration_since(asked) >= ASKED_AGAIN);
        if is_due {
            memory.asked = Some(now);
        }
        is_due
    }

    /// Whether it has not been sent this configuration; from now on it has.
    pub(crate) fn sends(&self, hash: &[u8]) -> bool {
        let mut memory = self.lock();
        let is_new = memory.sent != hash;
        if is_new {
            memory.sent = hash.to_vec();
        }
        is_new
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

/// How many messages may come: a bucket that fills by and by.
#[derive(Debug)]
pub(crate) struct Budget {
    left: f64,
    at: Instant,
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: AT_ONCE, at: now }
    }

    /// Whether one more may come.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at);
        self.left = (self.left + since.as_secs_f64() * EACH_SECOND).min(AT_ONCE);
        self.at = now;
        let is_enough = self.left >= 1.0;
        if is_enough {
            self.left -= 1.0;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_asked_about_once_and_what_is_whole_never() {
        let talk = Talk::after(None);
        assert!(!talk.note(5, true), "it begins with everything");
        assert!(!talk.note(6, false));
        assert!(!talk.note(6, false), "sent twice");
        assert!(talk.note(8, false), "7 is missing");
        assert!(!talk.note(20, false), "it was asked, and has not answered");
        assert!(!talk.note(40, true), "it has");
        assert!(talk.note(39, false), "back is no order either");
        tokio::time::advance(ASKED_AGAIN).await;
        assert!(talk.note(12, false), "whoever does not count is asked now and then");
        assert!(!talk.note(13, false));
        assert!(talk.note(15, false), "a gap after a message in order is a new one");
    }

    #[tokio::test(start_paused = true)]
    async fn who_begins_in_the_middle_is_asked_and_who_comes_back_is_not() {
        let talk = Talk::after(None);
        assert!(talk.note(17, false));
        let back = Talk::after(Some(&talk));
        assert!(!back.note(18, false));
        assert!(!Talk::after(Some(&back)).note(u64::MAX, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_held_up_and_a_pause_makes_up_for_it() {
        let talk = Talk::after(None);
        assert_eq!((0..200).filter(|_| talk.may_speak()).count(), 64);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..200).filter(|_| talk.may_speak()).count(), 8);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!((0..200).filter(|_| talk.may_speak()).count(), 64);
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
        assert!(talk.sends(&[1]) && !talk.sends(&[1]) && talk.sends(&[2]));
        talk.forget_sent();
        assert!(talk.sends(&[2]));
    }
}
