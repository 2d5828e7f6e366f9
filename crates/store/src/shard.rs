//! Shards: parts of a service's work that have one process each.

use sha2::{Digest, Sha256};

/// The shard of a project, of so many. The same in every process and release: what is written of a project is in its shard.
#[must_use]
pub fn shard_of(project: &str, shards: i32) -> i32 {
    let hash = Sha256::digest(project);
    let (first, _) = hash.split_first_chunk::<8>().expect("it has 32 bytes");
    let shards = u64::try_from(shards).unwrap_or(1).max(1);
    i32::try_from(u64::from_be_bytes(*first) % shards).expect("it is below a number of shards")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_spread_and_stay_where_they_are() {
        assert_eq!((shard_of("default", 16), shard_of("orders", 16), shard_of("orders", 1)), (13, 4, 0));
        let mut counts = [0_u32; 16];
        for n in 0..16_000 {
            counts[shard_of(&format!("project-{n}"), 16) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
