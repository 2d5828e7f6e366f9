//! Where a service is: the addresses that each of its names had when it was last looked up.

use std::{collections::BTreeSet, io, net::SocketAddr};

use futures::future::join_all;

use super::dial::Target;

/// What was found of each name.
#[derive(Clone, Debug)]
pub(super) struct Found(Vec<(Target, Vec<SocketAddr>)>);

impl Found {
    /// Nothing yet.
    pub(super) fn new(targets: &[Target]) -> Self {
        Self(targets.iter().map(|target| (target.clone(), Vec::new())).collect())
    }

    /// Looks all of them up, at the same time: each address once, in order. A name that is not found now keeps what it
    /// had: those who answer for it have most likely gone nowhere.
    pub(super) async fn look_up<F: Future<Output = io::Result<Vec<SocketAddr>>>>(
        &mut self,
        look_up: impl Fn(Target) -> F,
    ) -> Vec<Option<SocketAddr>> {
        let found = join_all(self.0.iter().map(|(target, _)| look_up(target.clone()))).await;
        for ((target, addresses), found) in self.0.iter_mut().zip(found) {
            match found {
                Ok(found) if found.is_empty() => {}
                Ok(found) => *addresses = found,
                Err(error) => tracing::debug!(host = target.0, %error, "its address is not found"),
            }
        }
        let all: BTreeSet<_> = self.0.iter().flat_map(|(_, addresses)| addresses).copied().collect();
        all.into_iter().map(Some).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashMap, future::ready};

    use super::*;

    #[tokio::test]
    async fn names_are_all_of_their_addresses_and_keep_them_while_they_are_not_found() {
        let address = |last: u8| SocketAddr::from(([10, 0, 0, last], 1));
        let names = RefCell::new(HashMap::from([("a", vec![1, 2]), ("b", vec![2, 3])]));
        let look_up = |(host, _): Target| {
            let known = names.borrow().get(host.as_str()).cloned();
            let known = known.map(|known| known.into_iter().map(address).collect());
            ready(known.ok_or_else(|| io::Error::other("unknown")))
        };
        let some = |last: &[u8]| last.iter().map(|last| Some(address(*last))).collect::<Vec<_>>();
        let mut found = Found::new(&[("a".to_owned(), 1), ("b".to_owned(), 1), ("c".to_owned(), 1)]);
        assert_eq!(found.look_up(look_up).await, some(&[1, 2, 3]));
        // One moves, one is not found for a while, one has nothing for a while, one appears.
        names.borrow_mut().insert("a", vec![4]);
        names.borrow_mut().remove("b");
        assert_eq!(found.look_up(look_up).await, some(&[2, 3, 4]));
        names.borrow_mut().insert("a", vec![]);
        names.borrow_mut().insert("c", vec![9]);
        assert_eq!(found.look_up(look_up).await, some(&[2, 3, 4, 9]));
    }
}
