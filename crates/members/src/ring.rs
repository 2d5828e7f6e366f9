//! Which of several processes something belongs to, if nobody has it yet: rendezvous hashing.
//!
//! Each pair of a key and a member has a weight, and the heaviest member wins (Thaler and Ravishankar: Using
//! Name-Based Mappings to Increase Hit Rates, 1998). A member that leaves gives up what it had, evenly, and nothing else moves; one
//! that joins takes its share of each.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The member that `key` belongs to. `None` where there is no member.
pub(crate) fn winner(key: &[u8], members: impl IntoIterator<Item = Uuid>) -> Option<Uuid> {
    members.into_iter().max_by_key(|member| (weight(key, *member), *member))
}

fn weight(key: &[u8], member: Uuid) -> u64 {
    let hash = Sha256::new().chain_update(member.as_bytes()).chain_update(key).finalize();
    let (first, _) = hash.split_first_chunk::<8>().expect("it has 32 bytes");
    u64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const KEYS: u128 = 3_000;

    fn members(count: u128) -> Vec<Uuid> {
        (1..=count).map(|n| Uuid::from_u128(n * 0x9e37_79b9_7f4a_7c15)).collect()
    }

    fn owners(members: &[Uuid]) -> Vec<Uuid> {
        let owner = |key: u128| winner(&key.to_be_bytes(), members.iter().copied());
        (0..KEYS).map(|key| owner(key).expect("there are members")).collect()
    }

    #[test]
    fn everybody_has_about_the_same() {
        for count in [2, 3, 7] {
            let mut shares: HashMap<Uuid, u128> = HashMap::new();
            for owner in owners(&members(count)) {
                *shares.entry(owner).or_default() += 1;
            }
            assert_eq!(shares.len() as u128, count);
            let even = KEYS / count;
            for share in shares.values() {
                assert!((even * 8 / 10..=even * 12 / 10).contains(share), "{share} of {even}");
            }
        }
        assert_eq!(winner(b"key", []), None);
    }

    proptest! {
        #[test]
        fn only_what_must_move_moves(count in 2_u128..8, leaver in 0_usize..8) {
            let all = members(count);
            let leaver = all[leaver % all.len()];
            let left: Vec<Uuid> = all.iter().copied().filter(|member| *member != leaver).collect();
            for (before, after) in owners(&all).into_iter().zip(owners(&left)) {
                prop_assert!(before == after || before == leaver);
                prop_assert!(after != leaver);
            }
        }

        #[test]
        fn the_order_of_the_members_does_not_matter(key: u64, turn in 0_usize..5) {
            let mut all = members(5);
            let one = winner(&key.to_be_bytes(), all.clone());
            all.rotate_left(turn);
            prop_assert_eq!(winner(&key.to_be_bytes(), all), one);
        }
    }
}
