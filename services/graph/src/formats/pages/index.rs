//! Which page a link means.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Target;

/// How many parts of a path the end of it may have that means a page.
const MAX_ENDS: usize = 8;

/// All pages by what links may call them. Case does not matter, except that a name in the same case
/// wins.
#[derive(Default)]
pub(super) struct Index {
    keys: Vec<String>,
    exact: HashMap<String, u32>,
    lower: HashMap<String, u32>,
    /// The best page for each end of a key.
    ends: HashMap<String, u32>,
    aliases: HashMap<String, u32>,
    blocks: HashMap<String, u32>,
}

impl Index {
    /// Adds a page.
    pub(super) fn add(&mut self, key: &str, aliases: Vec<String>, blocks: Vec<String>) {
        let at = self.keys.len() as u32;
        let lower = key.to_lowercase();
        self.keys.push(key.to_owned());
        self.exact.insert(key.to_owned(), at);
        for (begin, _) in lower.rmatch_indices('/').take(MAX_ENDS) {
            let end = lower[begin + 1..].to_owned();
            match self.ends.entry(end) {
                Entry::Occupied(mut best) => {
                    let known = &self.keys[*best.get() as usize];
                    if (key.len(), key) < (known.len(), known.as_str()) {
                        best.insert(at);
                    }
                }
                Entry::Vacant(free) => {
                    free.insert(at);
                }
            }
        }
        self.lower.entry(lower).or_insert(at);
        for alias in aliases {
            self.aliases.entry(alias.to_lowercase()).or_insert(at);
        }
        for block in blocks {
            self.blocks.entry(block).or_insert(at);
        }
    }

    /// The key of the page that a link in the page `from` means.
    pub(super) fn resolve(&self, target: &Target, from: &str) -> Option<&str> {
        let at = match target {
            Target::Block(id) => self.blocks.get(id).copied(),
            Target::Path(path) => self.whole(path),
            Target::Name(name) => self.name(name, from),
        };
        at.map(|at| self.keys[at as usize].as_str())
    }

    fn whole(&self, key: &str) -> Option<u32> {
        self.exact.get(key).or_else(|| self.lower.get(&key.to_lowercase())).copied()
    }

    /// The whole key, or relative to the page's folder, or the end of a key, or an alias. Of several
    /// ends the shortest key wins, and of equally long ones the first in the alphabet.
    fn name(&self, name: &str, from: &str) -> Option<u32> {
        if name.starts_with("./") || name.starts_with("../") {
            return self.whole(&join(folder(from), name)?);
        }
        let name = name.strip_prefix('/').unwrap_or(name);
        let lower = name.to_lowercase();
        self.whole(name)
            .or_else(|| self.whole(&join(folder(from), name)?))
            .or_else(|| self.ends.get(&lower).copied())
            .or_else(|| self.aliases.get(&lower).copied())
    }
}

/// The folder that a page is in; empty at the top.
pub(super) fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Follows a relative path from a folder; `None` if it leaves the imported folder.
pub(super) fn join(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let mut index = Index::default();
        index.add("Home", vec!["start".to_owned()], vec!["id-1".to_owned()]);
        index.add("deep/down/Page", Vec::new(), Vec::new());
        index.add("b/Page", Vec::new(), Vec::new());
        index.add("a/Page", Vec::new(), Vec::new());
        index.add("a/Other", Vec::new(), Vec::new());
        index.add("home", Vec::new(), Vec::new());
        index
    }

    #[test]
    fn names_are_resolved_from_exact_to_vague() {
        let index = index();
        let name = |name: &str, from: &str| index.resolve(&Target::Name(name.to_owned()), from);
        assert_eq!(name("home", "x"), Some("home"), "the same case wins");
        assert_eq!(name("HOME", "x"), Some("Home"));
        assert_eq!(name("Page", "x"), Some("a/Page"), "the shortest, then the first");
        assert_eq!(name("page", "b/x"), Some("b/Page"), "the same folder");
        assert_eq!(name("down/Page", "x"), Some("deep/down/Page"), "the end of a path");
        assert_eq!(name("../b/Page", "a/x"), Some("b/Page"));
        assert_eq!(name("START", "x"), Some("Home"), "an alias");
        assert_eq!(name("../../Home", "a/x"), None, "out of the folder");
        assert_eq!(name("nobody", "x"), None);
        assert_eq!(index.resolve(&Target::Block("id-1".to_owned()), "x"), Some("Home"));
    }
}
