//! In which order services start: each after those that it depends on; and stop: the other way round.

use std::collections::{BTreeMap, BTreeSet};

/// What depends on what, by name.
pub(super) type Needs = BTreeMap<String, Vec<String>>;

/// All of them, each after those that it needs. What is not there is not waited for.
///
/// # Errors
/// Those that need each other in a circle.
pub(super) fn order(needs: &Needs) -> Result<Vec<String>, Vec<String>> {
    let (mut order, mut done) = (Vec::new(), BTreeSet::new());
    while order.len() < needs.len() {
        let is_free = |name: &&String| {
            !done.contains(*name)
                && needs[*name].iter().all(|needed| done.contains(needed) || !needs.contains_key(needed))
        };
        let free: Vec<String> = needs.keys().filter(is_free).cloned().collect();
        if free.is_empty() {
            return Err(needs.keys().filter(|name| !done.contains(*name)).cloned().collect());
        }
        done.extend(free.iter().cloned());
        order.extend(free);
    }
    Ok(order)
}

/// A service and all that it needs, in the order in which they start.
pub(super) fn with_needed(needs: &Needs, name: &str) -> Vec<String> {
    let wanted = reach(name, |name| needs.get(name).cloned().unwrap_or_default());
    sorted(needs, &wanted)
}

/// A service and all that need it, in the order in which they stop.
pub(super) fn with_dependents(needs: &Needs, name: &str) -> Vec<String> {
    let dependents = |name: &str| {
        let is_one = |(_, needed): &(&String, &Vec<String>)| needed.iter().any(|needed| needed == name);
        needs.iter().filter(is_one).map(|(name, _)| name.clone()).collect()
    };
    let mut all = sorted(needs, &reach(name, dependents));
    all.reverse();
    all
}

fn reach(from: &str, next: impl Fn(&str) -> Vec<String>) -> BTreeSet<String> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(name) = left.pop() {
        if seen.insert(name.clone()) {
            left.extend(next(&name));
        }
    }
    seen
}

fn sorted(needs: &Needs, wanted: &BTreeSet<String>) -> Vec<String> {
    let all = order(needs).unwrap_or_else(|_| needs.keys().cloned().collect());
    all.into_iter().filter(|name| wanted.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(all: &[(&str, &[&str])]) -> Needs {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        all.iter().map(|(name, needed)| ((*name).to_owned(), texts(needed))).collect()
    }

    #[test]
    fn each_comes_after_what_it_needs() {
        let all = needs(&[("api", &["db", "cache"]), ("cache", &[]), ("db", &[]), ("web", &["api", "gone"])]);
        assert_eq!(order(&all), Ok(["cache", "db", "api", "web"].map(str::to_owned).to_vec()));
        assert_eq!(with_needed(&all, "api"), ["cache", "db", "api"]);
        assert_eq!(with_dependents(&all, "db"), ["web", "api", "db"]);
        assert_eq!(with_dependents(&all, "web"), ["web"]);
        let circle = needs(&[("a", &["b"]), ("b", &["a"]), ("c", &[])]);
        assert_eq!(order(&circle), Err(vec!["a".to_owned(), "b".to_owned()]));
    }
}
