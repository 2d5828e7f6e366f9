//! Filters: what is surely not in a block, in about ten bits for each thing that is (Bloom, 1970; the positions of a
//! thing are made of two halves of one hash, Kirsch and Mitzenmacher, 2006).

use std::collections::HashSet;

/// Positions of one thing.
const POSITIONS: u64 = 7;
/// Bits for each thing: with seven positions, one in about 120 that are not there is taken for one that is.
const BITS: usize = 10;

/// What a hash is of, so that a word and an operation of the same letters are two things.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    Word = 1,
    Attribute = 2,
    Operation = 3,
    Trace = 4,
}

/// The hash of a thing, which is the same for ever: it is on disk. FNV-1a, and the last step of MurmurHash3, after
/// which all bits depend on all letters.
pub(crate) fn hash(of: Of, parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    add(of as u8);
    for part in parts {
        part.iter().copied().for_each(&mut add);
        // No text of UTF-8 has it.
        add(0xff);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A filter of things by their hashes, of no more than `most` bytes.
pub(crate) fn build(things: &HashSet<u64>, most: usize) -> Vec<u8> {
    let mut filter = vec![0; (things.len() * BITS).div_ceil(8).clamp(8, most)];
    for thing in things {
        for (byte, bit) in positions(filter.len(), *thing) {
            filter[byte] |= bit;
        }
    }
    filter
}

/// Whether a thing may be there. What is no filter may have everything.
pub(crate) fn may_have(filter: &[u8], thing: u64) -> bool {
    filter.is_empty() || positions(filter.len(), thing).all(|(byte, bit)| filter[byte] & bit != 0)
}

fn positions(bytes: usize, thing: u64) -> impl Iterator<Item = (usize, u8)> {
    let bits = bytes as u64 * 8;
    let (first, step) = (thing >> 32, (thing & 0xffff_ffff) | 1);
    (0..POSITIONS).map(move |count| {
        let bit = (first + count * step) % bits;
        ((bit / 8) as usize, 1 << (bit % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_little_else() {
        let thing = |number: u32| hash(Of::Word, &[&number.to_le_bytes()]);
        let things: HashSet<u64> = (0..10_000).map(thing).collect();
        let filter = build(&things, usize::MAX);
        assert_eq!(filter.len(), 12_500);
        assert!(things.iter().all(|thing| may_have(&filter, *thing)));
        let wrong = (10_000..20_000).filter(|number| may_have(&filter, thing(*number))).count();
        assert!(wrong < 200, "{wrong}");
        assert_eq!(build(&things, 100).len(), 100);
        assert!(!may_have(&build(&HashSet::new(), 100), thing(1)));
        assert!(may_have(&[], thing(1)));
    }

    #[test]
    fn hashes_are_the_same_for_ever() {
        assert_ne!(hash(Of::Word, &[b"ab"]), hash(Of::Operation, &[b"ab"]));
        assert_ne!(hash(Of::Attribute, &[b"a", b"b"]), hash(Of::Attribute, &[b"ab", b""]));
    }
}
