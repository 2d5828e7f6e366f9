//! Telling many tasks how things are, some of them at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// So many are woken at once.
const GROUP: usize = 64;

/// Those who watch a value that is told to them in groups: after each group those who can run already do.
///
/// Ten thousand tasks that are woken at once stand before whoever makes the next change, which then takes as long as
/// telling all of the last one. Woken in groups they do not, and who comes late in one round hears of all that has changed
/// meanwhile at once, which is hardly more work than one change.
#[derive(Debug)]
pub struct Audience<T>(Mutex<Groups<T>>);

#[derive(Debug)]
struct Groups<T> {
    /// What new groups begin with.
    value: T,
    groups: Vec<watch::Sender<T>>,
}

impl<T: Clone + PartialEq> Audience<T> {
    /// Nobody watches yet.
    pub fn new(value: T) -> Self {
        Self(Mutex::new(Groups { value, groups: Vec::new() }))
    }

    /// Watches. What is seen first may be older than the value is: then a change follows. It is closed when the
    /// audience is dropped.
    pub fn join(&self) -> watch::Receiver<T> {
        let mut all = self.groups();
        if let Some(group) = all.groups.iter().find(|group| group.receiver_count() < GROUP) {
            return group.subscribe();
        }
        let group = watch::Sender::new(all.value.clone());
        let receiver = group.subscribe();
        all.groups.push(group);
        receiver
    }

    /// Tells all who watch how things are, which is asked anew for each group: who comes late in a round hears what the
    /// first will hear in the next one, and is not woken then. To be called again only when it is done: later values must
    /// not come before earlier ones.
    pub async fn tell(&self, now: impl Fn() -> T) {
        self.groups().value = now();
        let mut index = 0;
        while let Some(group) = self.group(index) {
            let value = now();
            let is_news = group.send_if_modified(|told| {
                let is_news = *told != value;
                *told = value;
                is_news
            });
            if is_news && group.receiver_count() > 0 {
                tokio::task::yield_now().await;
            }
            index += 1;
        }
        let groups = &mut self.groups().groups;
        while groups.pop_if(|group| group.receiver_count() == 0).is_some() {}
    }

    fn group(&self, index: usize) -> Option<watch::Sender<T>> {
        self.groups().groups.get(index).cloned()
    }

    fn groups(&self) -> MutexGuard<'_, Groups<T>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::task::{JoinSet, yield_now};

    use super::*;

    const ALL: usize = 10 * GROUP;

    #[tokio::test]
    async fn all_hear_and_others_run_meanwhile() {
        let (audience, heard) = (Arc::new(Audience::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut watchers = JoinSet::new();
        for _ in 0..ALL {
            let (mut value, heard) = (audience.join(), Arc::clone(&heard));
            watchers.spawn(async move {
                value.wait_for(|value| *value == 1).await.expect("it is told");
                heard.fetch_add(1, Ordering::SeqCst);
            });
        }
        // They have begun to wait.
        yield_now().await;
        let telling = Arc::clone(&audience);
        watchers.spawn(async move { telling.tell(|| 1).await });
        let mut seen = Vec::new();
        while heard.load(Ordering::SeqCst) < ALL {
            yield_now().await;
            seen.push(heard.load(Ordering::SeqCst));
        }
        seen.dedup();
        assert!(seen.len() > 5, "nobody else could run while they were told: {seen:?}");
        watchers.join_all().await;
    }

    #[tokio::test]
    async fn who_joins_late_hears_what_was_told() {
        let audience = Audience::new(0);
        audience.tell(|| 1).await;
        assert_eq!(*audience.join().borrow(), 1, "nobody was there to be told");
        let first = audience.join();
        audience.tell(|| 2).await;
        assert_eq!((*first.borrow(), *audience.join().borrow()), (2, 2));
    }

    #[tokio::test]
    async fn who_has_heard_is_not_told_again() {
        let (audience, asked) = (Audience::new(0), AtomicUsize::new(0));
        let all: Vec<_> = (0..2 * GROUP).map(|_| audience.join()).collect();
        // It goes on while the first group is told: the second one hears of that at once.
        audience.tell(|| if asked.fetch_add(1, Ordering::SeqCst) < 2 { 1 } else { 2 }).await;
        assert_eq!((*all[0].borrow(), *all[GROUP].borrow()), (1, 2));
        let mut second = all[GROUP].clone();
        second.mark_unchanged();
        audience.tell(|| 2).await;
        assert_eq!(*all[0].borrow(), 2);
        assert!(!second.has_changed().expect("it lives"), "it was told already");
    }

    #[tokio::test]
    async fn places_are_used_again_and_the_end_is_told() {
        let audience = Audience::new(0);
        let many: Vec<_> = (0..ALL).map(|_| audience.join()).collect();
        assert_eq!(audience.groups().groups.len(), ALL / GROUP);
        drop(many);
        let mut last = audience.join();
        audience.tell(|| 1).await;
        assert_eq!(audience.groups().groups.len(), 1);
        last.mark_unchanged();
        drop(audience);
        assert!(last.changed().await.is_err(), "nobody will tell anything any more");
    }
}
