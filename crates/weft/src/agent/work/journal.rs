//! What was begun and how it ended, on disk until the mesh has it on its own: one line of JSON for each change.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::agent::files;

/// Lines after which the file is written anew, with what still counts.
const LONGEST: usize = 4_096;

/// How a target ended here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    /// A `CommandState`.
    pub(super) state: i32,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) retryable: bool,
    pub(super) result: serde_json::Value,
}

/// What the journal knows of a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) attempt: i32,
    /// The newest number under which it was handed over.
    pub(super) fence: i32,
    /// Whether it must not be begun again if nobody knows how far it came.
    pub(super) once: bool,
    /// Absent while it runs.
    pub(super) end: Option<End>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    id: String,
    /// Absent: it is over.
    kept: Option<Kept>,
}

/// The file, locked for as long as this program lives.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    lock: File,
    kept: BTreeMap<String, Kept>,
    lines: usize,
}

impl Journal {
    /// Opens it. A line that was being written when the program died counts as not written. `None` if another
    /// program has it.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>> {
        let Some(lock) = files::lock(folder, "commands.lock")? else { return Ok(None) };
        let path = folder.join("commands.journal");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.with_context(|| path.display().to_string())?,
        };
        let mut kept = BTreeMap::new();
        for line in text.lines() {
            let Ok(Line { id, kept: now }) = serde_json::from_str(line) else { break };
            match now {
                Some(now) => drop(kept.insert(id, now)),
                None => drop(kept.remove(&id)),
            }
        }
        let file = rewritten(&path, &kept).with_context(|| path.display().to_string())?;
        Ok(Some(Self { path, file, lock, lines: kept.len(), kept }))
    }

    /// All that is known.
    pub(super) fn kept(&self) -> &BTreeMap<String, Kept> {
        &self.kept
    }

    /// Writes what is known of targets now; on disk when it returns.
    pub(super) fn write(&mut self, targets: &[(String, Option<Kept>)]) -> io::Result<()> {
        let mut lines = Vec::new();
        for (id, kept) in targets {
            match kept {
                Some(kept) => drop(self.kept.insert(id.clone(), kept.clone())),
                // What is over was perhaps never written.
                None if self.kept.remove(id).is_none() => continue,
                None => {}
            }
            serde_json::to_writer(&mut lines, &Line { id: id.clone(), kept: kept.clone() })?;
            lines.push(b'\n');
            self.lines += 1;
        }
        if lines.is_empty() {
            return Ok(());
        }
        if self.lines > LONGEST + 2 * self.kept.len() {
            self.file = rewritten(&self.path, &self.kept)?;
            self.lines = self.kept.len();
            return Ok(());
        }
        self.file.write_all(&lines)?;
        self.file.sync_data()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // It ends with the program anyway.
        let _ = self.lock.unlock();
    }
}

/// The file with nothing but what counts, ready to be written on.
fn rewritten(path: &Path, kept: &BTreeMap<String, Kept>) -> io::Result<File> {
    let mut lines = Vec::new();
    for (id, kept) in kept {
        serde_json::to_writer(&mut lines, &Line { id: id.clone(), kept: Some(kept.clone()) })?;
        lines.push(b'\n');
    }
    files::replace(path, &lines)?;
    files::private().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, end: Option<End>) -> (String, Option<Kept>) {
        (id.into(), Some(Kept { attempt: 1, fence: 1, once: true, end }))
    }

    #[test]
    fn what_was_written_is_there_after_a_death_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Journal::open(folder.path()).expect("it opens").expect("nobody else has it");
        let end = End {
            state: 3,
            reason: String::new(),
            message: "line\nbreak".into(),
            retryable: false,
            result: serde_json::json!({"exitCode": 0}),
        };
        let mut journal = open();
        journal.write(&[line("a", None), line("b", Some(end.clone()))]).expect("room");
        journal.write(&[line("c", None), ("a".into(), None)]).expect("room");
        assert!(Journal::open(folder.path()).expect("it opens").is_none(), "two programs have it");
        let mut torn =
            files::private().append(true).open(folder.path().join("commands.journal")).expect("it is there");
        torn.write_all(b"{\"id\":\"d\",\"kept\":{\"att").expect("room");
        drop(journal);

        let mut journal = open();
        let ids: Vec<_> = journal.kept().keys().cloned().collect();
        assert_eq!(ids, ["b", "c"]);
        assert_eq!(journal.kept()["b"].end, Some(end));
        journal.write(&[line("d", None)]).expect("room");
        drop(journal);
        assert_eq!(open().kept().len(), 3, "what came after a torn line is lost");
    }

    #[test]
    fn a_long_file_is_written_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path()).expect("it opens").expect("nobody else has it");
        // Without disk flushes this would be quick; so only as many as are needed.
        let batch: Vec<_> = (0..LONGEST).map(|n| line(&n.to_string(), None)).collect();
        journal.write(&batch).expect("room");
        let over: Vec<_> = (0..LONGEST).map(|n| (n.to_string(), None)).collect();
        journal.write(&over).expect("room");
        let size = fs::metadata(folder.path().join("commands.journal")).expect("it is there").len();
        assert_eq!(size, 0);
    }
}
