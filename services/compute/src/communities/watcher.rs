//! One stream of communities. It is pulled: what is told next is made when the client has room for it, from what is
//! newest then. One that reads slowly is told fewer and larger changes.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use weft_proto::weft::compute::v1::watch_communities_response::Event;

use super::{News, State, telling::Telling};
use crate::Error;

/// When a client is told something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    /// Least time between two tellings of changes.
    pub(super) interval: Duration,
    /// After this long without anything else there is a sign of life.
    pub(super) silence: Duration,
}

/// Who watches.
pub(crate) struct Watcher {
    /// Resource name of the graph.
    graph: String,
    news: watch::Receiver<News>,
    rhythm: Rhythm,
    /// The graph's revision when the client came: it is told nothing that is older.
    at_least: i64,
    draining: CancellationToken,
    /// What the client knows.
    known: Option<Arc<State>>,
    telling: Option<Telling>,
    /// When it may be told of changes again.
    due: Instant,
    /// When it must be told something.
    alive: Instant,
    /// Its place among those who watch.
    _seat: Box<dyn Send>,
}

impl Watcher {
    pub(super) fn new(
        graph: String,
        news: watch::Receiver<News>,
        rhythm: Rhythm,
        at_least: i64,
        draining: CancellationToken,
        seat: Box<dyn Send>,
    ) -> Self {
        let now = Instant::now();
        Self {
            graph,
            news,
            rhythm,
            at_least,
            draining,
            known: None,
            telling: None,
            due: now,
            alive: now + rhythm.silence,
            _seat: seat,
        }
    }

    /// The stream, which an error ends.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Event, Error>> + Send {
        stream::unfold(Some(self), |watcher| async move {
            let mut watcher = watcher?;
            match watcher.next().await {
                Ok(event) => Some((Ok(event), Some(watcher))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if self.draining.is_cancelled() {
                return Err(Error::Draining);
            }
            if let Some(telling) = &mut self.telling {
                let (event, last) = telling.piece();
                if last {
                    self.known = Some(Arc::clone(telling.state()));
                    self.telling = None;
                }
                self.alive = Instant::now() + self.rhythm.silence;
                return Ok(event);
            }
            let mut waits = false;
            let news = self.news.borrow_and_update().clone();
            match news {
                News::Over(end) => return Err(end.error(&self.graph)),
                News::Known(state) if !self.knows(&state) && self.at_least <= state.revision => {
                    if self.due <= Instant::now() {
                        self.due = Instant::now() + self.rhythm.interval;
                        self.telling = Some(Telling::new(self.known.clone(), state));
                        continue;
                    }
                    waits = true;
                }
                News::Known(_) | News::Nothing => {}
            }
            tokio::select! {
                changed = self.news.changed() => changed.map_err(|_| Error::Draining)?,
                () = tokio::time::sleep_until(self.due), if waits => {}
                () = tokio::time::sleep_until(self.alive) => {
                    self.alive = Instant::now() + self.rhythm.silence;
                    return Ok(Event::ToldRevision(self.known.as_ref().map_or(0, |known| known.revision)));
                }
                () = self.draining.cancelled() => {}
            }
        }
    }

    fn knows(&self, state: &Arc<State>) -> bool {
        self.known.as_ref().is_some_and(|known| Arc::ptr_eq(known, state))
    }
}

#[cfg(test)]
mod tests {
    use weft_kernels::analytics::{CommunityParams, LiveCommunities, Network, Unobserved};

    use super::*;
    use crate::communities::End;

    fn state(nodes: u32, revision: i64) -> News {
        let ids: Vec<u32> = (0..nodes).collect();
        let network = Network::new(&ids, &[]).expect("it is well made");
        let live = LiveCommunities::begin(&network, &CommunityParams::default(), &Unobserved);
        News::Known(Arc::new(State { revision, live: Arc::new(live.expect("nobody ends it")) }))
    }

    fn watcher(news: &watch::Sender<News>, interval: Duration) -> (Watcher, CancellationToken) {
        let rhythm = Rhythm { interval, silence: Duration::from_millis(10) };
        let draining = CancellationToken::new();
        let watcher = Watcher::new("g".into(), news.subscribe(), rhythm, 1, draining.clone(), Box::new(()));
        (watcher, draining)
    }

    /// How many nodes are told, and at which revision.
    fn told(event: Event) -> (usize, i64) {
        let revision = |summary: Option<weft_proto::weft::compute::v1::CommunitySummary>| {
            summary.expect("a summary").graph_revision
        };
        match event {
            Event::Partition(told) => (told.ordinals.len(), revision(told.summary)),
            Event::Changes(told) => (told.ordinals.len(), revision(told.summary)),
            Event::ToldRevision(told) => (0, told),
        }
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_the_newest_and_not_a_queue() {
        let news = watch::Sender::new(state(2, 1));
        let (mut watcher, _) = watcher(&news, Duration::ZERO);
        assert_eq!(told(watcher.next().await.unwrap()), (2, 1));
        for revision in 2..50 {
            news.send_replace(state(revision as u32 + 1, revision));
        }
        assert_eq!(told(watcher.next().await.unwrap()), (48, 49));
    }

    #[tokio::test]
    async fn changes_wait_for_the_interval_and_silence_is_broken() {
        let news = watch::Sender::new(News::Nothing);
        let interval = Duration::from_millis(100);
        let (mut watcher, draining) = watcher(&news, interval);
        assert_eq!(told(watcher.next().await.unwrap()), (0, 0));
        news.send_replace(state(2, 1));
        let began = Instant::now();
        assert_eq!(told(watcher.next().await.unwrap()), (2, 1));
        news.send_replace(state(3, 2));
        loop {
            match told(watcher.next().await.unwrap()) {
                (0, 1) => {}
                changes => {
                    assert_eq!(changes, (1, 2));
                    break;
                }
            }
        }
        assert!(began.elapsed() >= interval);
        draining.cancel();
        assert!(matches!(watcher.next().await, Err(Error::Draining)));
    }

    #[tokio::test]
    async fn who_comes_is_told_nothing_older_than_the_graph_was_then() {
        let news = watch::Sender::new(state(2, 0));
        let (mut watcher, _) = watcher(&news, Duration::ZERO);
        assert_eq!(told(watcher.next().await.unwrap()), (0, 0), "a sign of life");
        news.send_replace(state(3, 1));
        assert_eq!(told(watcher.next().await.unwrap()), (3, 1));
    }

    #[tokio::test]
    async fn the_end_says_why() {
        for (end, reason) in [
            (End::GraphGone, "GRAPH_NOT_FOUND"),
            (End::TooLarge { limit: 1, what: "nodes" }, "GRAPH_TOO_LARGE"),
            (End::TooMuchMemory { needed: 2, limit: 1 }, "ANALYSIS_TOO_LARGE"),
            (End::Broken, "INTERNAL"),
        ] {
            let news = watch::Sender::new(News::Over(end));
            let (mut watcher, _) = watcher(&news, Duration::ZERO);
            assert_eq!(watcher.next().await.unwrap_err().reason(), reason);
        }
    }
}
