//! How are type names and labels kept once, however many elements bear them?

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;

/// Names with small numbers that stand for them, and how many elements use each. A name that
/// nobody uses any more is dropped and its number given to another one, so that a client which
/// invents names without end cannot fill the memory.
#[derive(Clone)]
pub struct Names {
    entries: Vec<Entry>,
    table: HashTable<u32>,
    free: Vec<u32>,
    hasher: RandomState,
    text_bytes: usize,
}

#[derive(Clone)]
struct Entry {
    name: Arc<str>,
    uses: u32,
}

/// The number of the empty name, which is always there.
pub const NO_NAME: u32 = 0;

impl Default for Names {
    fn default() -> Self {
        let entries = vec![Entry { name: Arc::from(""), uses: 0 }];
        Self { entries, table: HashTable::new(), free: Vec::new(), hasher: RandomState::new(), text_bytes: 0 }
    }
}

impl Names {
    /// The number of a name; it gets one if it is new. One more element uses it.
    pub(super) fn acquire(&mut self, name: &str) -> u32 {
        let id = self.find(name).unwrap_or_else(|| self.insert(name));
        self.entries[id as usize].uses += 1;
        id
    }

    /// One element fewer uses the name.
    pub(super) fn release(&mut self, id: u32) {
        let entry = &mut self.entries[id as usize];
        entry.uses -= 1;
        if entry.uses > 0 || id == NO_NAME {
            return;
        }
        let name = std::mem::replace(&mut entry.name, Arc::from(""));
        let hash = self.hasher.hash_one(&*name);
        if let Ok(found) = self.table.find_entry(hash, |other| *other == id) {
            found.remove();
        }
        self.text_bytes -= name.len();
        self.free.push(id);
    }

    /// The number of a name that some element uses.
    pub fn find(&self, name: &str) -> Option<u32> {
        if name.is_empty() {
            return Some(NO_NAME);
        }
        let hash = self.hasher.hash_one(name);
        self.table.find(hash, |id| &*self.entries[*id as usize].name == name).copied()
    }

    /// The name behind a number that [`find`](Self::find) gave.
    pub fn name(&self, id: u32) -> &str {
        &self.entries[id as usize].name
    }

    /// One more than the largest number.
    pub fn bound(&self) -> usize {
        self.entries.len()
    }

    /// The names in use and how many elements use each.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().filter(|entry| entry.uses > 0).map(|entry| (&*entry.name, u64::from(entry.uses)))
    }

    /// Heap bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        // Two counters stand before the text of each shared string.
        self.entries.capacity() * size_of::<Entry>()
            + self.entries.len() * 2 * size_of::<usize>()
            + self.table.allocation_size()
            + self.free.capacity() * size_of::<u32>()
            + self.text_bytes
    }

    fn insert(&mut self, name: &str) -> u32 {
        let entry = Entry { name: Arc::from(name), uses: 0 };
        let id = if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            id
        } else {
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        };
        self.text_bytes += name.len();
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.table
            .insert_unique(hasher.hash_one(name), id, |id| hasher.hash_one(&*entries[*id as usize].name));
        id
    }
}

#[cfg(test)]
mod tests {
    use super::{NO_NAME, Names};

    #[test]
    fn a_name_lives_as_long_as_it_is_used() {
        let mut names = Names::default();
        let first = names.acquire("package");
        assert_eq!(names.acquire("package"), first);
        assert_eq!(names.name(first), "package");
        names.release(first);
        assert_eq!(names.find("package"), Some(first));
        names.release(first);
        assert_eq!(names.find("package"), None);
        assert_eq!(names.acquire("page"), first, "the number is used again");
        assert_eq!(names.acquire(""), NO_NAME);
        assert_eq!(names.counts().collect::<Vec<_>>(), [("", 1), ("page", 1)]);
    }

    #[test]
    fn names_without_end_do_not_fill_the_memory() {
        let mut names = Names::default();
        for round in 0..10_000 {
            let id = names.acquire(&format!("label {round}"));
            names.release(id);
        }
        assert!(names.bound() <= 2);
        assert!(names.memory_bytes() < 1024);
    }
}
