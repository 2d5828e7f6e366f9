//! A file as it was sent: unpacks gzip and tar.

use super::archive::{Entry, Untar};
use super::core::Core;
use super::document::Document;
use super::gzip::Gunzip;
use super::out::Out;
use super::{FormatError, Sink, path};

/// A file or an entry of an archive: unpacks it and knows what is inside.
pub(super) struct Source {
    path: String,
    gunzip: Gunzip,
    unpacked: u64,
    body: Body,
}

enum Body {
    Archive { untar: Untar, entry: Option<Box<Source>> },
    Document(Document),
}

impl Source {
    /// `outer`: sent by the client itself, so that it may be an archive.
    pub(super) fn new(path: String, outer: bool) -> Self {
        let (name, named) = path::without_gzip(&path);
        let archive = outer && name.rsplit_once('.').is_some_and(|(_, extension)| extension == "tar");
        let body = if archive {
            Body::Archive { untar: Untar::new(), entry: None }
        } else {
            Body::Document(Document::default())
        };
        Self { path, gunzip: Gunzip::new(named), unpacked: 0, body }
    }

    /// Path of the file.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Takes the next bytes.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        core: &mut Core,
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        let Self { path, gunzip, unpacked, body } = self;
        gunzip.push(path, bytes, &mut |plain| body.push(path, unpacked, plain, core, sink))
    }

    /// Takes its end.
    pub(super) fn finish(&mut self, core: &mut Core, sink: &mut dyn Sink) -> Result<(), FormatError> {
        let Self { path, gunzip, unpacked, body } = self;
        gunzip.finish(path, &mut |plain| body.push(path, unpacked, plain, core, sink))?;
        match body {
            Body::Archive { untar, .. } => untar.finish(path),
            Body::Document(document) => document.finish(path, core, sink),
        }
    }
}

impl Body {
    fn push(
        &mut self,
        path: &str,
        unpacked: &mut u64,
        plain: &[u8],
        core: &mut Core,
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        *unpacked += plain.len() as u64;
        core.count_bytes(path, *unpacked, plain.len() as u64, matches!(self, Self::Archive { .. }))?;
        match self {
            Self::Document(document) => document.push(path, plain, core, sink),
            Self::Archive { untar, entry } => {
                untar.push(path, plain, &mut |event| from_archive(path, &event, entry, core, sink))
            }
        }
    }
}

/// What an archive's entry does to the import.
fn from_archive(
    archive: &str,
    event: &Entry<'_>,
    open: &mut Option<Box<Source>>,
    core: &mut Core,
    sink: &mut dyn Sink,
) -> Result<(), FormatError> {
    match event {
        Entry::Begin(inner) => {
            path::check(inner)?;
            core.count_file(inner)?;
            *open = Some(Box::new(Source::new((*inner).to_owned(), false)));
            Ok(())
        }
        Entry::Data(bytes) => match open {
            Some(source) => source.push(bytes, core, sink),
            None => Ok(()),
        },
        Entry::End => match open.take() {
            Some(mut source) => source.finish(core, sink),
            None => Ok(()),
        },
        Entry::Skipped(inner) => {
            let message = format!("{inner:?} is not a plain file and is left out");
            Out { sink, options: &core.options, path: archive }.warn(0, message);
            Ok(())
        }
    }
}
