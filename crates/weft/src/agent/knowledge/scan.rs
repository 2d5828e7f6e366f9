//! One look at all folders: what is as it was is taken over, what is new or has changed is read.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use cap_std::{ambient_authority, fs::Dir};
use weft_kit::Clock;
use weft_proto::weft::agent::v1::KnowledgeFolder;
use weft_store::Timestamp;

use super::{
    index::{Index, Known, id},
    read,
    settings::Folder,
    walk::{self, Pace, Walked, problem_of},
};

/// Files whose time is nearer to their reading may be written again within the same tick of the file system's clock.
const UNSETTLED_NANOS: i128 = 2_000_000_000;
/// What is wrong with a folder some files of which could not be read in time.
const UNREAD: &str = "there was no time to read all of its files; the next look goes on";
/// Bytes that are kept of what all files tell of themselves, as they are sent.
const MAX_KEPT_BYTES: usize = 64 << 20;
/// After how many files that were read, what is known so far is told; then after twice as many, and so on: to tell
/// takes as long as there are files.
const TOLD_FILES: usize = 250;

/// Looks at all folders, and tells of it on the way where there was no look before. `None`: it was stopped.
pub(super) fn scan(
    folders: &[Folder],
    before: &Index,
    pace: &Pace,
    tell: &mut dyn FnMut(Index),
) -> Option<Index> {
    let (began, time) = (Instant::now(), Clock::system().now());
    let mut opened: Vec<_> = folders.iter().map(|folder| open(folder, pace)).collect();
    if pace.is_stopped() {
        return None;
    }
    let mut files = Vec::new();
    let mut unread = Vec::new();
    for (at, (folder, (_, walked))) in folders.iter().zip(&opened).enumerate() {
        for found in &walked.files {
            let id = id(&folder.settings.name, &found.path);
            if let Some(known) =
                before.get(&id).filter(|known| known.is_settled && known.found.is_same(found))
            {
                files.push(Arc::clone(known));
            } else {
                unread.push(files.len());
                files.push(Arc::new(Known::found(at, &folder.settings.name, id, found.clone())));
            }
        }
    }
    let is_first = before.scanned.is_none();
    let told = |opened: &[_], files: &[Arc<Known>]| {
        Index::new(files.to_vec(), summary(folders, opened, files), None)
    };
    if is_first {
        tell(told(&opened, &files));
    }
    let (mut is_cut, mut next_told) = (pace.is_over(), TOLD_FILES);
    let mut kept: usize = files.iter().map(|known| known.bytes()).sum();
    for (count, at) in unread.into_iter().enumerate() {
        if pace.is_stopped() {
            return None;
        }
        let known = &files[at];
        if pace.is_over() {
            is_cut = true;
            opened[known.folder].1.problem.get_or_insert_with(|| UNREAD.to_owned());
            continue;
        }
        let Some(dir) = &opened[known.folder].0 else { continue };
        if let Some(read) = look_into(dir, known, kept, folders, pace) {
            kept = kept.saturating_sub(known.bytes()) + read.bytes();
            files[at] = Arc::new(read);
        }
        if is_first && count + 1 == next_told {
            tell(told(&opened, &files));
            next_told *= 2;
        }
    }
    let folders = summary(folders, &opened, &files);
    let mut index = Index::new(files, folders, Some((time.into(), began.elapsed())));
    index.is_cut = is_cut;
    Some(index)
}

/// The folder, and what is in it.
fn open(folder: &Folder, pace: &Pace) -> (Option<Dir>, Walked) {
    match Dir::open_ambient_dir(&folder.settings.folder, ambient_authority()) {
        Ok(dir) => {
            let walked = walk::walk(&dir, folder, pace);
            (Some(dir), walked)
        }
        Err(error) => (None, Walked::nothing(format!("it {}", problem_of(&error)))),
    }
}

/// A file, read; `None` if there was no time.
fn look_into(dir: &Dir, known: &Known, kept: usize, folders: &[Folder], pace: &Pace) -> Option<Known> {
    let mut found = known.found.clone();
    let content = read::read(dir, &mut found, pace)?;
    let is_settled = now() - found.stamp.modified > UNSETTLED_NANOS && content.digest.is_some();
    let name = &folders[known.folder].settings.name;
    let read = Known::found(known.folder, name, known.file.name.clone(), found).read(content, is_settled);
    Some(if kept + read.bytes() > MAX_KEPT_BYTES { read.bare() } else { read })
}

/// How each folder is.
fn summary(
    folders: &[Folder],
    opened: &[(Option<Dir>, Walked)],
    files: &[Arc<Known>],
) -> Vec<KnowledgeFolder> {
    let mut counts: BTreeMap<usize, (i64, i64, i64)> = BTreeMap::new();
    for known in files {
        let count = counts.entry(known.folder).or_default();
        count.0 += 1;
        count.1 = count.1.saturating_add(known.file.size_bytes);
        count.2 += i64::from(!known.file.problem.is_empty());
    }
    let told = folders.iter().zip(opened).enumerate().map(|(at, (folder, (_, walked)))| {
        let (file_count, size_bytes, problem_count) = counts.get(&at).copied().unwrap_or_default();
        let problem = super::plain(walked.problem.as_deref().unwrap_or_default(), 500);
        KnowledgeFolder {
            folder: folder.settings.name.clone(),
            file_count,
            size_bytes,
            problem_count,
            problem,
        }
    });
    told.collect()
}

/// Now, in nanoseconds since 1970.
fn now() -> i128 {
    i128::from(Timestamp::from(Clock::system().now()).as_micros()) * 1_000
}
