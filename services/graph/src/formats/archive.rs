//! Tar on the way in: headers by the `tar` crate, content passed on as it comes.

use tar::{EntryType, Header};

use super::{FormatError, Position};

const BLOCK: usize = 512;
/// Longest name or attribute record of an entry.
const MAX_EXTENSION_BYTES: u64 = 64 << 10;

/// What an archive holds, in order.
pub(super) enum Entry<'a> {
    /// A file begins.
    Begin(&'a str),
    /// Its next bytes.
    Data(&'a [u8]),
    /// It ends.
    End,
    /// Something that is not a file, such as a link, is left out.
    Skipped(&'a str),
}

/// Unpacks a tar archive that comes in pieces.
pub(super) struct Untar {
    /// Part of a header, or a whole extension record.
    buffer: Vec<u8>,
    state: State,
    /// Path of the next file, from an extension record before it.
    long_path: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum State {
    /// Before or inside a header.
    Header,
    /// Inside the content of an entry: what is left of it, and of the padding after it.
    Content { what: Content, left: u64, padding: u64 },
    /// After the mark of the end.
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    File,
    LongPath,
    Attributes,
    Ignored,
}

impl Untar {
    pub(super) fn new() -> Self {
        Self { buffer: Vec::with_capacity(BLOCK), state: State::Header, long_path: None }
    }

    /// Unpacks a piece.
    pub(super) fn push(
        &mut self,
        archive: &str,
        mut bytes: &[u8],
        take: &mut dyn FnMut(Entry<'_>) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Ended => return Ok(()),
                State::Header => self.header(archive, bytes, take)?,
                State::Content { what, left, padding } => {
                    self.content(archive, bytes, (what, left, padding), take)?
                }
            };
        }
        Ok(())
    }

    /// Checks that the archive is whole.
    pub(super) fn finish(&self, archive: &str) -> Result<(), FormatError> {
        // Some programs leave out the two empty blocks at the end; a cut file cannot be told from
        // that when it is cut exactly between two entries.
        let complete = match self.state {
            State::Ended => true,
            State::Header => self.buffer.is_empty() && self.long_path.is_none(),
            State::Content { .. } => false,
        };
        if complete {
            return Ok(());
        }
        let problem = "the archive ends inside an entry".to_owned();
        Err(FormatError::Truncated { at: Position::file(archive), problem })
    }

    fn header<'a>(
        &mut self,
        archive: &str,
        bytes: &'a [u8],
        take: &mut dyn FnMut(Entry<'_>) -> Result<(), FormatError>,
    ) -> Result<&'a [u8], FormatError> {
        let (now, rest) = bytes.split_at(bytes.len().min(BLOCK - self.buffer.len()));
        self.buffer.extend_from_slice(now);
        if self.buffer.len() < BLOCK {
            return Ok(rest);
        }
        if self.buffer.iter().all(|byte| *byte == 0) {
            self.state = State::Ended;
            return Ok(rest);
        }
        let header = Header::from_byte_slice(&self.buffer);
        let wrong = |problem: String| syntax(archive, problem);
        let sum: u64 = self.buffer.iter().enumerate().map(|(at, byte)| checked_byte(at, *byte)).sum();
        if header.cksum().ok().map(u64::from) != Some(sum) {
            return Err(wrong("this is not a tar archive: the checksum of a header is wrong".to_owned()));
        }
        let size = header.entry_size().map_err(|error| wrong(format!("the size of an entry: {error}")))?;
        let (kind, plain_path) = (header.entry_type(), header.path_bytes().into_owned());
        let what = match kind {
            EntryType::GNULongName => Content::LongPath,
            EntryType::XHeader => Content::Attributes,
            EntryType::Regular | EntryType::Continuous => Content::File,
            _ => Content::Ignored,
        };
        self.buffer.clear();
        if matches!(what, Content::LongPath | Content::Attributes) {
            if size > MAX_EXTENSION_BYTES {
                return Err(wrong(format!("an extension record of {size} bytes; 64 KiB are allowed")));
            }
        } else {
            let path = self.long_path.take().unwrap_or(plain_path);
            let path = String::from_utf8(path).map_err(|_| wrong("a path is not UTF-8".to_owned()))?;
            let path = path.strip_prefix("./").unwrap_or(&path);
            match what {
                Content::File => take(Entry::Begin(path))?,
                _ if matches!(kind, EntryType::Directory | EntryType::XGlobalHeader) => {}
                _ => take(Entry::Skipped(path))?,
            }
        }
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        self.state = State::Content { what, left: size, padding };
        if size == 0 {
            self.content_ended(archive, what, take)?;
        }
        Ok(rest)
    }

    fn content<'a>(
        &mut self,
        archive: &str,
        bytes: &'a [u8],
        (what, left, padding): (Content, u64, u64),
        take: &mut dyn FnMut(Entry<'_>) -> Result<(), FormatError>,
    ) -> Result<&'a [u8], FormatError> {
        if left > 0 {
            let (now, rest) = bytes.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
            match what {
                Content::File => take(Entry::Data(now))?,
                Content::LongPath | Content::Attributes => self.buffer.extend_from_slice(now),
                Content::Ignored => {}
            }
            let left = left - now.len() as u64;
            self.state = State::Content { what, left, padding };
            if left == 0 {
                self.content_ended(archive, what, take)?;
                if padding == 0 {
                    self.state = State::Header;
                }
            }
            return Ok(rest);
        }
        let (now, rest) = bytes.split_at(bytes.len().min(padding as usize));
        let padding = padding - now.len() as u64;
        self.state = if padding == 0 { State::Header } else { State::Content { what, left, padding } };
        Ok(rest)
    }

    fn content_ended(
        &mut self,
        archive: &str,
        what: Content,
        take: &mut dyn FnMut(Entry<'_>) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let record = std::mem::take(&mut self.buffer);
        match what {
            Content::File => take(Entry::End)?,
            Content::LongPath => {
                let end = record.iter().position(|byte| *byte == 0).unwrap_or(record.len());
                self.long_path = Some(record[..end].to_vec());
            }
            Content::Attributes => {
                for attribute in tar::PaxExtensions::new(&record) {
                    let attribute = attribute
                        .map_err(|error| syntax(archive, format!("an attribute record: {error}")))?;
                    match attribute.key_bytes() {
                        b"path" => self.long_path = Some(attribute.value_bytes().to_vec()),
                        b"size" => {
                            return Err(syntax(archive, "entries of 8 GiB and more are not read".to_owned()));
                        }
                        _ => {}
                    }
                }
            }
            Content::Ignored => {}
        }
        if let State::Content { left: 0, padding: 0, .. } = self.state {
            self.state = State::Header;
        }
        Ok(())
    }
}

/// What a byte of a header adds to its checksum; the checksum's own field counts as spaces.
fn checked_byte(at: usize, byte: u8) -> u64 {
    if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(byte) }
}

fn syntax(archive: &str, problem: String) -> FormatError {
    FormatError::Syntax { at: Position::file(archive), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn unpack(bytes: &[u8], step: usize) -> Result<Vec<(String, Vec<u8>, bool)>, FormatError> {
        let mut untar = Untar::new();
        let mut files: Vec<(String, Vec<u8>, bool)> = Vec::new();
        for piece in bytes.chunks(step) {
            untar.push("a.tar", piece, &mut |entry| {
                match entry {
                    Entry::Begin(path) => files.push((path.to_owned(), Vec::new(), false)),
                    Entry::Data(bytes) => files.last_mut().unwrap().1.extend_from_slice(bytes),
                    Entry::End => files.last_mut().unwrap().2 = true,
                    Entry::Skipped(path) => files.push((format!("skipped {path}"), Vec::new(), true)),
                }
                Ok(())
            })?;
        }
        untar.finish("a.tar")?;
        Ok(files)
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let long = format!("{}/page.md", "folder".repeat(30));
        let bytes = archive(&[("a.md", b"one"), ("empty", b""), (&long, &[7; 1024]), ("b/c.md", &[1; 513])]);
        for step in [1, 3, 512, 100_000] {
            let files = unpack(&bytes, step).unwrap();
            let names: Vec<_> =
                files.iter().map(|(path, content, _)| (path.as_str(), content.len())).collect();
            assert_eq!(names, [("a.md", 3), ("empty", 0), (&long, 1024), ("b/c.md", 513)]);
            assert!(files.iter().all(|(_, _, ended)| *ended));
        }
    }

    #[test]
    fn a_cut_archive_is_truncated_or_shorter() {
        let bytes = archive(&[("a", b"one"), ("b", b"two")]);
        for end in 0..bytes.len() {
            match unpack(&bytes[..end], 64) {
                Ok(files) => assert!(files.iter().all(|(_, _, ended)| *ended), "cut at {end}"),
                Err(error) => {
                    assert!(matches!(error, FormatError::Truncated { .. }), "cut at {end}: {error}");
                }
            }
        }
    }

    #[test]
    fn links_are_left_out_and_nonsense_is_refused() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "link", "/etc/passwd").unwrap();
        let files = unpack(&builder.into_inner().unwrap(), 512).unwrap();
        assert_eq!(files[0].0, "skipped link");
        assert!(matches!(unpack(&[b'x'; 600], 600), Err(FormatError::Syntax { .. })));
    }
}
