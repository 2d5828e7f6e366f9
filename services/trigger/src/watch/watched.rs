//! Triggers that watch something, in the memory of the process that has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;
use weft_kit::span;
use weft_proto::weft::trigger::v1::{GraphChangeSource, Trigger, trigger::Source};
use weft_store::{StoreError, TriggerRow, shard_of};

use crate::domain::{
    kept::KeptTrigger,
    place::{Pace, Place},
};

/// How long changes of a graph are waited for where nothing is said.
const DEBOUNCE: Duration = Duration::from_secs(2);

/// A trigger that watches something.
pub(super) struct Watched {
    pub(super) uid: Uuid,
    pub(super) project: String,
    pub(super) trigger: Trigger,
    /// How far it has looked.
    pub(super) place: Place,
    /// How far it has, on disk: what was found before is kept.
    pub(super) saved: Place,
    pub(super) pace: Pace,
    /// The newest revision of its graph that was heard of.
    pub(super) heard: i64,
    /// When its graph is to be read.
    pub(super) due: Option<Instant>,
    /// Whether its graph is being read.
    pub(super) is_reading: bool,
}

impl Watched {
    /// Of a row; nothing where it watches nothing, or is paused.
    pub(super) fn of(row: &TriggerRow) -> Result<Option<Self>, StoreError> {
        let Some(place) = Place::read(row)? else { return Ok(None) };
        let trigger = KeptTrigger::read(row)?.trigger.unwrap_or_default();
        Ok((!trigger.paused).then(|| Self {
            uid: row.uid,
            project: row.project.clone(),
            trigger,
            saved: place.clone(),
            heard: place.number,
            place,
            pace: Pace::default(),
            due: None,
            is_reading: false,
        }))
    }

    /// The graph that it watches.
    pub(super) fn change(&self) -> Option<&GraphChangeSource> {
        match &self.trigger.source {
            Some(Source::GraphChange(change)) => Some(change),
            _ => None,
        }
    }

    /// The topic that it waits for messages of, `projects/{project}/topics/{topic}`: always of its own project.
    pub(super) fn topic(&self) -> Option<String> {
        match &self.trigger.source {
            Some(Source::Message(source)) => {
                Some(format!("projects/{}/topics/{}", self.project, source.topic))
            }
            _ => None,
        }
    }

    /// Hears that its graph has a revision: it is read once the time for more is over.
    pub(super) fn hear(&mut self, revision: i64) {
        self.heard = self.heard.max(revision);
        if self.heard > self.place.number && self.due.is_none() && !self.is_reading {
            let debounce = self.change().and_then(|change| change.debounce_duration.as_ref());
            let debounce = debounce.and_then(span::to_std).unwrap_or(DEBOUNCE);
            self.due = Some(Instant::now() + debounce);
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Book {
    all: BTreeMap<Uuid, Watched>,
    /// Those that wait for ends of runs.
    ends: BTreeSet<Uuid>,
    /// Those that wait for messages.
    messages: BTreeSet<Uuid>,
    /// Those that wait for changes, by graph.
    graphs: BTreeMap<String, BTreeSet<Uuid>>,
    /// Those that wait for alerts, by project.
    alerts: BTreeMap<String, BTreeSet<Uuid>>,
}

impl Book {
    pub(super) fn put(&mut self, watched: Watched) {
        self.remove(watched.uid);
        match &watched.trigger.source {
            Some(Source::ExecutionEnd(_)) => {
                self.ends.insert(watched.uid);
            }
            Some(Source::Message(_)) => {
                self.messages.insert(watched.uid);
            }
            Some(Source::GraphChange(change)) => {
                self.graphs.entry(change.graph.clone()).or_default().insert(watched.uid);
            }
            Some(Source::Alert(_)) => {
                self.alerts.entry(watched.project.clone()).or_default().insert(watched.uid);
            }
            _ => {}
        }
        self.all.insert(watched.uid, watched);
    }

    pub(super) fn remove(&mut self, uid: Uuid) {
        let Some(before) = self.all.remove(&uid) else { return };
        self.ends.remove(&uid);
        self.messages.remove(&uid);
        if let Some(of_project) = self.alerts.get_mut(&before.project) {
            of_project.remove(&uid);
            if of_project.is_empty() {
                self.alerts.remove(&before.project);
            }
        }
        if let Some(change) = before.change()
            && let Some(of_graph) = self.graphs.get_mut(&change.graph)
        {
            of_graph.remove(&uid);
            if of_graph.is_empty() {
                self.graphs.remove(&change.graph);
            }
        }
    }

    pub(super) fn get_mut(&mut self, uid: Uuid) -> Option<&mut Watched> {
        self.all.get_mut(&uid)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Watched> {
        self.all.values()
    }

    /// The graphs after one, by name: at most so many, from the beginning again after the last.
    pub(super) fn graphs_after(&self, after: &str, most: usize) -> Vec<String> {
        let rest = self.graphs.keys().filter(|name| name.as_str() > after);
        let round = rest.chain(self.graphs.keys().filter(|name| name.as_str() <= after));
        round.take(most).cloned().collect()
    }

    /// Tells those that watch a graph of a revision of it.
    pub(super) fn hear(&mut self, graph: &str, uid: &str, revision: i64) {
        let of_graph = self.graphs.get(graph).cloned().unwrap_or_default();
        for one in of_graph {
            let Some(watched) = self.all.get_mut(&one) else { continue };
            // Of another graph of that name all is new.
            let is_other = watched.place.uid != uid;
            watched.hear(if is_other { i64::MAX } else { revision });
        }
    }

    /// The projects of which somebody waits for alerts.
    pub(super) fn alert_projects(&self) -> impl Iterator<Item = &str> {
        self.alerts.keys().map(String::as_str)
    }

    /// Those that wait for alerts of a project.
    pub(super) fn of_alerts(&mut self, project: &str) -> impl Iterator<Item = &mut Watched> {
        let of_project = self.alerts.get(project).cloned().unwrap_or_default();
        self.all.values_mut().filter(move |watched| of_project.contains(&watched.uid))
    }

    /// Those that wait for ends of runs.
    pub(super) fn of_ends(&mut self) -> impl Iterator<Item = &mut Watched> {
        let ends = &self.ends;
        self.all.values_mut().filter(|watched| ends.contains(&watched.uid))
    }

    /// After which end of each shard is to be looked, and in which projects; nothing where nobody waits for one.
    pub(super) fn ends_from(&self, shards: i32) -> BTreeMap<i32, (i64, Vec<String>)> {
        by_shard(self.ends.iter().filter_map(|uid| self.all.get(uid)), shards)
    }

    /// Those that wait for messages.
    pub(super) fn of_messages(&mut self) -> impl Iterator<Item = &mut Watched> {
        let messages = &self.messages;
        self.all.values_mut().filter(|watched| messages.contains(&watched.uid))
    }

    /// After which message of each shard is to be looked, and in which projects; nothing where nobody waits for one.
    pub(super) fn messages_from(&self, shards: i32) -> BTreeMap<i32, (i64, Vec<String>)> {
        by_shard(self.messages.iter().filter_map(|uid| self.all.get(uid)), shards)
    }

    /// Graphs whose time has come, at most so many: who watches them, and from where on.
    pub(super) fn begin_due(&mut self, now: Instant, most: usize) -> Vec<(Uuid, GraphChangeSource, Place)> {
        let due = self.all.values_mut().filter(|watched| watched.due.is_some_and(|due| due <= now));
        let begun = due.take(most).filter_map(|watched| {
            (watched.due, watched.is_reading) = (None, true);
            Some((watched.uid, watched.change()?.clone(), watched.place.clone()))
        });
        begun.collect()
    }

    /// When the next graph is to be read.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.all.values().filter_map(|watched| watched.due).min()
    }
}

/// The first place of those of each shard, and their projects.
fn by_shard<'w>(all: impl Iterator<Item = &'w Watched>, shards: i32) -> BTreeMap<i32, (i64, Vec<String>)> {
    let mut found: BTreeMap<i32, (i64, BTreeSet<&str>)> = BTreeMap::new();
    for watched in all {
        let number = watched.place.number;
        let (from, projects) =
            found.entry(shard_of(&watched.project, shards)).or_insert((number, BTreeSet::new()));
        *from = number.min(*from);
        projects.insert(&watched.project);
    }
    let named = |projects: BTreeSet<&str>| {
        projects.into_iter().map(|project| format!("projects/{project}")).collect()
    };
    found.into_iter().map(|(shard, (from, projects))| (shard, (from, named(projects)))).collect()
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::trigger::v1::{ExecutionEndSource, MessageSource};

    use super::*;

    fn watched(n: u128, source: Source, number: i64) -> Watched {
        let place = Place { number, ..Place::default() };
        Watched {
            uid: Uuid::from_u128(n),
            project: format!("p{n}"),
            trigger: Trigger { source: Some(source), ..Trigger::default() },
            saved: place.clone(),
            heard: number,
            place,
            pace: Pace::default(),
            due: None,
            is_reading: false,
        }
    }

    fn of_graph(n: u128, graph: &str, number: i64) -> Watched {
        let change = GraphChangeSource { graph: graph.into(), ..GraphChangeSource::default() };
        watched(n, Source::GraphChange(change), number)
    }

    #[tokio::test(start_paused = true)]
    async fn changes_close_together_are_read_once() {
        let mut book = Book::default();
        book.put(of_graph(1, "g", 5));
        book.put(of_graph(2, "h", 5));
        book.hear("g", "", 5);
        assert_eq!(book.next_due(), None);
        book.hear("g", "", 6);
        let due = book.next_due().expect("it was changed");
        tokio::time::advance(DEBOUNCE / 2).await;
        book.hear("g", "", 7);
        assert_eq!(book.next_due(), Some(due));
        assert!(book.begin_due(Instant::now(), 9).is_empty());
        tokio::time::advance(DEBOUNCE).await;
        let begun = book.begin_due(Instant::now(), 9);
        assert_eq!(begun.iter().map(|(uid, ..)| uid.as_u128()).collect::<Vec<_>>(), [1]);
        // What comes while it is read is of the next time.
        book.hear("g", "", 8);
        assert_eq!(book.next_due(), None);
    }

    #[test]
    fn ends_are_read_for_all_from_the_first_place() {
        let mut book = Book::default();
        assert_eq!(book.ends_from(1), BTreeMap::new());
        let ends = |n, number| watched(n, Source::ExecutionEnd(ExecutionEndSource::default()), number);
        book.put(ends(1, 9));
        book.put(ends(2, 4));
        book.put(of_graph(3, "g", 1));
        let projects = vec!["projects/p1".to_owned(), "projects/p2".to_owned()];
        assert_eq!(book.ends_from(1), BTreeMap::from([(0, (4, projects))]));
        book.remove(Uuid::from_u128(2));
        assert_eq!(book.ends_from(1), BTreeMap::from([(0, (9, vec!["projects/p1".to_owned()]))]));
        assert_eq!(book.of_ends().count(), 1);
    }

    #[test]
    fn messages_are_read_for_all_from_the_first_place() {
        let mut book = Book::default();
        assert_eq!(book.messages_from(1), BTreeMap::new());
        let of = |n, topic: &str, number| {
            watched(n, Source::Message(MessageSource { topic: topic.into() }), number)
        };
        book.put(of(1, "b", 9));
        book.put(of(2, "a.b", 4));
        book.put(watched(3, Source::ExecutionEnd(ExecutionEndSource::default()), 1));
        let projects = vec!["projects/p1".to_owned(), "projects/p2".to_owned()];
        assert_eq!(book.messages_from(1), BTreeMap::from([(0, (4, projects))]));
        book.remove(Uuid::from_u128(2));
        assert_eq!(book.messages_from(1), BTreeMap::from([(0, (9, vec!["projects/p1".to_owned()]))]));
        assert_eq!((book.of_messages().count(), book.of_ends().count()), (1, 1));
    }

    #[test]
    fn graphs_are_looked_at_in_turn() {
        let mut book = Book::default();
        for (n, graph) in (1..).zip(["a", "b", "c"]) {
            book.put(of_graph(n, graph, 1));
        }
        assert_eq!(book.graphs_after("", 2), ["a", "b"]);
        assert_eq!(book.graphs_after("b", 2), ["c", "a"]);
        book.remove(Uuid::from_u128(1));
        assert_eq!(book.graphs_after("b", 9), ["c", "b"]);
    }
}
