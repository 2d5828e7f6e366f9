//! What a service writes, line by line, in two files of bounded size: when the newer one is full it becomes the older.
//!
//! Each line is numbered from 1 for as long as the service is defined, over restarts of it and of the agent; the number is what a
//! reader goes on from.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use weft_proto::weft::{agent::v1::ServiceLogLine, command::v1::OutputStream};
use weft_store::Timestamp;

use crate::agent::files;

/// Most bytes of each of the two files.
const FILE_BYTES: u64 = 1 << 20;
/// Most bytes of lines that are read at once, so that they fit into an answer.
const READ_BYTES: usize = 150 << 10;
/// Longest line, in bytes; what is longer is cut into several.
pub(super) const LONGEST_LINE: usize = 4_096;

/// The log of one service.
pub(super) struct Log {
    folder: PathBuf,
    file: File,
    bytes: u64,
    /// Number of the newest line.
    newest: u64,
}

impl Log {
    /// Opens the log in a folder of its own, and goes on from where it ended.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let newest = lines(folder).last().map_or(0, |line| line.number);
        let file = files::private().append(true).open(newer(folder))?;
        let bytes = file.metadata()?.len();
        Ok(Self { folder: folder.to_owned(), file, bytes, newest })
    }

    /// Number of the newest line; 0 where there is none.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Writes lines, all at the same time: microseconds since 1970.
    pub(super) fn write(&mut self, micros: i64, stream: OutputStream, texts: &[String]) -> io::Result<()> {
        let mut written = Vec::new();
        for text in texts {
            self.newest += 1;
            let mark = if stream == OutputStream::Stderr { 'e' } else { 'o' };
            writeln!(written, "{} {micros} {mark} {text}", self.newest)?;
        }
        if self.bytes > 0 && self.bytes + written.len() as u64 > FILE_BYTES {
            fs::rename(newer(&self.folder), older(&self.folder))?;
            self.file = files::private().append(true).open(newer(&self.folder))?;
            self.bytes = 0;
        }
        self.file.write_all(&written)?;
        self.bytes += written.len() as u64;
        Ok(())
    }
}

/// What of a log is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Only lines after this number.
    pub(super) after: u64,
    /// Only the last of them; 0: all.
    pub(super) tail: usize,
    /// Only those that have this in them, whatever the case; empty: all.
    pub(super) text: String,
    /// Not more than so many: the first of them.
    pub(super) most: usize,
}

/// Lines of a log, and the number that was come to.
pub(super) fn read(folder: &Path, wanted: &Wanted) -> (Vec<ServiceLogLine>, u64) {
    let all = lines(folder);
    let mut newest = all.last().map_or(wanted.after, |line| line.number.max(wanted.after));
    let text = wanted.text.to_lowercase();
    let is_wanted = |line: &Line| {
        line.number > wanted.after && (text.is_empty() || line.text.to_lowercase().contains(&text))
    };
    let mut found: Vec<Line> = all.into_iter().filter(is_wanted).collect();
    if wanted.tail > 0 {
        found.drain(..found.len().saturating_sub(wanted.tail));
    }
    let mut bytes = 0;
    let fits = |line: &&Line| {
        bytes += line.text.len() + 32;
        bytes <= READ_BYTES
    };
    let count = found.iter().take(wanted.most).take_while(fits).count();
    if count < found.len() {
        found.truncate(count);
        newest = found.last().map_or(newest, |line| line.number);
    }
    (found.into_iter().map(Line::message).collect(), newest)
}

struct Line {
    number: u64,
    micros: i64,
    is_error: bool,
    text: String,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, ' ');
        let (number, micros) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let is_error = parts.next()? == "e";
        Some(Self { number, micros, is_error, text: parts.next()?.to_owned() })
    }

    fn message(self) -> ServiceLogLine {
        ServiceLogLine {
            write_time: Some(Timestamp::from_micros(self.micros).into()),
            stream: if self.is_error { OutputStream::Stderr } else { OutputStream::Stdout }.into(),
            text: self.text,
        }
    }
}

fn lines(folder: &Path) -> Vec<Line> {
    let mut all = Vec::new();
    for file in [older(folder), newer(folder)] {
        // A line that was being written when the host died is none.
        let text = fs::read(file).unwrap_or_default();
        all.extend(String::from_utf8_lossy(&text).lines().filter_map(Line::parse));
    }
    all
}

fn newer(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn older(folder: &Path) -> PathBuf {
    folder.join("log.older")
}

/// Cuts what a program writes into lines.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// The lines that are whole with these bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.0.push(*byte);
            }
            if *byte == b'\n' || self.0.len() >= LONGEST_LINE {
                whole.extend(self.rest_of(*byte == b'\n'));
            }
        }
        whole
    }

    /// What is left when the program has ended.
    pub(super) fn rest(&mut self) -> Option<String> {
        self.rest_of(false)
    }

    fn rest_of(&mut self, is_whole: bool) -> Option<String> {
        if self.0.is_empty() && !is_whole {
            return None;
        }
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.0)).into_owned();
        Some(
            text.trim_end_matches('\r')
                .replace(|letter: char| letter.is_control() && letter != '\t', "\u{fffd}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(found: &[ServiceLogLine]) -> Vec<&str> {
        found.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_are_numbered_over_restarts_and_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = Wanted { most: 100, ..Wanted::default() };
        let mut log = Log::open(folder.path()).expect("a new one");
        log.write(1_000_001, OutputStream::Stdout, &["one".into(), "two two".into()]).expect("it is written");
        drop(log);
        let mut log = Log::open(folder.path()).expect("the same");
        log.write(2_000_000, OutputStream::Stderr, &["THREE".into()]).expect("it is written");
        assert_eq!(log.newest(), 3);
        let (found, newest) = read(folder.path(), &all);
        assert_eq!((texts(&found), newest), (vec!["one", "two two", "THREE"], 3));
        assert_eq!(found[2].stream(), OutputStream::Stderr);
        assert_eq!(found[0].write_time, Some(prost_types::Timestamp { seconds: 1, nanos: 1_000 }));
        let (found, newest) = read(folder.path(), &Wanted { after: 1, text: "t".into(), most: 1, ..all });
        assert_eq!((texts(&found), newest), (vec!["two two"], 2), "it goes on from here");
        let (found, _) = read(folder.path(), &Wanted { tail: 1, ..all });
        assert_eq!(texts(&found), ["THREE"]);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = Log::open(folder.path()).expect("a new one");
        let line = "x".repeat(1_000);
        for _ in 0..5_000 {
            log.write(0, OutputStream::Stdout, std::slice::from_ref(&line)).expect("it is written");
        }
        let bytes: u64 = [newer(folder.path()), older(folder.path())]
            .iter()
            .map(|file| fs::metadata(file).expect("it is there").len())
            .sum();
        assert!(bytes <= 2 * FILE_BYTES && bytes > FILE_BYTES / 2, "{bytes}");
        let (found, newest) = read(folder.path(), &Wanted { tail: 1, most: 1, ..Wanted::default() });
        assert_eq!((found.len(), newest), (1, 5_000));
    }

    #[test]
    fn what_is_written_in_pieces_is_whole_lines() {
        let mut lines = Lines::default();
        assert!(lines.take(b"be").is_empty());
        assert_eq!(lines.take(b"gin\r\n\nnext\x1b[1m"), ["begin", ""]);
        assert_eq!(lines.rest().as_deref(), Some("next\u{fffd}[1m"));
        assert_eq!(lines.rest(), None);
        assert_eq!(lines.take(&[b'x'; LONGEST_LINE + 1]).len(), 1);
    }
}
