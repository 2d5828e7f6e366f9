//! How are texts of very different length kept without a heap block each?

use super::grow::reserve;

/// Where a text lies in the arena's buffer. Length 0: nothing is there.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    length: u32,
}

/// Byte strings by slot, in one buffer. A shorter text overwrites the one before; a longer one
/// goes to the end, and the buffer is rewritten when more than half of it is dead.
#[derive(Clone, Default)]
pub(super) struct Arena {
    spans: Vec<Span>,
    data: Vec<u8>,
    dead: usize,
}

impl Arena {
    /// Rewriting a buffer smaller than this gains nothing.
    const WORTH_COMPACTING: usize = 4096;

    /// The text in a slot; empty if nothing was put there.
    pub(super) fn get(&self, slot: usize) -> &[u8] {
        let Some(span) = self.spans.get(slot) else { return &[] };
        &self.data[span.start as usize..(span.start + span.length) as usize]
    }

    /// Puts a text into a slot.
    pub(super) fn put(&mut self, slot: usize, text: &[u8]) {
        if slot >= self.spans.len() {
            let missing = slot + 1 - self.spans.len();
            reserve(&mut self.spans, missing);
            self.spans.resize(slot + 1, Span::default());
        }
        let old = self.spans[slot];
        if text.len() <= old.length as usize {
            let start = old.start as usize;
            self.data[start..start + text.len()].copy_from_slice(text);
            self.dead += old.length as usize - text.len();
            self.spans[slot].length = text.len() as u32;
        } else {
            self.dead += old.length as usize;
            reserve(&mut self.data, text.len());
            self.spans[slot] = Span { start: self.data.len() as u32, length: text.len() as u32 };
            self.data.extend_from_slice(text);
        }
        if self.dead > Self::WORTH_COMPACTING && self.dead > self.data.len() / 2 {
            self.compact();
        }
    }

    /// Heap bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.data.capacity()
    }

    fn compact(&mut self) {
        let mut data = Vec::with_capacity(self.data.len() - self.dead);
        for span in &mut self.spans {
            let start = data.len() as u32;
            data.extend_from_slice(&self.data[span.start as usize..(span.start + span.length) as usize]);
            span.start = start;
        }
        self.data = data;
        self.dead = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Arena;

    #[test]
    fn keeps_what_was_put_last_and_reclaims_the_rest() {
        let mut arena = Arena::default();
        for round in 0..200_usize {
            for slot in 0..16 {
                arena.put(slot, format!("{slot}-{}", "x".repeat((round * 7 + slot * 13) % 200)).as_bytes());
            }
        }
        for slot in 0..16 {
            let expected = format!("{slot}-{}", "x".repeat((199 * 7 + slot * 13) % 200));
            assert_eq!(arena.get(slot), expected.as_bytes());
        }
        assert_eq!(arena.get(99), b"");
        assert!(arena.memory_bytes() < 32 * 1024, "{} bytes for 16 short texts", arena.memory_bytes());
    }
}
