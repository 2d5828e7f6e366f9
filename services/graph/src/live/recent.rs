//! What were the newest revisions, word for word? So that a watcher that keeps up never reads the
//! journal from disk.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

/// Bytes of revisions that one graph keeps at most; the newest is kept only if it is smaller.
const MAX_BYTES: usize = 1 << 20;

/// One revision as the journal has it.
#[derive(Clone, Debug)]
pub(crate) struct RevisionParts {
    /// Its number.
    pub(crate) revision: i64,
    /// Its encoded parts.
    pub(crate) parts: Arc<[Bytes]>,
}

/// The newest revisions, without a gap.
#[derive(Debug, Default)]
pub(super) struct Recent {
    revisions: VecDeque<RevisionParts>,
    bytes: usize,
}

impl Recent {
    /// Adds the next revision.
    pub(super) fn push(&mut self, revision: RevisionParts) {
        if self.revisions.back().is_some_and(|last| last.revision + 1 != revision.revision) {
            self.revisions.clear();
            self.bytes = 0;
        }
        self.bytes += size(&revision);
        self.revisions.push_back(revision);
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.revisions.pop_front() else { break };
            self.bytes -= size(&oldest);
        }
    }

    /// The revisions after one, if all of them up to the newest are here.
    pub(super) fn after(&self, revision: i64) -> Option<Vec<RevisionParts>> {
        let first = self.revisions.front()?.revision;
        if first > revision + 1 {
            return None;
        }
        Some(self.revisions.iter().skip((revision + 1 - first) as usize).cloned().collect())
    }

    /// Heap bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn size(revision: &RevisionParts) -> usize {
    revision.parts.iter().map(Bytes::len).sum::<usize>() + size_of::<RevisionParts>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: i64, bytes: usize) -> RevisionParts {
        RevisionParts { revision: number, parts: Arc::from([Bytes::from(vec![0; bytes])]) }
    }

    fn numbers(recent: &Recent, after: i64) -> Option<Vec<i64>> {
        recent.after(after).map(|revisions| revisions.iter().map(|revision| revision.revision).collect())
    }

    #[test]
    fn gives_all_after_a_revision_or_nothing() {
        let mut recent = Recent::default();
        assert_eq!(numbers(&recent, 0), None);
        (5..=9).for_each(|number| recent.push(revision(number, 10)));
        assert_eq!(numbers(&recent, 3), None);
        assert_eq!(numbers(&recent, 4), Some(vec![5, 6, 7, 8, 9]));
        assert_eq!(numbers(&recent, 8), Some(vec![9]));
        assert_eq!(numbers(&recent, 9), Some(vec![]));
        assert_eq!(numbers(&recent, 12), Some(vec![]));
    }

    #[test]
    fn is_bounded_and_never_has_a_gap() {
        let mut recent = Recent::default();
        (1..=100).for_each(|number| recent.push(revision(number, 64 << 10)));
        assert!(recent.bytes() <= MAX_BYTES);
        assert_eq!(numbers(&recent, 98), Some(vec![99, 100]));
        recent.push(revision(101, 2 * MAX_BYTES));
        assert_eq!((numbers(&recent, 100), recent.bytes()), (None, 0));
        recent.push(revision(102, 1));
        recent.push(revision(104, 1));
        assert_eq!((numbers(&recent, 102), numbers(&recent, 103)), (None, Some(vec![104])));
    }
}
