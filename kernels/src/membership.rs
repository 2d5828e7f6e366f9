//! Which external id lives in which slot.
//!
//! Slots are dense and in the order of the ids, so a column over slots (positions, velocities)
//! is at the same time a column over the caller's ordinals: it can go into a frame as it is.

use crate::Error;

/// Refuses a node list that is not strictly ascending.
pub(crate) fn check_order(ids: &[u32]) -> Result<(), Error> {
    match ids.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(before) => Err(Error::NodeOrder { index: before + 1 }),
        None => Ok(()),
    }
}

/// For every id of `new`, the slot it had in `old`. Both lists are strictly ascending.
pub(crate) fn former_slots(old: &[u32], new: &[u32]) -> Vec<Option<usize>> {
    let mut at = 0;
    new.iter()
        .map(|id| {
            while at < old.len() && old[at] < *id {
                at += 1;
            }
            (at < old.len() && old[at] == *id).then_some(at)
        })
        .collect()
}

/// Finds the slots of many ids in one strictly ascending list.
pub(crate) struct Lookup<'a> {
    ids: &'a [u32],
    /// Slot of every id from 0, where the ids are dense enough for a table to pay; else empty.
    table: Vec<u32>,
}

/// Marks an id in a lookup table that is not in the list.
const ABSENT: u32 = u32::MAX;

impl<'a> Lookup<'a> {
    pub(crate) fn new(ids: &'a [u32]) -> Self {
        let span = ids.last().map_or(0, |last| *last as usize + 1);
        let mut table = Vec::new();
        if span <= ids.len().saturating_mul(4) {
            table.resize(span, ABSENT);
            for (slot, id) in ids.iter().enumerate() {
                table[*id as usize] = slot as u32;
            }
        }
        Self { ids, table }
    }

    /// Number of slots.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Slot of `id`.
    pub(crate) fn slot(&self, id: u32) -> Option<u32> {
        if self.table.is_empty() {
            return self.ids.binary_search(&id).ok().map(|slot| slot as u32);
        }
        let slot = *self.table.get(id as usize)?;
        (slot != ABSENT).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn former_slots_follow_the_id() {
        assert_eq!(former_slots(&[1, 4, 6], &[0, 4, 5, 6, 9]), [None, Some(1), None, Some(2), None]);
        assert_eq!(former_slots(&[], &[2]), [None]);
        assert!(former_slots(&[2], &[]).is_empty());
    }

    #[test]
    fn dense_and_sparse_ids_are_found_alike() {
        for ids in [[0, 2, 3], [5, 900_000, u32::MAX]] {
            let lookup = Lookup::new(&ids);
            for (slot, id) in ids.iter().enumerate() {
                assert_eq!(lookup.slot(*id), Some(slot as u32));
            }
            assert_eq!(lookup.slot(1), None);
            assert_eq!(lookup.slot(77), None);
        }
    }

    #[test]
    fn order_is_checked() {
        assert_eq!(check_order(&[]), Ok(()));
        assert_eq!(check_order(&[1, 2, 2]), Err(Error::NodeOrder { index: 2 }));
    }
}
