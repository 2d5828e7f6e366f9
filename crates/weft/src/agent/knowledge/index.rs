//! The files that are known, from one look to the next.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use prost_reflect::prost::Message;
use sha2::{Digest, Sha256};
use weft_proto::weft::agent::v1::{KnowledgeFile, KnowledgeFolder};
use weft_store::Timestamp;

use super::{
    plain,
    read::Content,
    walk::{Found, shown},
};

/// A file that is known.
pub(super) struct Known {
    /// Which of the folders it is in.
    pub(super) folder: usize,
    pub(super) found: Found,
    /// Whether it need not be read again while its stamp is the same.
    pub(super) is_settled: bool,
    /// What is told of it. Its name is only the last part.
    pub(super) file: KnowledgeFile,
}

/// All that are known, by folder and path.
#[derive(Default)]
pub(super) struct Index {
    pub(super) files: Vec<Arc<Known>>,
    by_id: HashMap<String, usize>,
    pub(super) folders: Vec<KnowledgeFolder>,
    /// When all was looked at last, and how long that took.
    pub(super) scanned: Option<(prost_types::Timestamp, Duration)>,
    /// There was no time for all.
    pub(super) is_cut: bool,
}

impl Index {
    pub(super) fn new(
        files: Vec<Arc<Known>>,
        folders: Vec<KnowledgeFolder>,
        scanned: Option<(prost_types::Timestamp, Duration)>,
    ) -> Self {
        let by_id = files.iter().enumerate().map(|(at, known)| (known.file.name.clone(), at)).collect();
        Self { files, by_id, folders, scanned, is_cut: false }
    }

    /// A file, by the last part of its name.
    pub(super) fn get(&self, id: &str) -> Option<&Arc<Known>> {
        self.by_id.get(id).map(|at| &self.files[*at])
    }
}

/// The last part of a file's name: it stands for its place, also where that is no text.
pub(super) fn id(folder: &str, path: &Path) -> String {
    let mut hash = Sha256::new();
    hash.update(folder);
    hash.update([0]);
    hash.update(path.as_os_str().as_encoded_bytes());
    hex(&hash.finalize()[..16])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Known {
    /// A file as it was found, before anybody has read it.
    pub(super) fn found(folder: usize, name: &str, id: String, found: Found) -> Self {
        let created = found.created.map(micros);
        let identity = format!("{id}:{}:{created:?}", found.stamp.inode);
        let file = KnowledgeFile {
            name: id,
            uid: hex(&Sha256::digest(identity)[..16]),
            folder: name.to_owned(),
            path: shown(&found.path),
            kind: found.kind.into(),
            title: stem(&found.path),
            size_bytes: i64::try_from(found.stamp.size).unwrap_or(i64::MAX),
            create_time: created,
            update_time: Some(instant(found.stamp.modified)),
            ..KnowledgeFile::default()
        };
        Self { folder, found, is_settled: false, file }
    }

    /// The same, read.
    pub(super) fn read(mut self, content: Content, is_settled: bool) -> Self {
        let Content { digest, title, tags, links, link_count, creators, confidence, problem } = content;
        let file = &mut self.file;
        if !title.is_empty() {
            file.title = title;
        }
        let is_text = self.found.path.to_str().is_some();
        let problem = problem.or_else(|| (!is_text).then(|| "its name is no UTF-8".to_owned()));
        file.digest = digest.map(|digest| hex(&digest)).unwrap_or_default();
        file.problem = plain(&problem.unwrap_or_default(), 500);
        (file.tags, file.links, file.creators) = (tags, links, creators);
        file.link_count = i32::try_from(link_count).unwrap_or(i32::MAX);
        file.confidence_ratio = confidence;
        file.size_bytes = i64::try_from(self.found.stamp.size).unwrap_or(i64::MAX);
        file.update_time = Some(instant(self.found.stamp.modified));
        self.is_settled = is_settled;
        self
    }

    /// Without tags, links and people: there is no room for more.
    pub(super) fn bare(mut self) -> Self {
        let file = &mut self.file;
        (file.tags, file.links, file.creators) = (Vec::new(), Vec::new(), Vec::new());
        "its tags and links are left out: all files together have too many".clone_into(&mut file.problem);
        self
    }

    /// Bytes that are kept of it, nearly.
    pub(super) fn bytes(&self) -> usize {
        self.file.encoded_len()
    }
}

/// The name of a file without its ending.
fn stem(path: &Path) -> String {
    plain(&path.file_stem().unwrap_or_default().to_string_lossy(), 200)
}

/// An instant to the microsecond, as all of the mesh's. A file system may tell of years that no calendar has: those are
/// its first or last.
pub(super) fn instant(nanos: i128) -> prost_types::Timestamp {
    let micros = nanos.div_euclid(1_000);
    let furthest = if micros < 0 { i64::MIN } else { i64::MAX };
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(furthest)).into()
}

fn micros(time: std::time::SystemTime) -> prost_types::Timestamp {
    let time = prost_types::Timestamp::from(time);
    Timestamp::from_parts(time.seconds, time.nanos).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_no_calendar_has_are_its_ends() {
        assert_eq!(instant(1_500_000_000_123_456_789).nanos, 123_456_000);
        assert_eq!(instant(300_000_000_000 * 1_000_000_000), Timestamp::MAX.into());
        assert_eq!(instant(i128::MAX), Timestamp::MAX.into());
        assert_eq!(instant(i128::MIN), Timestamp::MIN.into());
    }
}
