//! Names that communities keep while they change.

use std::collections::{HashMap, HashSet};

/// A name for each community of a new partition.
///
/// `members` has for each node its former name, if it had one, and its new community, numbered from 0 to `count`. A
/// former name goes to the community with which it shares most nodes, the pair that shares most first; so whatever has
/// most of a former community's nodes, and consists of them for the most part, has its name. The others get names from
/// `next` on, the largest first, which moves on.
pub(super) fn keep(
    members: impl Iterator<Item = (Option<u32>, u32)>,
    count: usize,
    next: &mut u32,
) -> Vec<u32> {
    let mut sizes = vec![0_u32; count];
    let mut shared: HashMap<(u32, u32), u32> = HashMap::new();
    for (former, community) in members {
        sizes[community as usize] += 1;
        if let Some(former) = former {
            *shared.entry((former, community)).or_default() += 1;
        }
    }
    let mut pairs: Vec<((u32, u32), u32)> = shared.into_iter().collect();
    pairs.sort_unstable_by_key(|(pair, nodes)| (std::cmp::Reverse(*nodes), *pair));
    let mut names: Vec<Option<u32>> = vec![None; count];
    let mut taken: HashSet<u32> = HashSet::new();
    for ((former, community), _) in pairs {
        let name = &mut names[community as usize];
        if name.is_none() && taken.insert(former) {
            *name = Some(former);
        }
    }
    let mut nameless: Vec<usize> = (0..count).filter(|community| names[*community].is_none()).collect();
    nameless.sort_by_key(|community| std::cmp::Reverse(sizes[*community]));
    for community in nameless {
        // After four billion names they begin again, with those that nobody has.
        while !taken.insert(*next) {
            *next = next.wrapping_add(1);
        }
        names[community] = Some(*next);
        *next = next.wrapping_add(1);
    }
    names.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Communities of nodes, each with its former name.
    fn kept(communities: &[&[Option<u32>]], next: &mut u32) -> Vec<u32> {
        let members = communities
            .iter()
            .enumerate()
            .flat_map(|(community, formers)| formers.iter().map(move |former| (*former, community as u32)));
        keep(members, communities.len(), next)
    }

    #[test]
    fn the_largest_part_keeps_the_name_and_names_do_not_come_back() {
        let mut next = 0;
        assert_eq!(kept(&[&[None; 2], &[None; 3]], &mut next), [1, 0], "the largest is the first");
        assert_eq!(kept(&[&[Some(7); 2], &[Some(7), Some(7), Some(7), None]], &mut next), [2, 7]);
        assert_eq!(kept(&[&[Some(4), Some(4), Some(5)]], &mut next), [4], "two have become one");
        assert_eq!(kept(&[&[None]], &mut next), [3]);
        let mut last = u32::MAX;
        assert_eq!(kept(&[&[Some(0)], &[None, None], &[None]], &mut last), [0, u32::MAX, 1]);
    }
}
