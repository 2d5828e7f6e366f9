//! How much of each label there is around a node.

use std::ops::AddAssign;

/// Labels that are looked through one by one; more are found through a table.
const FEW: usize = 16;
/// Slots of the table for each label there can be: half of them stay empty at least.
const SLOTS_PER_LABEL: usize = 2;

/// Sums by label. Takes memory for the labels around one node, not for all there are, so that it stays in the
/// nearest cache.
#[derive(Debug, Default)]
pub(crate) struct Tally<T> {
    /// Labels in the order in which they were met, and their sums.
    met: Vec<(u32, T)>,
    /// For each slot, one more than the place in `met`; 0 where it is empty. Of no length where labels are few.
    table: Vec<u32>,
    /// Bits of a hash that are not used.
    shift: u32,
}

impl<T: Copy + AddAssign> Tally<T> {
    /// Forgets everything; at most `most` labels come now.
    pub(crate) fn begin(&mut self, most: usize) {
        self.met.clear();
        self.table.clear();
        if most > FEW {
            let slots = (most * SLOTS_PER_LABEL).next_power_of_two();
            self.table.resize(slots, 0);
            self.shift = u64::BITS - slots.trailing_zeros();
        }
    }

    /// Adds to a label's sum.
    pub(crate) fn add(&mut self, label: u32, amount: T) {
        if self.table.is_empty() {
            match self.met.iter_mut().find(|met| met.0 == label) {
                Some(met) => met.1 += amount,
                None => self.met.push((label, amount)),
            }
            return;
        }
        let at = self.slot(label);
        match self.table[at] {
            0 => {
                self.met.push((label, amount));
                self.table[at] = self.met.len() as u32;
            }
            place => self.met[place as usize - 1].1 += amount,
        }
    }

    /// Labels in the order in which they were met, and their sums.
    pub(crate) fn met(&self) -> &[(u32, T)] {
        &self.met
    }

    /// The same, to be put into another order: nothing may be added any more.
    pub(crate) fn met_mut(&mut self) -> &mut [(u32, T)] {
        &mut self.met
    }

    /// The sum of a label, if it was met.
    pub(crate) fn sum(&self, label: u32) -> Option<T> {
        if self.table.is_empty() {
            return self.met.iter().find(|met| met.0 == label).map(|met| met.1);
        }
        match self.table[self.slot(label)] {
            0 => None,
            place => Some(self.met[place as usize - 1].1),
        }
    }

    /// Where a label is in the table, or where it would be.
    fn slot(&self, label: u32) -> usize {
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): the upper bits of a product.
        let mut at = (u64::from(label).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize;
        loop {
            match self.table[at] {
                0 => return at,
                place if self.met[place as usize - 1].0 == label => return at,
                _ => at = (at + 1) & (self.table.len() - 1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_labels_are_summed_in_the_order_in_which_they_are_met() {
        for most in [7, 9_000] {
            let mut tally = Tally::default();
            // What was there before is forgotten.
            tally.begin(1);
            tally.add(3, 100_u32);
            tally.begin(most);
            for round in 0..4 {
                (0..most as u32).for_each(|label| tally.add(label * 64 % 9_973, round));
            }
            assert_eq!(tally.met()[..3], [(0, tally.met()[0].1), (64, 6), (128, 6)]);
            let sums: u32 = tally.met().iter().map(|met| met.1).sum();
            assert_eq!(sums, most as u32 * 6);
            assert_eq!((tally.sum(128), tally.sum(10_000)), (Some(6), None));
        }
    }
}
