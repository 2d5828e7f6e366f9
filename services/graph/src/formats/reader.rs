//! The reader: files come in as bytes, are unpacked and decoded, and go to the reader of their format.

use super::core::Core;
use super::source::Source;
use super::{FormatError, Position, ReadOptions, Sink, path};

/// Reads the files of one import.
///
/// ```text
/// let mut reader = Reader::new(options);
/// reader.begin_file("nodes.csv", None, &mut sink)?;
/// reader.data(b"key,type\n", &mut sink)?;      // any number of times, cut anywhere
/// reader.begin_file("edges.csv.gz", Some(4096), &mut sink)?;
/// …
/// reader.finish(&mut sink)?;
/// ```
///
/// Elements come as soon as they are complete; nothing of a failed import is worth keeping. After
/// an error every further call gives the same one.
pub struct Reader {
    core: Core,
    open: Option<OpenFile>,
    failed: Option<FormatError>,
}

/// A file that the client has begun.
struct OpenFile {
    source: Source,
    announced: Option<u64>,
    received: u64,
}

impl Reader {
    /// A reader of one import.
    pub fn new(options: ReadOptions) -> Self {
        Self { core: Core::new(options), open: None, failed: None }
    }

    /// Ends the file before, if any, and begins the next one. `size` is its size as it is sent, if
    /// known: a file of another size is refused; zero counts as unknown.
    pub fn begin_file(
        &mut self,
        path: &str,
        size: Option<u64>,
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        self.guarded(|this| {
            this.end_file(sink)?;
            path::check(path)?;
            this.core.count_file(path)?;
            let source = Source::new(path.to_owned(), true);
            this.open = Some(OpenFile { source, announced: size.filter(|size| *size > 0), received: 0 });
            Ok(())
        })
    }

    /// Reads the next bytes of the file.
    pub fn data(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), FormatError> {
        self.guarded(|this| {
            let Some(open) = &mut this.open else {
                let problem = "data came before the first file was begun".to_owned();
                return Err(FormatError::Syntax { at: Position::default(), problem });
            };
            open.received += bytes.len() as u64;
            if let Some(announced) = open.announced
                && open.received > announced
            {
                let problem = format!("more bytes came than the {announced} that were announced");
                return Err(FormatError::Syntax { at: Position::file(open.source.path()), problem });
            }
            open.source.push(bytes, &mut this.core, sink)
        })
    }

    /// Ends the last file and hands on what could be told only now.
    pub fn finish(mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        self.guarded(|this| {
            this.end_file(sink)?;
            this.core.finish(sink)
        })
    }

    fn end_file(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if let Some(announced) = open.announced
            && open.received < announced
        {
            let problem = format!("{} bytes came of the {announced} that were announced", open.received);
            return Err(FormatError::Truncated { at: Position::file(open.source.path()), problem });
        }
        open.source.finish(&mut self.core, sink)
    }

    fn guarded(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let done = work(self);
        self.failed = done.as_ref().err().cloned();
        done
    }
}
