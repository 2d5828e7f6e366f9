//! Which nodes a viewer sees who wants no more than so many: those with the most neighbours.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex},
};

/// Budgets whose nodes are remembered, each for as long as the graph stays the same.
const REMEMBERED: usize = 8;

/// The nodes of a layout by how many neighbours they have.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    /// Neighbours of each node, in the order of the columns; empty where nothing is known of them.
    degrees: Vec<u32>,
    /// By budget, the first so many of all nodes.
    first: Mutex<Vec<(usize, Arc<[u32]>)>>,
}

impl Ranking {
    pub(super) fn new(degrees: Vec<u32>) -> Self {
        Self { degrees, first: Mutex::default() }
    }

    /// Whether it says anything of so many nodes.
    pub(super) fn knows(&self, nodes: usize) -> bool {
        self.degrees.len() == nodes
    }

    /// The first `most` of all, ascending.
    pub(super) fn of_all(&self, most: usize) -> Arc<[u32]> {
        let mut first = self.first.lock().expect("nobody panics with the lock");
        if let Some((_, nodes)) = first.iter().find(|(budget, _)| *budget == most) {
            return Arc::clone(nodes);
        }
        let nodes: Arc<[u32]> = self.of((0..self.degrees.len() as u32).collect(), most).into();
        if first.len() == REMEMBERED {
            first.remove(0);
        }
        first.push((most, Arc::clone(&nodes)));
        nodes
    }

    /// The first `most` of some, ascending as they are.
    pub(super) fn of(&self, mut some: Vec<u32>, most: usize) -> Vec<u32> {
        if some.len() > most {
            if most > 0 {
                some.select_nth_unstable_by_key(most - 1, |node| self.rank(*node));
            }
            some.truncate(most);
            some.sort_unstable();
        }
        some
    }

    /// Smaller for those who come first; different for all.
    fn rank(&self, node: u32) -> (Reverse<u32>, u32) {
        (Reverse(self.degrees.get(node as usize).copied().unwrap_or(0)), node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_the_most_neighbours_come_first() {
        let ranking = Ranking::new(vec![1, 5, 2, 5, 0, 3]);
        assert_eq!(*ranking.of_all(3), [1, 3, 5]);
        assert_eq!(*ranking.of_all(1), [1], "the first of equals");
        assert_eq!(*ranking.of_all(100), [0, 1, 2, 3, 4, 5]);
        assert_eq!(ranking.of(vec![0, 2, 3, 4], 2), [2, 3]);
        assert_eq!(ranking.of(vec![0, 4], 2), [0, 4]);
        // Many budgets: each gets its own.
        for most in (0..=6).chain(0..=6) {
            assert_eq!(ranking.of_all(most).len(), most);
        }
        for most in 10..30 {
            assert_eq!(ranking.of_all(most).len(), 6);
        }
        assert_eq!(*ranking.of_all(3), [1, 3, 5]);
    }
}
