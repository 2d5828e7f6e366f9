//! Knowledge files in real folders, kind ones and hostile ones.

mod answers;
mod hostile;
mod looks;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use weft_kit::Clock;
use weft_proto::weft::agent::v1::KnowledgeFile;

use super::{
    index::{Index, Known},
    scan,
    settings::{Folder, FolderSettings},
    walk::Pace,
};

/// A folder of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a file, as somebody did an hour ago.
    fn put(&self, path: impl AsRef<Path>, text: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("it can be made");
        fs::write(&path, text).expect("it can be written");
        let then = Clock::system().now() - Duration::from_hours(1);
        let file = File::options().write(true).open(&path).expect("it is there");
        file.set_modified(then).expect("it is ours");
    }

    fn settings(&self) -> FolderSettings {
        FolderSettings {
            name: "notes".into(),
            folder: self.0.path().into(),
            include: Vec::new(),
            exclude: Vec::new(),
            content: false,
            max_files: 20_000,
        }
    }

    fn look(&self, before: &Index) -> Index {
        look(&[self.settings()], before)
    }
}

fn look(settings: &[FolderSettings], before: &Index) -> Index {
    let folders = Folder::all(settings).expect("they are right");
    let pace = Pace::for_at_most(Duration::from_mins(5), Arc::default());
    scan::scan(&folders, before, &pace, &mut |_| {}).expect("nobody stops it")
}

fn paths(index: &Index) -> Vec<&str> {
    index.files.iter().map(|known| known.file.path.as_str()).collect()
}

fn file<'i>(index: &'i Index, path: &str) -> &'i KnowledgeFile {
    &known(index, path).file
}

fn known<'i>(index: &'i Index, path: &str) -> &'i Arc<Known> {
    let found = index.files.iter().find(|known| known.file.path == path);
    found.unwrap_or_else(|| panic!("{path} is not in {:?}", paths(index)))
}
