//! Exports that are sent again: whoever got no answer sends them once more, and they are to be there once.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest as _, Sha256};

use super::Kind;

/// An export is known for so long, in milliseconds.
pub(crate) const KNOWN: i64 = 600_000;
/// Exports that are known at most.
const MOST: usize = 100_000;

/// What an export is known by.
pub(crate) type Digest = [u8; 16];

/// The digest of a part of an export.
pub(crate) fn digest(kind: Kind, project: &str, content: &[u8]) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update([kind.stored().number() as u8]);
    hash.update((project.len() as u64).to_le_bytes());
    hash.update(project);
    hash.update(content);
    hash
}

/// The digest of one of the parts.
pub(crate) fn of_part(export: &Sha256, part: usize) -> Digest {
    let mut hash = export.clone();
    hash.update((part as u64).to_le_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash.finalize()[..16]);
    digest
}

/// The exports of the last ten minutes.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// When they came, in milliseconds.
    known: HashMap<Digest, i64>,
    order: VecDeque<(Digest, i64)>,
}

impl Repeats {
    /// Whether it was there a short time ago.
    pub(crate) fn knows(&self, digest: &Digest, now: i64) -> bool {
        self.known.get(digest).is_some_and(|since| now - since < KNOWN)
    }

    /// Remembers one.
    pub(crate) fn remember(&mut self, digest: Digest, time: i64) {
        self.known.insert(digest, time);
        self.order.push_back((digest, time));
        while self.order.len() > MOST || self.order.front().is_some_and(|(_, since)| time - since >= KNOWN) {
            let Some((digest, since)) = self.order.pop_front() else { break };
            // It may have come again since, after its time was over.
            if self.known.get(&digest) == Some(&since) {
                self.known.remove(&digest);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_known_for_a_time() {
        let export = digest(Kind::Logs, "p", b"content");
        let (one, other) = (of_part(&export, 0), of_part(&export, 1));
        assert_ne!(one, other);
        assert_ne!(one, of_part(&digest(Kind::Spans, "p", b"content"), 0));
        let mut repeats = Repeats::default();
        repeats.remember(one, 0);
        assert!(repeats.knows(&one, KNOWN - 1) && !repeats.knows(&one, KNOWN) && !repeats.knows(&other, 0));
        repeats.remember(one, KNOWN + 5);
        repeats.remember(other, KNOWN + 6);
        assert!(repeats.knows(&one, KNOWN + 7));
        for time in 0..MOST as i64 {
            repeats.remember(of_part(&export, time as usize + 2), KNOWN + 7);
        }
        assert!(!repeats.knows(&one, KNOWN + 7) && repeats.known.len() <= MOST);
    }
}
