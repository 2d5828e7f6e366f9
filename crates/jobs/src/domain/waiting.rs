//! Who is next for something that is full: the fairest project, and in it the most urgent, oldest lane.

use std::collections::BTreeSet;

use hashbrown::HashMap;

/// What a lane waits with: its class, and its first job of that class.
pub(super) type Rank<J> = (usize, J);

/// Lanes that wait for one worker or one limit.
#[derive(Debug)]
pub(super) struct Waiting<J> {
    /// Projects by the share that they had used when they were last looked at, which is never more than what they
    /// have used now.
    order: BTreeSet<(u64, u32)>,
    lanes: HashMap<u32, Line<J>>,
}

#[derive(Debug)]
struct Line<J> {
    share: u64,
    lanes: BTreeSet<(Rank<J>, u32)>,
}

impl<J> Default for Waiting<J> {
    fn default() -> Self {
        Self { order: BTreeSet::new(), lanes: HashMap::new() }
    }
}

impl<J: Copy + Ord> Waiting<J> {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn insert(&mut self, project: u32, share: u64, rank: Rank<J>, lane: u32) {
        let line = self.lanes.entry(project).or_insert_with(|| {
            self.order.insert((share, project));
            Line { share, lanes: BTreeSet::new() }
        });
        line.lanes.insert((rank, lane));
    }

    pub(super) fn remove(&mut self, project: u32, rank: Rank<J>, lane: u32) {
        let Some(line) = self.lanes.get_mut(&project) else { return };
        line.lanes.remove(&(rank, lane));
        if line.lanes.is_empty() {
            self.order.remove(&(line.share, project));
            self.lanes.remove(&project);
        }
    }

    /// The lane that is next. `share` says what a project has used by now.
    pub(super) fn first(&mut self, share: impl Fn(u32) -> u64) -> Option<u32> {
        loop {
            let &(noted, project) = self.order.first()?;
            let line = self.lanes.get_mut(&project)?;
            let now = share(project);
            if now <= noted {
                return line.lanes.first().map(|(_, lane)| *lane);
            }
            self.order.pop_first();
            line.share = now;
            self.order.insert((now, project));
        }
    }

    /// All lanes.
    pub(super) fn all(&self) -> Vec<u32> {
        self.lanes.values().flat_map(|line| line.lanes.iter().map(|(_, lane)| *lane)).collect()
    }
}
