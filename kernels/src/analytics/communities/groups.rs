//! Who is in which group.

use std::ops::Range;

/// The members of groups that have numbers.
pub(super) struct Groups {
    /// Where each group begins in `members`; one more at the end.
    starts: Vec<u32>,
    /// Ascending within each group.
    members: Vec<u32>,
}

impl Groups {
    /// For each member its group, a number below `count`.
    pub(super) fn new(groups: &[u32], count: usize) -> Self {
        let mut starts = vec![0_u32; count + 1];
        for group in groups {
            starts[*group as usize + 1] += 1;
        }
        for group in 0..count {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut members = vec![0_u32; groups.len()];
        for (member, group) in groups.iter().enumerate() {
            let at = &mut next[*group as usize];
            members[*at as usize] = member as u32;
            *at += 1;
        }
        Self { starts, members }
    }

    pub(super) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where a group is in [`members`](Self::members).
    pub(super) fn range(&self, group: usize) -> Range<usize> {
        self.starts[group] as usize..self.starts[group + 1] as usize
    }

    pub(super) fn of(&self, group: usize) -> &[u32] {
        &self.members[self.range(group)]
    }

    /// All members, group by group.
    pub(super) fn members(&self) -> &[u32] {
        &self.members
    }

    /// Ranges of groups that follow each other, each of so many members or a few more, for threads to take.
    pub(super) fn tasks(&self, members: usize) -> Vec<Range<usize>> {
        let mut tasks = Vec::new();
        let mut first = 0;
        for group in 0..self.count() {
            if (self.starts[group + 1] - self.starts[first]) as usize >= members {
                tasks.push(first..group + 1);
                first = group + 1;
            }
        }
        if first < self.count() {
            tasks.push(first..self.count());
        }
        tasks
    }
}
