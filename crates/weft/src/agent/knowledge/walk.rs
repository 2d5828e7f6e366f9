//! Which files are in a folder? Links are not followed: neither one that leads out of the folder, nor one that leads in
//! a circle, is even looked at. Hidden files and folders are passed over.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cap_fs_ext::DirExt;
use cap_std::fs::{Dir, DirEntry, FileType, Metadata, MetadataExt};
use weft_proto::weft::agent::v1::KnowledgeFileKind;

use super::{kind, settings::Folder};

/// How deep a folder is looked through.
const MAX_DEPTH: usize = 64;
/// Files and folders that are passed on the way, wanted or not.
const MAX_PASSED: usize = 1_000_000;
/// Longest path of a file that is listed, in bytes.
const MAX_PATH_BYTES: usize = 4_096;

/// When a look at the files is to end before its time.
#[derive(Clone)]
pub(super) struct Pace {
    pub(super) until: Instant,
    pub(super) stop: Arc<AtomicBool>,
}

impl Pace {
    /// A look that begins now and takes no longer.
    pub(super) fn for_at_most(longest: Duration, stop: Arc<AtomicBool>) -> Self {
        Self { until: Instant::now() + longest, stop }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_stopped() || Instant::now() >= self.until
    }

    /// The agent ends: nobody wants to know any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What tells that a file is still what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// Nanoseconds since 1970 when it was written last.
    pub(super) modified: i128,
    /// The same for its name, its owner and the rest of what the file system says of it.
    changed: i128,
    /// Its number in its file system.
    pub(super) inode: u64,
}

impl Stamp {
    pub(super) fn of(meta: &Metadata) -> Self {
        let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self {
            size: meta.len(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }
}

/// A file that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Below the folder.
    pub(super) path: PathBuf,
    pub(super) kind: KnowledgeFileKind,
    pub(super) stamp: Stamp,
    /// When it was made, where the file system tells.
    pub(super) created: Option<std::time::SystemTime>,
    /// It is a page of a Logseq graph.
    pub(super) is_logseq: bool,
}

impl Found {
    /// Whether what was read of it then is still what is in it, read the same way.
    pub(super) fn is_same(&self, now: &Self) -> bool {
        self.stamp == now.stamp && self.is_logseq == now.is_logseq
    }
}

/// What was found, by path, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) files: Vec<Found>,
    /// The first thing that went wrong, in words.
    pub(super) problem: Option<String>,
    passed: usize,
    /// Nothing more is taken in.
    is_full: bool,
}

/// A folder that is still to be looked into.
struct Next {
    path: PathBuf,
    depth: usize,
    is_logseq: bool,
}

/// Looks through a folder.
pub(super) fn walk(dir: &Dir, folder: &Folder, pace: &Pace) -> Walked {
    let mut walked = Walked::default();
    let mut folders = vec![Next { path: PathBuf::new(), depth: 0, is_logseq: false }];
    while let Some(next) = folders.pop() {
        let mut below = match walked.look(dir, folder, &next, pace) {
            Ok(below) => below,
            Err(problem) => {
                walked.complain(&next.path, &problem);
                continue;
            }
        };
        if walked.is_full {
            break;
        }
        // The first by name is the next one.
        below.reverse();
        folders.append(&mut below);
    }
    walked.files.sort_by(|one, other| one.path.cmp(&other.path));
    walked
}

/// Opens a folder below `dir`, no part of the way to which is a link.
pub(super) fn inside(dir: &Dir, path: &Path) -> io::Result<Dir> {
    path.components().try_fold(dir.try_clone()?, |at, part| at.open_dir_nofollow(part.as_os_str()))
}

impl Walked {
    /// A folder that is not there.
    pub(super) fn nothing(problem: String) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }

    /// Looks into one folder, and says which are in it.
    fn look(&mut self, dir: &Dir, folder: &Folder, at: &Next, pace: &Pace) -> Result<Vec<Next>, String> {
        if at.depth > MAX_DEPTH {
            return Err("lies too deep".to_owned());
        }
        let told = |error: io::Error| problem_of(&error);
        let here = inside(dir, &at.path);
        let (mut folders, mut files, mut is_graph) = (Vec::new(), Vec::new(), false);
        for entry in here.and_then(|here| here.entries()).map_err(told)? {
            let entry = entry.map_err(told)?;
            self.passed += 1;
            if self.passed > MAX_PASSED {
                self.full(&format!("more than {MAX_PASSED} files and folders lie in it"));
                break;
            }
            if pace.is_over() {
                self.full("it takes too long to look through");
                break;
            }
            let name = entry.file_name();
            let Some(kind) = kind_of(&entry).filter(|_| !name.as_encoded_bytes().starts_with(b".")) else {
                continue;
            };
            is_graph |= name == "logseq";
            let path = at.path.join(&name);
            if path.as_os_str().len() > MAX_PATH_BYTES {
                self.complain(&path, "has too long a path");
                continue;
            }
            if kind.is_dir() && !folder.excludes(&path) {
                folders.push(Next { path, depth: at.depth + 1, is_logseq: at.is_logseq });
            } else if kind.is_file() && folder.wants(&path, kind::of(&path) != KnowledgeFileKind::Other) {
                files.push((path, entry));
                // Always the same ones where there are too many, and no more of them in memory than needed. One more
                // than there is room for says that there are.
                let room = folder.settings.max_files - self.files.len() + 1;
                if files.len() >= 2 * room {
                    files.select_nth_unstable_by(room, |one, other| one.0.cmp(&other.0));
                    files.truncate(room);
                }
            }
        }
        files.sort_by(|one, other| one.0.cmp(&other.0));
        self.take(files, folder, at.is_logseq);
        folders.sort_by(|one, other| one.path.cmp(&other.path));
        for next in folders.iter_mut().filter(|next| is_graph && is_of_graph(&next.path)) {
            next.is_logseq = true;
        }
        Ok(folders)
    }

    /// Takes in files that are wanted.
    fn take(&mut self, files: Vec<(PathBuf, DirEntry)>, folder: &Folder, is_logseq: bool) {
        for (path, entry) in files {
            let max = folder.settings.max_files;
            if self.files.len() == max {
                self.full(&format!("there are more than {max} files"));
                return;
            }
            // What is gone by now, or something else, is not there.
            let Some(meta) = entry.metadata().ok().filter(Metadata::is_file) else { continue };
            let kind = kind::of(&path);
            let created = meta.created().ok().map(cap_std::time::SystemTime::into_std);
            let is_logseq = is_logseq && kind == KnowledgeFileKind::Markdown;
            self.files.push(Found { path, kind, stamp: Stamp::of(&meta), created, is_logseq });
        }
    }

    fn full(&mut self, why: &str) {
        self.problem = Some(format!("{why}; the others are left out"));
        self.is_full = true;
    }

    fn complain(&mut self, path: &Path, problem: &str) {
        let at = if path.as_os_str().is_empty() { "it".into() } else { format!("{:?}", shown(path)) };
        self.problem.get_or_insert_with(|| format!("{at} {problem}"));
    }
}

/// What an entry is itself, and not what it leads to. Some file systems tell only if they are asked for all of it.
fn kind_of(entry: &DirEntry) -> Option<FileType> {
    let is_told = |kind: &FileType| kind.is_dir() || kind.is_file() || kind.is_symlink();
    entry.file_type().ok().filter(is_told).or_else(|| Some(entry.metadata().ok()?.file_type()))
}

/// Where Logseq keeps its pages, beside its settings.
fn is_of_graph(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "pages" || name == "journals")
}

/// A path as people are shown it: with `/`, and what is no text replaced.
pub(super) fn shown(path: &Path) -> String {
    super::plain(&path.to_string_lossy(), 1_000)
}

/// What went wrong, without a path of the host in it.
pub(super) fn problem_of(error: &io::Error) -> String {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return "is a link, and links are not followed".to_owned();
    }
    match error.kind() {
        io::ErrorKind::NotFound => "is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by the agent".to_owned(),
        io::ErrorKind::NotADirectory => "is not a folder".to_owned(),
        kind => format!("cannot be read: {kind}"),
    }
}
