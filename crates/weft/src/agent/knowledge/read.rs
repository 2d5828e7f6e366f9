//! What is in a file? Its digest, and what it tells of itself, where it is a kind of text that is understood.

use std::{
    io::{self, Read},
    path::Path,
};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, File, OpenOptions};
use sha2::{Digest, Sha256};
use weft_graph::formats::{AboutPage, PageDialect, about_page};
use weft_proto::weft::agent::v1::KnowledgeFileKind;

use super::{
    plain,
    walk::{self, Found, Pace, Stamp, problem_of, shown},
};

/// Larger files are listed, and not read.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// So much of a text is looked into.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// What is read at a time.
const PIECE_BYTES: usize = 64 << 10;
/// Longest title, tag and name of a person, and longest link, in characters.
const LONGEST: usize = 200;
const LONGEST_LINK: usize = 500;
/// Most tags, links and people that are kept of a file.
const MAX_TAGS: usize = 32;
const MAX_LINKS: usize = 64;
const MAX_CREATORS: usize = 16;

/// What was found out about a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Content {
    /// SHA-256; `None` if it could not be read.
    pub(super) digest: Option<[u8; 32]>,
    /// Empty if it says none.
    pub(super) title: String,
    pub(super) tags: Vec<String>,
    pub(super) links: Vec<String>,
    /// Links, with those that are not kept.
    pub(super) link_count: usize,
    pub(super) creators: Vec<String>,
    pub(super) confidence: Option<f64>,
    /// What is wrong, in words.
    pub(super) problem: Option<String>,
}

/// Reads a file of a folder; what was found is brought up to date. `None`: there was no time.
pub(super) fn read(dir: &Dir, found: &mut Found, pace: &Pace) -> Option<Content> {
    // Once more where somebody writes it meanwhile.
    for _ in 0..2 {
        match once(dir, found, pace) {
            Ok(Some((before, after, content))) => {
                found.stamp = after;
                if before == after {
                    return Some(content);
                }
            }
            Ok(None) => return None,
            Err(problem) => return Some(Content { problem: Some(problem), ..Content::default() }),
        }
    }
    let problem = Some("was written while it was read".to_owned());
    Some(Content { problem, ..Content::default() })
}

/// What the file is before and after, and what is in it.
fn once(dir: &Dir, found: &Found, pace: &Pace) -> Result<Option<(Stamp, Stamp, Content)>, String> {
    let told = |error: io::Error| problem_of(&error);
    let mut file = open(dir, found)?;
    let before = Stamp::of(&file.metadata().map_err(told)?);
    if before.size > MAX_FILE_BYTES {
        return Err(format!("has more than {} MiB, and is not read", MAX_FILE_BYTES >> 20));
    }
    let is_page = found.kind == KnowledgeFileKind::Markdown;
    let (mut hash, mut text, mut piece, mut size) = (Sha256::new(), Vec::new(), vec![0; PIECE_BYTES], 0_u64);
    loop {
        if pace.is_over() {
            return Ok(None);
        }
        let read = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => &piece[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(problem_of(&error)),
        };
        hash.update(read);
        size += read.len() as u64;
        // One that grows without end is not what it was when it was opened.
        if size > MAX_FILE_BYTES {
            break;
        }
        if is_page {
            let room = MAX_TEXT_BYTES.saturating_sub(text.len());
            text.extend_from_slice(&read[..read.len().min(room)]);
        }
    }
    let after = Stamp::of(&file.metadata().map_err(told)?);
    let mut content = if is_page { page(found, &text, size) } else { Content::default() };
    content.digest = Some(hash.finalize().into());
    Ok(Some((before, after, content)))
}

/// Opens a file that is one, to which no link leads or is on the way, and waits for nobody.
pub(super) fn open(dir: &Dir, found: &Found) -> Result<File, String> {
    let mut options = OpenOptions::new();
    // Should somebody have put a pipe in its place, opening it must not wait for a writer.
    options.read(true).nonblock(true).follow(FollowSymlinks::No);
    let told = |error: io::Error| problem_of(&error);
    let name = found.path.file_name().ok_or_else(|| "is no file".to_owned())?;
    let folder = walk::inside(dir, found.path.parent().unwrap_or(Path::new(""))).map_err(told)?;
    let file = folder.open_with(name, &options).map_err(told)?;
    if !file.metadata().map_err(told)?.is_file() {
        return Err("is not a file any more".to_owned());
    }
    Ok(file)
}

/// What a page tells of itself.
fn page(found: &Found, bytes: &[u8], size: u64) -> Content {
    let is_cut = size > bytes.len() as u64;
    let text = String::from_utf8_lossy(bytes);
    let dialect = if found.is_logseq { PageDialect::Logseq } else { PageDialect::Markdown };
    let AboutPage { title, tags, links, creators, confidence, problem } =
        about_page(&shown(&found.path), &text, dialect);
    // A cut may have taken a character apart: what is wrong then has no length.
    let is_utf8 =
        std::str::from_utf8(bytes).map_or_else(|error| is_cut && error.error_len().is_none(), |_| true);
    let is_text = is_utf8 && !bytes.contains(&0);
    let problem = match problem {
        _ if !is_text => Some("is no text in UTF-8".to_owned()),
        None if is_cut => Some("only its first MiB is looked into for tags and links".to_owned()),
        problem => problem,
    };
    let of = |texts: Vec<String>, most: usize, longest: usize| -> Vec<String> {
        texts.iter().take(most).map(|text| plain(text, longest)).collect()
    };
    Content {
        digest: None,
        title: plain(&title, LONGEST),
        tags: of(tags, MAX_TAGS, LONGEST),
        link_count: links.len(),
        links: of(links, MAX_LINKS, LONGEST_LINK),
        creators: of(creators, MAX_CREATORS, LONGEST),
        confidence,
        problem,
    }
}
